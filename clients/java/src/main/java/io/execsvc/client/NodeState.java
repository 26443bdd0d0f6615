package io.execsvc.client;

/** Where a node of an execution stands. */
public enum NodeState {
  /** Not set, or a state that this client does not know; {@code raw} has it. */
  UNSPECIFIED,
  /** Not started. */
  PENDING,
  /** An attempt is under way. */
  RUNNING,
  /** Finished; its result is recorded and it will not run again. */
  COMPLETED,
  /** Its last attempt failed. */
  FAILED,
  /** No incoming edge was active. */
  SKIPPED,
  /** Cut off by a stop, or by the failure of another node. */
  CANCELLED;

  static NodeState of(io.execsvc.v1.NodeState raw) {
    return switch (raw) {
      case NODE_STATE_PENDING -> PENDING;
      case NODE_STATE_RUNNING -> RUNNING;
      case NODE_STATE_COMPLETED -> COMPLETED;
      case NODE_STATE_FAILED -> FAILED;
      case NODE_STATE_SKIPPED -> SKIPPED;
      case NODE_STATE_CANCELLED -> CANCELLED;
      // Also one of a newer proto: that needs no change here.
      default -> UNSPECIFIED;
    };
  }
}
