package io.execsvc.client;

import io.execsvc.v1.ExecutionServiceGrpc;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Supplier;

/** Waits for the end of an execution: follows its log, filtered to nearly nothing, then asks. */
final class EndWaiter {
  private final Caller caller;
  private final String executionId;
  private final Duration timeout;
  private final OptionalLong deadline;
  private final CompletableFuture<Execution> answer = new CompletableFuture<>();
  private volatile CompletableFuture<?> current;

  private EndWaiter(Caller caller, String executionId, Duration timeout) {
    this.caller = caller;
    this.executionId = executionId;
    this.timeout = timeout;
    this.deadline = timeout == null ? OptionalLong.empty() : OptionalLong.of(caller.in(timeout));
  }

  /** Starts to wait; {@code timeout} null: as long as it takes. */
  static CompletableFuture<Execution> start(Caller caller, String executionId, Duration timeout) {
    EndWaiter waiter = new EndWaiter(caller, executionId, timeout);
    waiter.answer.whenComplete((execution, error) -> waiter.cancelIfAnswered());
    waiter.follow();
    return waiter.answer;
  }

  private void follow() {
    step(
        () ->
            Follower.start(
                caller.connection(),
                ExecutionServiceGrpc.getStreamLogsMethod(),
                new LogCursor(
                    ExecutionCalls.awaitEnd(executionId),
                    caller.reconnect(deadline, OptionalLong.empty())),
                entry -> {}),
        this::ask);
  }

  private void ask() {
    CompletableFuture<Execution> asked =
        step(
            () ->
                caller.repeat(
                    ExecutionCalls.get(executionId, ExecutionView.FULL),
                    caller.reconnect(deadline, OptionalLong.of(caller.callTimeout()))),
            () -> {});
    asked.thenAccept(
        execution -> {
          if (execution.state().terminal()) {
            answer.complete(execution);
          } else {
            // Somebody has retried it meanwhile.
            follow();
          }
        });
  }

  private <T> CompletableFuture<T> step(Supplier<CompletableFuture<T>> start, Runnable next) {
    CompletableFuture<T> step;
    try {
      step = start.get();
    } catch (RuntimeException error) {
      step = CompletableFuture.failedFuture(error);
    }
    current = step;
    cancelIfAnswered();
    step.whenComplete(
        (value, error) -> {
          if (error == null) {
            next.run();
          } else {
            answer.completeExceptionally(translated(error));
          }
        });
    return step;
  }

  private Throwable translated(Throwable error) {
    Throwable cause = error instanceof CompletionException ? error.getCause() : error;
    if (timeout != null && cause instanceof DeadlineExceededException) {
      String seconds = String.valueOf(timeout.toMillis() / 1000.0).replaceFirst("\\.0$", "");
      String message = "execution '" + executionId + "' had not ended after " + seconds + " s";
      return Failures.late(message, cause);
    }
    return cause;
  }

  private void cancelIfAnswered() {
    CompletableFuture<?> running = current;
    if (running != null && answer.isDone()) {
      running.cancel(true);
    }
  }
}
