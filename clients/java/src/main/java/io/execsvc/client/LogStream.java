package io.execsvc.client;

import io.execsvc.v1.ExecutionServiceGrpc;

/**
 * The log of an execution, entry by entry. Nothing is missed and nothing comes twice, whatever
 * happens to the connection.
 */
public final class LogStream extends ResumingStream<LogEntry> {
  private final LogCursor cursor;

  LogStream(Connection connection, LogCursor cursor) {
    super(connection, ExecutionServiceGrpc.getStreamLogsMethod(), cursor);
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
