package io.execsvc.client;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.execsvc.v1.ExecutionState;
import io.execsvc.v1.ExecutionStatus;
import io.execsvc.v1.LogEntry;
import io.execsvc.v1.NodeRun;
import io.execsvc.v1.NodeState;
import io.execsvc.v1.StreamLogsRequest;
import io.execsvc.v1.StreamLogsResponse;
import io.execsvc.v1.TokenChunk;
import io.execsvc.v1.WatchExecutionRequest;
import io.execsvc.v1.WatchExecutionResponse;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import org.junit.jupiter.api.Test;

class CursorTest {
  private static final ExecutionStatus RUNNING =
      ExecutionStatus.newBuilder().setState(ExecutionState.EXECUTION_STATE_RUNNING).build();
  private static final ExecutionStatus COMPLETED =
      ExecutionStatus.newBuilder().setState(ExecutionState.EXECUTION_STATE_COMPLETED).build();

  private static Reconnect reconnect() {
    OptionalLong none = OptionalLong.empty();
    return new Reconnect(new Timing(() -> 0, () -> 1.0), none, none, none);
  }

  private static LogCursor log(StreamLogsRequest.Builder request) {
    return new LogCursor(request.setExecutionId("x").build(), reconnect());
  }

  private static StreamLogsResponse.Builder entries(long last, long... sequences) {
    StreamLogsResponse.Builder response =
        StreamLogsResponse.newBuilder().setLastSequence(last).setUid("u1");
    for (long sequence : sequences) {
      response.addEntries(LogEntry.newBuilder().setSequence(sequence));
    }
    return response;
  }

  private static List<Long> read(LogCursor cursor) {
    List<Long> read = new ArrayList<>();
    while (cursor.hasNext()) {
      read.add(cursor.next().sequence());
    }
    return read;
  }

  @Test
  void whatWasHandedOutBeforeIsDropped() {
    LogCursor cursor = log(StreamLogsRequest.newBuilder().setFollow(true));
    cursor.receive(entries(3, 1, 2, 3).build());
    assertEquals(List.of(1L, 2L, 3L), read(cursor));
    cursor.receive(entries(4, 2, 3, 4).build());
    assertEquals(List.of(4L), read(cursor));
  }

  @Test
  void placeMovesOnlyWithWhatWasHandedOut() {
    LogCursor cursor = log(StreamLogsRequest.newBuilder().setFollow(true));
    cursor.receive(entries(9, 1, 2).build());
    assertEquals(0, cursor.lastSequence());
    assertTrue(cursor.hasNext());
    assertEquals(0, cursor.lastSequence());
    cursor.next();
    assertEquals(1, cursor.lastSequence());
    assertEquals(1, cursor.request().getAfterSequence());
    cursor.next();
    assertEquals(9, cursor.lastSequence(), "what the filter left out counts as well");
    cursor.receive(entries(12).build());
    assertEquals(12, cursor.lastSequence());
  }

  @Test
  void tailIsAskedForUntilItWasAnswered() {
    LogCursor cursor = log(StreamLogsRequest.newBuilder().setTail(2));
    assertEquals(2, cursor.request().getTail());
    assertEquals("", cursor.request().getUid());
    cursor.receive(entries(8, 7, 8).build());
    assertEquals(0, cursor.request().getTail());
    assertEquals("u1", cursor.request().getUid());
    read(cursor);
    assertEquals(8, cursor.request().getAfterSequence());
  }

  @Test
  void finalStateComesWithTheLastEntry() {
    LogCursor cursor = log(StreamLogsRequest.newBuilder().setFollow(true));
    cursor.receive(entries(1, 1).setFinalStatus(COMPLETED).build());
    assertNull(cursor.finalStatus());
    assertFalse(cursor.ended());
    cursor.next();
    assertEquals(io.execsvc.client.ExecutionState.COMPLETED, cursor.finalStatus().state());
    assertTrue(cursor.ended());
    assertTrue(cursor.closedByServer() < 0);
  }

  @Test
  void followedLogThatTheServerClosesIsOpenedAgain() {
    assertTrue(log(StreamLogsRequest.newBuilder().setFollow(true)).closedByServer() > 0);
    assertTrue(log(StreamLogsRequest.newBuilder()).closedByServer() < 0);
  }

  @Test
  void refusalEndsALog() {
    LogCursor cursor = log(StreamLogsRequest.newBuilder().setFollow(true));
    assertThrows(CancelledException.class, () -> cursor.broken(Failures.closed()));
  }

  private static WatchCursor watch(boolean tokens) {
    return new WatchCursor(
        WatchExecutionRequest.newBuilder().setIncludeTokens(tokens).build(), reconnect());
  }

  private static WatchExecutionResponse.Builder response(ExecutionStatus status, NodeRun... nodes) {
    return WatchExecutionResponse.newBuilder().setStatus(status).addAllNodes(List.of(nodes));
  }

  private static NodeRun node(String id, NodeState state) {
    return NodeRun.newBuilder().setNodeId(id).setState(state).build();
  }

  @Test
  void snapshotHoldsAllNodesAndNamesThoseThatChanged() {
    WatchCursor cursor = watch(false);
    NodeRun pending = node("b", NodeState.NODE_STATE_PENDING);
    cursor.receive(response(RUNNING, node("a", NodeState.NODE_STATE_RUNNING), pending).build());
    assertEquals(List.of("a", "b"), cursor.next().changed());
    cursor.receive(response(RUNNING, node("a", NodeState.NODE_STATE_COMPLETED)).build());
    Snapshot second = cursor.next();
    assertEquals(List.of("a"), second.changed());
    assertEquals(List.of("a", "b"), List.copyOf(second.nodes().keySet()));
    assertEquals(io.execsvc.client.NodeState.COMPLETED, second.nodes().get("a").state());
  }

  @Test
  void heartbeatIsNoSnapshot() {
    WatchCursor cursor = watch(false);
    cursor.receive(response(RUNNING).build());
    cursor.next();
    cursor.receive(response(RUNNING).build());
    assertFalse(cursor.hasNext());
  }

  @Test
  void newConnectionBeginsWithASnapshotThatNamesWhatWasMissed() {
    WatchCursor cursor = watch(true);
    NodeRun a = node("a", NodeState.NODE_STATE_COMPLETED);
    cursor.receive(response(RUNNING, a, node("b", NodeState.NODE_STATE_PENDING)).build());
    assertFalse(cursor.next().tokensDropped());
    cursor.request();
    cursor.receive(
        response(RUNNING, a, node("b", NodeState.NODE_STATE_RUNNING))
            .addTokens(TokenChunk.newBuilder().setText("hi"))
            .build());
    Snapshot again = cursor.next();
    assertEquals(List.of("b"), again.changed());
    assertTrue(again.tokensDropped(), "nobody listened meanwhile");
    assertEquals("hi", again.tokens().get(0).text());
  }

  @Test
  void watchEndsWithTheFinalSnapshot() {
    WatchCursor cursor = watch(false);
    cursor.receive(response(COMPLETED).build());
    assertNull(cursor.finalStatus());
    assertFalse(cursor.ended());
    cursor.next();
    assertTrue(cursor.ended());
    assertEquals(io.execsvc.client.ExecutionState.COMPLETED, cursor.finalStatus().state());
    assertTrue(cursor.closedByServer() < 0);
    assertTrue(watch(false).closedByServer() > 0);
  }
}
