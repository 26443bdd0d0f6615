// What a watch knows of an execution, and how it goes on after a break. No I/O.

import { create, equals } from "@bufbuild/protobuf";
import { type ExecsvcError, UnavailableError } from "./errors.js";
import { type ExecutionStatus, isTerminal, type NodeRun, toNodeRun, toStatus } from "./executions.js";
import type { Reconnect } from "./retry.js";
import type { Snapshot } from "./snapshots.js";
import type { Cursor } from "./stream.js";
import * as v1 from "./v1.js";

/**
 * Turns the responses of any number of broken connections into whole snapshots.
 *
 * The server sends what changed; each snapshot here holds all nodes. What only says that the server lives is no snapshot.
 * The first response of a new connection is one, whether or not anything changed meanwhile.
 */
export class WatchCursor implements Cursor<v1.WatchExecutionRequest, v1.WatchExecutionResponse, Snapshot> {
  finalStatus: ExecutionStatus | undefined;

  #next: Snapshot | undefined;
  #nodes: ReadonlyMap<string, NodeRun> = new Map();
  #status: v1.ExecutionStatus | undefined;
  #fresh = true;
  #complete = false;

  constructor(
    private readonly first: v1.WatchExecutionRequest,
    readonly retry: Reconnect,
  ) {}

  get ended(): boolean {
    return this.#complete && !this.#next;
  }

  request(): v1.WatchExecutionRequest {
    this.#fresh = true;
    return this.first;
  }

  receive(response: v1.WatchExecutionResponse): void {
    const status = response.status ?? create(v1.ExecutionStatusSchema);
    const again = this.#fresh && this.#status !== undefined;
    const moved = !this.#status || !equals(v1.ExecutionStatusSchema, this.#status, status);
    const changed = this.#fresh ? this.#renewed(response.nodes) : this.#updated(response.nodes);
    const news = moved || changed.length > 0 || response.tokens.length > 0 || response.tokensDropped;
    this.retry.progress(news);
    if (news || this.#fresh) {
      this.#next = this.#snapshot(status, response, changed, again);
    }
    this.#status = status;
    this.#fresh = false;
  }

  // Takes over all nodes from the first response of a connection.
  #renewed(nodes: readonly v1.NodeRun[]): string[] {
    const before = this.#nodes;
    this.#nodes = new Map(nodes.map((node) => [node.nodeId, toNodeRun(node)]));
    return nodes
      .filter((node) => {
        const known = before.get(node.nodeId);
        return !known || !equals(v1.NodeRunSchema, known.raw, node);
      })
      .map((node) => node.nodeId);
  }

  #updated(nodes: readonly v1.NodeRun[]): string[] {
    if (nodes.length > 0) {
      // A new map: the one before belongs to whoever holds the snapshot before.
      this.#nodes = new Map([...this.#nodes, ...nodes.map((node) => [node.nodeId, toNodeRun(node)] as const)]);
    }
    return nodes.map((node) => node.nodeId);
  }

  #snapshot(
    raw: v1.ExecutionStatus,
    response: v1.WatchExecutionResponse,
    changed: readonly string[],
    again: boolean,
  ): Snapshot {
    const status = toStatus(raw);
    this.#complete = isTerminal(status.state);
    return {
      state: status.state,
      status,
      nodes: this.#nodes,
      changed,
      tokens: response.tokens.map(({ nodeId, attempt, text }) => ({ nodeId, attempt, text })),
      // What was said while nobody listened is not repeated.
      tokensDropped: response.tokensDropped || (again && this.first.includeTokens),
    };
  }

  nextItem(): Snapshot | undefined {
    const snapshot = this.#next;
    this.#next = undefined;
    if (snapshot && isTerminal(snapshot.state)) {
      this.finalStatus = snapshot.status;
    }
    return snapshot;
  }

  closedByServer(): number | undefined {
    return this.#complete
      ? undefined
      : this.broken(new UnavailableError("the server closed the watch before the execution had ended"));
  }

  broken(error: ExecsvcError): number {
    return this.retry.delayAfter(error);
  }
}
