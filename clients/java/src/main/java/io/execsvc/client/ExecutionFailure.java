package io.execsvc.client;

/**
 * Why an execution or a node failed. Data, not an exception: the call that reports it has
 * succeeded.
 */
public final class ExecutionFailure extends MessageView<io.execsvc.v1.ExecutionError> {
  ExecutionFailure(io.execsvc.v1.ExecutionError raw) {
    super(raw);
  }

  /**
   * Returns the node whose failure it was.
   *
   * @return empty where it was none's
   */
  public String nodeId() {
    return raw().getNodeId();
  }

  /**
   * Returns the stable name of the kind of failure.
   *
   * @return UPPER_SNAKE_CASE
   */
  public String type() {
    return raw().getType();
  }

  /**
   * Returns what happened, for people.
   *
   * @return the text
   */
  public String message() {
    return raw().getMessage();
  }

  /**
   * Returns whether another attempt could succeed.
   *
   * @return true if so
   */
  public boolean retryable() {
    return raw().getRetryable();
  }

  /**
   * Returns the attempt that failed.
   *
   * @return from 1; 0 where no node failed
   */
  public int attempt() {
    return raw().getAttempt();
  }
}
