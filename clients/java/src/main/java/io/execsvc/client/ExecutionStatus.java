package io.execsvc.client;

import java.time.Instant;
import java.util.List;
import java.util.Optional;

/** The short form of an execution: what a progress bar needs. */
public final class ExecutionStatus extends MessageView<io.execsvc.v1.ExecutionStatus> {
  ExecutionStatus(io.execsvc.v1.ExecutionStatus raw) {
    super(raw);
  }

  /**
   * Returns the id of the execution.
   *
   * @return never empty, except after {@code validateOnly}
   */
  public String executionId() {
    return raw().getExecutionId();
  }

  /**
   * Returns the client's id of the workflow.
   *
   * @return empty where none was given
   */
  public String workflowId() {
    return raw().getWorkflowId();
  }

  /**
   * Returns where the execution stands.
   *
   * @return its state
   */
  public ExecutionState state() {
    return ExecutionState.of(raw().getState());
  }

  /**
   * Returns the node that started last among those running, else the one that finished last.
   *
   * @return empty before the first
   */
  public String currentNode() {
    return raw().getCurrentNode();
  }

  /**
   * Returns the nodes that run now.
   *
   * @return their ids
   */
  public List<String> runningNodes() {
    return List.copyOf(raw().getRunningNodesList());
  }

  /**
   * Returns how much is done.
   *
   * @return 0 to 1; never goes down, and is 1 exactly when {@code COMPLETED}
   */
  public double progress() {
    return raw().getProgress();
  }

  /**
   * Returns a line for people.
   *
   * @return why it waits, what it does, or why it failed
   */
  public String message() {
    return raw().getMessage();
  }

  /**
   * Returns when the execution was stored.
   *
   * @return the time
   */
  public Instant createTime() {
    return Values.toInstant(raw().getCreateTime());
  }

  /**
   * Returns when it first ran.
   *
   * @return empty before
   */
  public Optional<Instant> startTime() {
    return raw().hasStartTime()
        ? Optional.of(Values.toInstant(raw().getStartTime()))
        : Optional.empty();
  }

  /**
   * Returns when it ended.
   *
   * @return empty until then
   */
  public Optional<Instant> endTime() {
    return raw().hasEndTime()
        ? Optional.of(Values.toInstant(raw().getEndTime()))
        : Optional.empty();
  }
}
