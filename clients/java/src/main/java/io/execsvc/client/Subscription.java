package io.execsvc.client;

import java.util.concurrent.CompletableFuture;

/** A stream that is handed to a consumer, through broken connections, until it ends. */
public class Subscription implements AutoCloseable {
  private final CompletableFuture<ExecutionStatus> end;

  Subscription(CompletableFuture<ExecutionStatus> end) {
    this.end = end;
  }

  /**
   * Returns what ends with the stream: where the execution stands if it has ended, else null; or an
   * {@link ExecsvcException}, or what the consumer has thrown.
   *
   * @return the end; cancelling it closes the stream
   */
  public final CompletableFuture<ExecutionStatus> end() {
    return end;
  }

  /** Ends the call on the server; {@link #end()} is then cancelled, unless it is done. */
  @Override
  public final void close() {
    end.cancel(true);
  }
}
