import assert from "node:assert/strict";
import { test } from "node:test";
import { create, type MessageInitShape } from "@bufbuild/protobuf";
import { UnavailableError } from "../src/errors.js";
import { v1 } from "../src/index.js";
import { LogCursor } from "../src/log-cursor.js";
import { Reconnect, systemTiming } from "../src/retry.js";
import { WatchCursor } from "../src/watch-cursor.js";

function reconnect(): Reconnect {
  return new Reconnect(systemTiming, { giveUpAfter: 300 });
}

function logCursor(request: MessageInitShape<typeof v1.StreamLogsRequestSchema>): LogCursor {
  return new LogCursor(create(v1.StreamLogsRequestSchema, { executionId: "a", ...request }), reconnect());
}

function entries(...sequences: number[]): v1.StreamLogsResponse {
  return create(v1.StreamLogsResponseSchema, {
    entries: sequences.map((sequence) => ({ sequence: BigInt(sequence) })),
    lastSequence: BigInt(sequences.at(-1) ?? 0),
    uid: "u1",
  });
}

function taken(cursor: LogCursor): number[] {
  const found: number[] = [];
  for (let item = cursor.nextItem(); item; item = cursor.nextItem()) {
    found.push(item.sequence);
  }
  return found;
}

test("a log goes on where it stood, and what comes twice is handed out once", () => {
  const cursor = logCursor({ follow: true });
  cursor.receive(entries(1, 2, 3));
  assert.equal(cursor.nextItem()?.sequence, 1);
  assert.equal(cursor.lastSequence, 1, "only what was handed out counts");
  assert.equal(cursor.request().afterSequence, 1n);
  assert.equal(cursor.request().uid, "u1");
  cursor.receive(entries(2, 3, 4));
  assert.deepEqual(taken(cursor), [2, 3, 4]);
});

test("a filtered answer moves the place", () => {
  const cursor = logCursor({ follow: true, minLevel: v1.LogLevel.ERROR });
  cursor.receive(create(v1.StreamLogsResponseSchema, { lastSequence: 40n }));
  assert.equal(cursor.lastSequence, 40);
  assert.equal(cursor.nextItem(), undefined);
});

test("the last so many are asked for once; after that the place is known", () => {
  const cursor = logCursor({ follow: true, tail: 2 });
  assert.equal(cursor.request().tail, 2);
  cursor.receive(entries(9, 10));
  taken(cursor);
  assert.equal(cursor.request().tail, 0);
  assert.equal(cursor.request().afterSequence, 10n);
});

test("a log ends with the final status, once all entries were handed out", () => {
  const cursor = logCursor({ follow: true });
  cursor.receive(
    create(v1.StreamLogsResponseSchema, {
      entries: [{ sequence: 1n }],
      lastSequence: 1n,
      finalStatus: { state: v1.ExecutionState.FAILED },
    }),
  );
  assert.equal(cursor.ended, false);
  taken(cursor);
  assert.equal(cursor.ended, true);
  assert.equal(cursor.finalStatus?.state, "FAILED");
  assert.equal(cursor.closedByServer(), undefined);
});

test("a server that closes a followed log too early has broken it", () => {
  const cursor = logCursor({ follow: true });
  cursor.receive(entries(1));
  assert.ok((cursor.closedByServer() ?? 0) > 0);
  assert.equal(logCursor({ follow: false }).closedByServer(), undefined);
});

function watched(response: MessageInitShape<typeof v1.WatchExecutionResponseSchema>): v1.WatchExecutionResponse {
  return create(v1.WatchExecutionResponseSchema, response);
}

const RUNNING = { state: v1.ExecutionState.RUNNING };

test("snapshots hold all nodes, and what only says that the server lives is none", () => {
  const cursor = new WatchCursor(create(v1.WatchExecutionRequestSchema), reconnect());
  cursor.receive(watched({ status: RUNNING, nodes: [{ nodeId: "a" }, { nodeId: "b" }] }));
  const first = cursor.nextItem();
  assert.deepEqual(first?.changed, ["a", "b"]);
  cursor.receive(watched({ status: RUNNING }));
  assert.equal(cursor.nextItem(), undefined);
  cursor.receive(watched({ status: RUNNING, nodes: [{ nodeId: "b", state: v1.NodeState.RUNNING }] }));
  const second = cursor.nextItem();
  assert.deepEqual(second?.changed, ["b"]);
  assert.deepEqual([...(second?.nodes.keys() ?? [])], ["a", "b"]);
  assert.equal(second?.nodes.get("b")?.state, "RUNNING");
  assert.equal(first?.nodes.get("b")?.state, "UNSPECIFIED", "a snapshot does not change any more");
});

test("after a break a watch begins with a fresh snapshot, which says that tokens may be missing", () => {
  const cursor = new WatchCursor(create(v1.WatchExecutionRequestSchema, { includeTokens: true }), reconnect());
  cursor.receive(watched({ status: RUNNING, nodes: [{ nodeId: "a" }] }));
  assert.equal(cursor.nextItem()?.tokensDropped, false);
  assert.ok(cursor.broken(new UnavailableError("gone")) > 0);
  cursor.request();
  cursor.receive(watched({ status: RUNNING, nodes: [{ nodeId: "a" }] }));
  const fresh = cursor.nextItem();
  assert.deepEqual(fresh?.changed, []);
  assert.equal(fresh?.tokensDropped, true);
});

test("a watch ends with the final snapshot", () => {
  const cursor = new WatchCursor(create(v1.WatchExecutionRequestSchema), reconnect());
  cursor.receive(watched({ status: { state: v1.ExecutionState.STOPPED } }));
  assert.equal(cursor.ended, false);
  assert.equal(cursor.nextItem()?.state, "STOPPED");
  assert.equal(cursor.ended, true);
  assert.equal(cursor.finalStatus?.state, "STOPPED");
});
