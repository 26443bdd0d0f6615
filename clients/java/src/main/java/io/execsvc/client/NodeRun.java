package io.execsvc.client;

import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** What the journal holds of one node. */
public final class NodeRun extends MessageView<io.execsvc.v1.NodeRun> {
  NodeRun(io.execsvc.v1.NodeRun raw) {
    super(raw);
  }

  /**
   * Returns the id of the node in the definition.
   *
   * @return the id
   */
  public String nodeId() {
    return raw().getNodeId();
  }

  /**
   * Returns its type.
   *
   * @return {@code llm}, {@code transform}, …
   */
  public String type() {
    return raw().getType();
  }

  /**
   * Returns where it stands.
   *
   * @return its state
   */
  public NodeState state() {
    return NodeState.of(raw().getState());
  }

  /**
   * Returns how many attempts were made, the running one included.
   *
   * @return 0 before the first
   */
  public int attempt() {
    return raw().getAttempt();
  }

  /**
   * Returns when its last attempt started.
   *
   * @return empty before the first
   */
  public Optional<Instant> startTime() {
    return raw().hasStartTime()
        ? Optional.of(Values.toInstant(raw().getStartTime()))
        : Optional.empty();
  }

  /**
   * Returns when it finished or was skipped.
   *
   * @return empty until then
   */
  public Optional<Instant> endTime() {
    return raw().hasEndTime()
        ? Optional.of(Values.toInstant(raw().getEndTime()))
        : Optional.empty();
  }

  /**
   * Returns its result.
   *
   * @return null until {@code COMPLETED}, in the basic view and in watches; else null, Boolean,
   *     Long, Double, String, List or Map
   */
  public Object output() {
    return Values.toJava(raw().getOutput());
  }

  /**
   * Returns why it failed.
   *
   * @return also there where it failed and {@code on_error} let the execution go on
   */
  public Optional<ExecutionFailure> error() {
    return raw().hasError()
        ? Optional.of(new ExecutionFailure(raw().getError()))
        : Optional.empty();
  }

  /**
   * Returns what all its attempts used.
   *
   * @return empty where none called a model
   */
  public Optional<TokenUsage> usage() {
    return raw().hasUsage() ? Optional.of(new TokenUsage(raw().getUsage())) : Optional.empty();
  }

  /**
   * Returns the branch that a condition chose.
   *
   * @return empty for other nodes
   */
  public String branch() {
    return raw().getBranch();
  }

  /** Returns nodes by id, in their order. */
  static Map<String, NodeRun> byId(List<io.execsvc.v1.NodeRun> nodes) {
    Map<String, NodeRun> found = new LinkedHashMap<>();
    nodes.forEach(node -> found.put(node.getNodeId(), new NodeRun(node)));
    return Collections.unmodifiableMap(found);
  }
}
