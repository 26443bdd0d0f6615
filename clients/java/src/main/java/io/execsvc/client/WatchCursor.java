package io.execsvc.client;

import io.execsvc.v1.WatchExecutionRequest;
import io.execsvc.v1.WatchExecutionResponse;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Turns the responses of any number of broken connections into whole snapshots.
 *
 * <p>The server sends what changed; each snapshot here holds all nodes. What only says that the
 * server lives is no snapshot. The first response of a new connection is one, whether or not
 * anything changed meanwhile.
 */
final class WatchCursor implements Cursor<WatchExecutionRequest, WatchExecutionResponse, Snapshot> {
  private final WatchExecutionRequest request;
  private final Reconnect reconnect;
  private Snapshot next;
  private Map<String, NodeRun> nodes = Map.of();
  private io.execsvc.v1.ExecutionStatus status;
  private boolean fresh = true;
  private boolean complete;
  private volatile ExecutionStatus finalStatus;

  WatchCursor(WatchExecutionRequest request, Reconnect reconnect) {
    this.request = request;
    this.reconnect = reconnect;
  }

  @Override
  public WatchExecutionRequest request() {
    fresh = true;
    return request;
  }

  @Override
  public long callTimeout() {
    return reconnect.callTimeout();
  }

  @Override
  public void receive(WatchExecutionResponse response) {
    boolean news =
        !response.getStatus().equals(status)
            || response.getTokensCount() > 0
            || response.getTokensDropped();
    List<String> changed = update(response);
    reconnect.progress(news || !changed.isEmpty());
    if (news || !changed.isEmpty() || fresh) {
      // What was said while nobody listened is not repeated.
      boolean missed = fresh && status != null && request.getIncludeTokens();
      next = new Snapshot(response, nodes, changed, response.getTokensDropped() || missed);
      complete = next.state().terminal();
    }
    status = response.getStatus();
    fresh = false;
  }

  private List<String> update(WatchExecutionResponse response) {
    Map<String, NodeRun> before = nodes;
    // The first response of a connection holds all nodes, a later one those that changed.
    Map<String, NodeRun> after = fresh ? new LinkedHashMap<>() : new LinkedHashMap<>(before);
    List<String> changed = new ArrayList<>();
    for (io.execsvc.v1.NodeRun raw : response.getNodesList()) {
      NodeRun node = new NodeRun(raw);
      after.put(node.nodeId(), node);
      if (!fresh || !node.equals(before.get(node.nodeId()))) {
        changed.add(node.nodeId());
      }
    }
    nodes = Collections.unmodifiableMap(after);
    return List.copyOf(changed);
  }

  @Override
  public boolean hasNext() {
    return next != null;
  }

  @Override
  public Snapshot next() {
    Snapshot snapshot = next;
    next = null;
    if (snapshot.state().terminal()) {
      finalStatus = snapshot.status();
    }
    return snapshot;
  }

  @Override
  public boolean ended() {
    return complete && next == null;
  }

  @Override
  public long closedByServer() {
    if (complete) {
      return -1;
    }
    return broken(
        Failures.unavailable("the server closed the watch before the execution had ended"));
  }

  @Override
  public long broken(ExecsvcException error) {
    return reconnect.delayAfter(error);
  }

  @Override
  public ExecutionStatus finalStatus() {
    return finalStatus;
  }
}
