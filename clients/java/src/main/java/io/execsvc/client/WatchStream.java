package io.execsvc.client;

import io.execsvc.v1.ExecutionServiceGrpc;

/**
 * Snapshots of an execution: the first at once, then one after each change, the last in its final
 * state. After a break it begins with a fresh snapshot.
 */
public final class WatchStream extends ResumingStream<Snapshot> {
  WatchStream(Connection connection, WatchCursor cursor) {
    super(connection, ExecutionServiceGrpc.getWatchExecutionMethod(), cursor);
  }
}
