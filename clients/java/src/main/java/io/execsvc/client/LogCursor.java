package io.execsvc.client;

import io.execsvc.v1.StreamLogsRequest;
import io.execsvc.v1.StreamLogsResponse;
import java.util.ArrayDeque;
import java.util.Queue;

/**
 * Turns the responses of any number of broken connections into one log without repeats or holes.
 *
 * <p>A response's {@code last_sequence} counts only once its entries were handed out, so that
 * {@link #lastSequence()} always is a place from which another reader, or another process, can go
 * on.
 */
final class LogCursor implements Cursor<StreamLogsRequest, StreamLogsResponse, LogEntry> {
  private final StreamLogsRequest first;
  private final Reconnect reconnect;
  private final Queue<io.execsvc.v1.LogEntry> waiting = new ArrayDeque<>();
  private boolean placed;
  private long upTo;
  private io.execsvc.v1.ExecutionStatus last;
  private boolean complete;
  // One thread reads; others may ask for these.
  private volatile String uid;
  private volatile long lastSequence;
  private volatile ExecutionStatus finalStatus;

  LogCursor(StreamLogsRequest request, Reconnect reconnect) {
    this.first = request;
    this.reconnect = reconnect;
    this.placed = request.getTail() == 0;
    this.upTo = request.getAfterSequence();
    this.lastSequence = request.getAfterSequence();
    this.uid = request.getUid();
  }

  @Override
  public StreamLogsRequest request() {
    StreamLogsRequest.Builder request = first.toBuilder();
    if (placed) {
      // "The last so many" was answered; from here on the place is known.
      request.setTail(0).setAfterSequence(lastSequence);
    }
    // An execution that takes the id meanwhile has a log of its own: this place is not in it.
    return request.setUid(uid).build();
  }

  @Override
  public long callTimeout() {
    return reconnect.callTimeout();
  }

  @Override
  public void receive(StreamLogsResponse response) {
    long before = upTo;
    for (io.execsvc.v1.LogEntry entry : response.getEntriesList()) {
      if (entry.getSequence() > upTo) {
        waiting.add(entry);
        upTo = entry.getSequence();
      }
    }
    upTo = Math.max(upTo, response.getLastSequence());
    placed = true;
    uid = response.getUid();
    if (response.hasFinalStatus()) {
      last = response.getFinalStatus();
      complete = true;
    }
    reconnect.progress(upTo > before || complete);
    settle();
  }

  @Override
  public boolean hasNext() {
    return !waiting.isEmpty();
  }

  @Override
  public LogEntry next() {
    io.execsvc.v1.LogEntry entry = waiting.remove();
    lastSequence = entry.getSequence();
    settle();
    return new LogEntry(entry);
  }

  private void settle() {
    if (waiting.isEmpty()) {
      lastSequence = upTo;
      if (last != null && finalStatus == null) {
        finalStatus = new ExecutionStatus(last);
      }
    }
  }

  @Override
  public boolean ended() {
    return complete && waiting.isEmpty();
  }

  @Override
  public long closedByServer() {
    if (complete || !first.getFollow()) {
      complete = true;
      return -1;
    }
    return broken(Failures.unavailable("the server closed the log before the execution had ended"));
  }

  @Override
  public long broken(ExecsvcException error) {
    return reconnect.delayAfter(error);
  }

  long lastSequence() {
    return lastSequence;
  }

  String uid() {
    return uid;
  }

  @Override
  public ExecutionStatus finalStatus() {
    return finalStatus;
  }
}
