package io.execsvc.client;

import io.execsvc.v1.WatchExecutionResponse;
import java.util.List;
import java.util.Map;

/** An execution at one moment. Changes that came faster than they were read are joined into one. */
public final class Snapshot extends MessageView<WatchExecutionResponse> {
  private final Map<String, NodeRun> nodes;
  private final List<String> changed;
  private final boolean tokensDropped;

  Snapshot(
      WatchExecutionResponse raw,
      Map<String, NodeRun> nodes,
      List<String> changed,
      boolean tokensDropped) {
    super(raw);
    this.nodes = nodes;
    this.changed = changed;
    this.tokensDropped = tokensDropped;
  }

  /**
   * Returns where the execution stands, in its short form.
   *
   * @return the status
   */
  public ExecutionStatus status() {
    return new ExecutionStatus(raw().getStatus());
  }

  /**
   * Returns where the execution stands.
   *
   * @return its state
   */
  public ExecutionState state() {
    return ExecutionState.of(raw().getStatus().getState());
  }

  /**
   * Returns all nodes by id.
   *
   * @return in the order of the definition; without outputs
   */
  public Map<String, NodeRun> nodes() {
    return nodes;
  }

  /**
   * Returns the nodes that changed since the snapshot before.
   *
   * @return their ids; in the first snapshot all
   */
  public List<String> changed() {
    return changed;
  }

  /**
   * Returns what models answered since the snapshot before.
   *
   * @return the pieces in order; empty unless tokens were asked for
   */
  public List<TokenChunk> tokens() {
    return raw().getTokensList().stream().map(TokenChunk::new).toList();
  }

  /**
   * Returns whether pieces are missing.
   *
   * @return true if they came faster than they were read, or the connection was broken meanwhile
   */
  public boolean tokensDropped() {
    return tokensDropped;
  }
}
