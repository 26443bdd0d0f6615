package io.execsvc.client;

/** Where an execution stands. */
public enum ExecutionState {
  /** Not set, or a state that this client does not know; {@code raw} has it. */
  UNSPECIFIED,
  /** Stored, waits for a slot. */
  PENDING,
  /** Nodes run. */
  RUNNING,
  /** No node starts until it is resumed. */
  PAUSED,
  /** Every node has finished or was skipped. Final. */
  COMPLETED,
  /** A node failed, or the time was up. Final, unless it is retried. */
  FAILED,
  /** Stopped by a client. Final, unless it is retried. */
  STOPPED;

  /**
   * Returns whether the execution has ended.
   *
   * @return true if {@code COMPLETED}, {@code FAILED} or {@code STOPPED}
   */
  public boolean terminal() {
    return this == COMPLETED || this == FAILED || this == STOPPED;
  }

  static ExecutionState of(io.execsvc.v1.ExecutionState raw) {
    return switch (raw) {
      case EXECUTION_STATE_PENDING -> PENDING;
      case EXECUTION_STATE_RUNNING -> RUNNING;
      case EXECUTION_STATE_PAUSED -> PAUSED;
      case EXECUTION_STATE_COMPLETED -> COMPLETED;
      case EXECUTION_STATE_FAILED -> FAILED;
      case EXECUTION_STATE_STOPPED -> STOPPED;
      // Also one of a newer proto: that needs no change here.
      default -> UNSPECIFIED;
    };
  }
}
