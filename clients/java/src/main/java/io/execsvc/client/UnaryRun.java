package io.execsvc.client;

import com.google.protobuf.Message;
import io.grpc.ClientCall;
import io.grpc.Metadata;
import io.grpc.Status;
import java.util.concurrent.CompletableFuture;

/** Runs one unary call, with repeats; the answer comes as a future, whose cancellation ends it. */
final class UnaryRun<Q extends Message, R extends Message, T> {
  private final Connection connection;
  private final Call<Q, R, T> call;
  private final RepeatPolicy policy;
  private final CompletableFuture<T> answer = new CompletableFuture<>();
  private volatile ClientCall<Q, R> current;

  private UnaryRun(Connection connection, Call<Q, R, T> call, RepeatPolicy policy) {
    this.connection = connection;
    this.call = call;
    this.policy = policy;
  }

  static <Q extends Message, R extends Message, T> CompletableFuture<T> start(
      Connection connection, Call<Q, R, T> call, RepeatPolicy policy) {
    UnaryRun<Q, R, T> run = new UnaryRun<>(connection, call, policy);
    run.answer.whenComplete((value, error) -> run.cancelIfAnswered());
    run.attempt();
    return run.answer;
  }

  private void cancelIfAnswered() {
    ClientCall<Q, R> running = current;
    if (running != null && answer.isDone()) {
      running.cancel("the caller gave up", null);
    }
  }

  private void attempt() {
    if (answer.isDone()) {
      return;
    }
    try {
      ClientCall<Q, R> next = connection.call(call.method(), call.request(), policy.callTimeout());
      next.start(new Attempt(), connection.metadata());
      current = next;
      // Two: a second message, which a correct server never sends, is an error at once.
      next.request(2);
      next.sendMessage(call.request());
      next.halfClose();
    } catch (RuntimeException error) {
      // Also what the token's supplier throws.
      answer.completeExceptionally(error);
    }
    cancelIfAnswered();
  }

  private void failed(Throwable cause) {
    try {
      long delay = policy.delayAfter(connection.failure(cause));
      Connection.after(delay).execute(this::attempt);
    } catch (ExecsvcException error) {
      answer.completeExceptionally(error);
    }
  }

  private final class Attempt extends ClientCall.Listener<R> {
    private R response;

    @Override
    public void onMessage(R message) {
      response = message;
    }

    @Override
    public void onClose(Status status, Metadata trailers) {
      if (!status.isOk()) {
        failed(status.asRuntimeException(trailers));
      } else if (response == null) {
        failed(Status.INTERNAL.withDescription("the server sent no answer").asRuntimeException());
      } else {
        answer.complete(call.answer().apply(response));
      }
    }
  }
}
