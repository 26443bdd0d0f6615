package io.execsvc.client;

import java.time.Instant;
import java.util.Map;

/** One entry of an execution's log. */
public final class LogEntry extends MessageView<io.execsvc.v1.LogEntry> {
  LogEntry(io.execsvc.v1.LogEntry raw) {
    super(raw);
  }

  /**
   * Returns its position in the log.
   *
   * @return 1, 2, 3, … without gaps
   */
  public long sequence() {
    return raw().getSequence();
  }

  /**
   * Returns when it was written.
   *
   * @return the time
   */
  public Instant time() {
    return Values.toInstant(raw().getTime());
  }

  /**
   * Returns how much it matters.
   *
   * @return the level
   */
  public LogLevel level() {
    return LogLevel.of(raw().getLevel());
  }

  /**
   * Returns the node it speaks of.
   *
   * @return empty where it speaks of the execution
   */
  public String nodeId() {
    return raw().getNodeId();
  }

  /**
   * Returns the attempt of the node.
   *
   * @return from 1; 0 where there is none
   */
  public int attempt() {
    return raw().getAttempt();
  }

  /**
   * Returns the text.
   *
   * @return at most 64 KiB
   */
  public String message() {
    return raw().getMessage();
  }

  /**
   * Returns facts for programs.
   *
   * @return such as {@code event}: {@code node_completed}
   */
  public Map<String, Object> metadata() {
    return Values.toMap(raw().getMetadata());
  }
}
