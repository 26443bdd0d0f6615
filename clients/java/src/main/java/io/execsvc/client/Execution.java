package io.execsvc.client;

import java.time.Duration;
import java.util.Map;
import java.util.Optional;

/** The record of an execution; in lists without nodes, definition, input and output. */
public final class Execution extends MessageView<io.execsvc.v1.Execution> {
  Execution(io.execsvc.v1.Execution raw) {
    super(raw);
  }

  /**
   * Returns its short form.
   *
   * @return where it stands
   */
  public ExecutionStatus status() {
    return new ExecutionStatus(raw().getStatus());
  }

  /**
   * Returns the id of the execution.
   *
   * @return the id
   */
  public String executionId() {
    return raw().getStatus().getExecutionId();
  }

  /**
   * Returns where it stands.
   *
   * @return its state
   */
  public ExecutionState state() {
    return ExecutionState.of(raw().getStatus().getState());
  }

  /**
   * Returns what tells it apart from an earlier execution of the same id that was deleted.
   *
   * @return the uid
   */
  public String uid() {
    return raw().getUid();
  }

  /**
   * Returns the content hash of the definition.
   *
   * @return lower-case hex
   */
  public String definitionDigest() {
    return raw().getDefinitionDigest();
  }

  /**
   * Returns the definition as it was sent.
   *
   * @return empty in the basic view and in lists
   */
  public Optional<Definition> definition() {
    return raw().hasDefinition()
        ? Optional.of(Definition.of(raw().getDefinition()))
        : Optional.empty();
  }

  /**
   * Returns the input as it was sent.
   *
   * @return empty in the basic view and in lists
   */
  public Optional<Map<String, Object>> input() {
    return raw().hasInput() ? Optional.of(Values.toMap(raw().getInput())) : Optional.empty();
  }

  /**
   * Returns the result.
   *
   * @return null until {@code COMPLETED}, in the basic view and in lists; else null, Boolean, Long,
   *     Double, String, List or Map
   */
  public Object output() {
    return Values.toJava(raw().getOutput());
  }

  /**
   * Returns why it failed.
   *
   * @return empty unless {@code FAILED}
   */
  public Optional<ExecutionFailure> error() {
    return raw().hasError()
        ? Optional.of(new ExecutionFailure(raw().getError()))
        : Optional.empty();
  }

  /**
   * Returns its nodes by id.
   *
   * @return in the order of the definition; empty in lists
   */
  public Map<String, NodeRun> nodes() {
    return NodeRun.byId(raw().getNodesList());
  }

  /**
   * Returns the client's labels.
   *
   * @return names and values
   */
  public Map<String, String> labels() {
    return raw().getLabelsMap();
  }

  /**
   * Returns its priority.
   *
   * @return higher runs first
   */
  public int priority() {
    return raw().getPriority();
  }

  /**
   * Returns the longest it may run, pauses not counted.
   *
   * @return empty: no limit
   */
  public Optional<Duration> timeout() {
    return raw().hasTimeout()
        ? Optional.of(Values.toDuration(raw().getTimeout()))
        : Optional.empty();
  }

  /**
   * Returns the key whose executions share a limit.
   *
   * @return empty: none
   */
  public String concurrencyKey() {
    return raw().getConcurrencyKey();
  }

  /**
   * Returns how attempts are repeated at nodes with effects that say nothing of their own.
   *
   * @return empty: they are not
   */
  public Optional<RetryPolicy> retry() {
    return raw().hasRetry() ? Optional.of(RetryPolicy.of(raw().getRetry())) : Optional.empty();
  }

  /**
   * Returns what all its nodes used.
   *
   * @return empty where no model was called, and in lists
   */
  public Optional<TokenUsage> usage() {
    return raw().hasUsage() ? Optional.of(new TokenUsage(raw().getUsage())) : Optional.empty();
  }
}
