package io.execsvc.client;

import java.util.concurrent.CompletableFuture;

/** The log of an execution that is handed to a consumer. */
public final class LogSubscription extends Subscription {
  private final LogCursor cursor;

  LogSubscription(CompletableFuture<ExecutionStatus> end, LogCursor cursor) {
    super(end);
    this.cursor = cursor;
  }

  /**
   * Returns the place reached: everything up to here was handed out or left out by the filter.
   *
   * @return what to give to {@link LogOptions#afterSequence} in order to go on
   */
  public long lastSequence() {
    return cursor.lastSequence();
  }

  /**
   * Returns which execution the place belongs to: after a delete another one may have its id.
   *
   * @return what to give to {@link LogOptions#uid}; empty before the server has answered
   */
  public String uid() {
    return cursor.uid();
  }
}
