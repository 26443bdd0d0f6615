package io.execsvc.client;

import com.google.protobuf.Message;
import java.time.Duration;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutionException;
import java.util.function.Supplier;

/**
 * Runs calls over one connection, within the client's limits.
 *
 * @param connection what calls go over
 * @param callTimeout nanoseconds that a unary call may take, repeats included
 * @param giveUpAfter nanoseconds that a stream may be broken; empty: for ever
 */
record Caller(Connection connection, Timing timing, long callTimeout, OptionalLong giveUpAfter) {

  /** Runs a call, whose request may turn out to be wrong: that too comes through the future. */
  <T> CompletableFuture<T> run(Supplier<Call<?, ?, T>> made) {
    Call<?, ?, T> call;
    try {
      call = made.get();
    } catch (RuntimeException error) {
      return CompletableFuture.failedFuture(error);
    }
    long deadline = timing.now() + callTimeout;
    return repeat(call, new CallRetry(timing, call.repeats(), deadline));
  }

  <Q extends Message, R extends Message, T> CompletableFuture<T> repeat(
      Call<Q, R, T> call, RepeatPolicy policy) {
    return UnaryRun.start(connection, call, policy);
  }

  Reconnect reconnect(OptionalLong deadline, OptionalLong limit) {
    return new Reconnect(timing, giveUpAfter, deadline, limit);
  }

  /** Returns when a span from now will have passed. */
  long in(Duration span) {
    return timing.now() + Timing.nanos(span);
  }

  /** Returns what a future brings; where this thread is interrupted, the call is cancelled. */
  static <T> T await(CompletableFuture<T> answer) {
    try {
      return answer.get();
    } catch (InterruptedException error) {
      answer.cancel(true);
      throw Failures.interrupted(error);
    } catch (ExecutionException error) {
      if (error.getCause() instanceof ExecsvcException failure) {
        // It was made by a thread of gRPC; who called is what helps, its cause has the rest.
        failure.fillInStackTrace();
        throw failure;
      }
      if (error.getCause() instanceof RuntimeException failure) {
        throw failure;
      }
      throw new IllegalStateException(error.getCause());
    }
  }
}
