package io.execsvc.client;

import com.google.protobuf.Message;
import io.execsvc.v1.ExecutionServiceGrpc;
import io.execsvc.v1.ServerServiceGrpc;
import io.execsvc.v1.WorkflowServiceGrpc;
import io.grpc.CallOptions;
import io.grpc.Channel;
import io.grpc.ClientCall;
import io.grpc.ClientInterceptor;
import io.grpc.ClientInterceptors;
import io.grpc.ConnectivityState;
import io.grpc.ForwardingClientCall;
import io.grpc.ManagedChannel;
import io.grpc.ManagedChannelBuilder;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.Executor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Supplier;

/** How this client connects: limits, keepalive, token, and which calls gRPC itself repeats. */
final class Connection {
  /** The server's own limit: a larger request fails here, before anything is sent. */
  private static final int MAX_REQUEST_BYTES = 32 * 1024 * 1024;

  /** Errors that name many problems go beyond the standard of 8 KiB. */
  private static final int MAX_METADATA_BYTES = 1024 * 1024;

  private static final Metadata.Key<String> AUTHORIZATION =
      Metadata.Key.of("authorization", Metadata.ASCII_STRING_MARSHALLER);

  // gRPC itself waits up to two minutes between attempts to connect, long after a server is back.
  private static final long FIRST_REDIAL = Duration.ofMillis(100).toNanos();
  private static final long LAST_REDIAL = Duration.ofSeconds(3).toNanos();

  /**
   * Calls that change nothing, which gRPC repeats. Execute and Control are repeated by this client,
   * which gives them ids; so is CreateWorkflow, which a repeat does not change. DeleteExecution is
   * not.
   */
  private static final List<MethodDescriptor<?, ?>> SAFE =
      List.of(
          ExecutionServiceGrpc.getGetStatusMethod(),
          ExecutionServiceGrpc.getGetExecutionMethod(),
          ExecutionServiceGrpc.getListLogsMethod(),
          ExecutionServiceGrpc.getListExecutionsMethod(),
          WorkflowServiceGrpc.getValidateWorkflowMethod(),
          WorkflowServiceGrpc.getListNodeTypesMethod(),
          WorkflowServiceGrpc.getGetWorkflowMethod(),
          WorkflowServiceGrpc.getListWorkflowsMethod(),
          ServerServiceGrpc.getGetServerInfoMethod());

  private final ManagedChannel channel;
  private final Supplier<String> token;
  private final AtomicBoolean closed = new AtomicBoolean();

  Connection(ManagedChannelBuilder<?> builder, Supplier<String> token) {
    this.channel = builder.build();
    this.token = token;
    redialWhenBroken(ConnectivityState.IDLE);
  }

  /** Sets limits, keepalive and the service config. */
  static void configure(ManagedChannelBuilder<?> builder) {
    builder
        // The full record of an execution holds its input and all outputs: no limit fits it.
        .maxInboundMessageSize(Integer.MAX_VALUE)
        .maxInboundMetadataSize(MAX_METADATA_BYTES)
        // Notices a dead peer while a call waits; the server's heartbeats keep these pings few.
        .keepAliveTime(30, TimeUnit.SECONDS)
        .keepAliveTimeout(10, TimeUnit.SECONDS)
        .keepAliveWithoutCalls(false)
        .defaultServiceConfig(serviceConfig());
  }

  private static Map<String, ?> serviceConfig() {
    List<Map<String, String>> names =
        SAFE.stream()
            .map(
                method ->
                    Map.of(
                        "service", method.getServiceName(), "method", method.getBareMethodName()))
            .toList();
    Map<String, Object> policy =
        Map.of(
            "maxAttempts",
            (double) CallRetry.MAX_ATTEMPTS,
            "initialBackoff",
            Timing.INITIAL_DELAY / 1e9 + "s",
            "maxBackoff",
            "2s",
            "backoffMultiplier",
            2.0,
            "retryableStatusCodes",
            List.of("UNAVAILABLE"));
    return Map.of("methodConfig", List.of(Map.of("name", names, "retryPolicy", policy)));
  }

  /**
   * Returns a call that was not started yet; {@link #metadata()} goes with it.
   *
   * @param request what will be sent
   * @param timeout nanoseconds it may take, or {@link RepeatPolicy#ENDLESS}
   * @throws CancelledException if the client is closed
   * @throws ResourceExhaustedException if the request is too large
   */
  <Q extends Message, R extends Message> ClientCall<Q, R> call(
      MethodDescriptor<Q, R> method, Q request, long timeout) {
    if (isClosed()) {
      throw Failures.closed();
    }
    // gRPC's own check would answer CANCELLED.
    if (request.getSerializedSize() > MAX_REQUEST_BYTES) {
      throw Failures.tooLarge(request.getSerializedSize(), MAX_REQUEST_BYTES);
    }
    CallOptions options = CallOptions.DEFAULT;
    if (timeout != RepeatPolicy.ENDLESS) {
      options = options.withDeadlineAfter(timeout, TimeUnit.NANOSECONDS);
    }
    return channel.newCall(method, options);
  }

  /** Returns what is sent with every call; the token's supplier is asked anew for each. */
  Metadata metadata() {
    Metadata metadata = new Metadata();
    String current = token.get();
    if (current != null && !current.isEmpty()) {
      metadata.put(AUTHORIZATION, "Bearer " + current);
    }
    return metadata;
  }

  /** Returns the channel for stubs, with the token. */
  Channel channel() {
    return ClientInterceptors.intercept(
        channel,
        new ClientInterceptor() {
          @Override
          public <Q, R> ClientCall<Q, R> interceptCall(
              MethodDescriptor<Q, R> method, CallOptions options, Channel next) {
            return new ForwardingClientCall.SimpleForwardingClientCall<Q, R>(
                next.newCall(method, options)) {
              @Override
              public void start(Listener<R> listener, Metadata headers) {
                headers.merge(metadata());
                super.start(listener, headers);
              }
            };
          }
        });
  }

  /** Returns the exception for a failed call; what a closed client ended was cancelled. */
  ExecsvcException failure(Throwable cause) {
    if (isClosed()) {
      CancelledException made = Failures.closed();
      made.initCause(cause);
      return made;
    }
    return Failures.of(cause);
  }

  boolean isClosed() {
    return closed.get();
  }

  void close() {
    if (closed.compareAndSet(false, true)) {
      channel.shutdownNow();
    }
  }

  static Executor after(long nanos) {
    return CompletableFuture.delayedExecutor(nanos, TimeUnit.NANOSECONDS);
  }

  private void redialWhenBroken(ConnectivityState known) {
    channel.notifyWhenStateChanged(
        known,
        () -> {
          ConnectivityState state = channel.getState(false);
          if (state == ConnectivityState.TRANSIENT_FAILURE) {
            redial(FIRST_REDIAL);
          }
          if (state != ConnectivityState.SHUTDOWN) {
            redialWhenBroken(state);
          }
        });
  }

  private void redial(long delay) {
    after(delay)
        .execute(
            () -> {
              if (channel.getState(false) == ConnectivityState.TRANSIENT_FAILURE) {
                channel.resetConnectBackoff();
                redial(Math.min(2 * delay, LAST_REDIAL));
              }
            });
  }
}
