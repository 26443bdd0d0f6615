package io.execsvc.client;

import io.execsvc.v1.ControlRequest;
import io.execsvc.v1.ControlResponse;
import io.execsvc.v1.DeleteExecutionRequest;
import io.execsvc.v1.DeleteExecutionResponse;
import io.execsvc.v1.ExecuteRequest;
import io.execsvc.v1.ExecuteResponse;
import io.execsvc.v1.ExecutionServiceGrpc;
import io.execsvc.v1.GetStatusRequest;
import io.execsvc.v1.GetStatusResponse;
import io.execsvc.v1.StreamLogsRequest;
import io.execsvc.v1.StreamLogsResponse;
import io.grpc.Grpc;
import io.grpc.InsecureServerCredentials;
import io.grpc.Metadata;
import io.grpc.Server;
import io.grpc.ServerCall;
import io.grpc.ServerCallHandler;
import io.grpc.ServerInterceptor;
import io.grpc.Status;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import java.io.IOException;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;

/**
 * A gRPC server on a free port that breaks where a test wants it to; a real one does not do so at a
 * given place.
 */
final class ScriptedServer extends ExecutionServiceGrpc.ExecutionServiceImplBase {
  /** What the next calls of any method fail with, in order; then they succeed. */
  final BlockingQueue<Status> failures = new LinkedBlockingQueue<>();

  final List<Object> requests = new CopyOnWriteArrayList<>();
  final List<String> tokens = new CopyOnWriteArrayList<>();

  /** Streams that are open, for the test to write to. */
  final BlockingQueue<StreamObserver<StreamLogsResponse>> logs = new LinkedBlockingQueue<>();

  /** Goes down when a call is cancelled by its client. */
  final CountDownLatch cancelled = new CountDownLatch(1);

  /** Whether GetStatus never answers. */
  volatile boolean silent;

  private final Server server;

  ScriptedServer(int port) throws IOException {
    ServerInterceptor tokensKept =
        new ServerInterceptor() {
          @Override
          public <Q, R> ServerCall.Listener<Q> interceptCall(
              ServerCall<Q, R> call, Metadata headers, ServerCallHandler<Q, R> next) {
            tokens.add(
                String.valueOf(
                    headers.get(
                        Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER))));
            return next.startCall(call, headers);
          }
        };
    server =
        Grpc.newServerBuilderForPort(port, InsecureServerCredentials.create())
            .addService(this)
            .intercept(tokensKept)
            .build()
            .start();
  }

  int port() {
    return server.getPort();
  }

  ClientBuilder client() {
    return ExecutionClient.builder().target("127.0.0.1:" + port());
  }

  private <R> void answer(Object request, R response, StreamObserver<R> observer) {
    requests.add(request);
    Status failure = failures.poll();
    if (failure == null) {
      observer.onNext(response);
      observer.onCompleted();
    } else {
      observer.onError(failure.asRuntimeException());
    }
  }

  private void onCancel(StreamObserver<?> observer) {
    ((ServerCallStreamObserver<?>) observer).setOnCancelHandler(cancelled::countDown);
  }

  @Override
  public void execute(ExecuteRequest request, StreamObserver<ExecuteResponse> observer) {
    answer(request, ExecuteResponse.getDefaultInstance(), observer);
  }

  @Override
  public void control(ControlRequest request, StreamObserver<ControlResponse> observer) {
    answer(request, ControlResponse.getDefaultInstance(), observer);
  }

  @Override
  public void deleteExecution(
      DeleteExecutionRequest request, StreamObserver<DeleteExecutionResponse> observer) {
    answer(request, DeleteExecutionResponse.getDefaultInstance(), observer);
  }

  @Override
  public void getStatus(GetStatusRequest request, StreamObserver<GetStatusResponse> observer) {
    if (silent) {
      onCancel(observer);
      requests.add(request);
    } else {
      answer(request, GetStatusResponse.getDefaultInstance(), observer);
    }
  }

  @Override
  public void streamLogs(StreamLogsRequest request, StreamObserver<StreamLogsResponse> observer) {
    requests.add(request);
    onCancel(observer);
    logs.add(observer);
  }

  void close() throws InterruptedException {
    server.shutdownNow();
    server.awaitTermination();
  }
}
