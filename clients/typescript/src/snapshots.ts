// What a watch of an execution answers, as plain values.

import type { ExecutionState, ExecutionStatus, NodeRun } from "./executions.js";

/** A piece of a language model's answer. */
export interface TokenChunk {
  /** Node that asked. */
  readonly nodeId: string;
  /** Its attempt, from 1; a new attempt begins its answer anew. */
  readonly attempt: number;
  /** To be appended. */
  readonly text: string;
}

/** An execution at one moment. Changes that came faster than they were read are joined into one. */
export interface Snapshot {
  readonly state: ExecutionState;
  readonly status: ExecutionStatus;
  /** All nodes by id, in the order of the definition; without outputs. */
  readonly nodes: ReadonlyMap<string, NodeRun>;
  /** Ids of the nodes that changed since the snapshot before; in the first one of all. */
  readonly changed: readonly string[];
  /** What models answered since the snapshot before; empty unless tokens were asked for. */
  readonly tokens: readonly TokenChunk[];
  /** Whether pieces are missing: they came faster than they were read, or the connection was broken meanwhile. */
  readonly tokensDropped: boolean;
}
