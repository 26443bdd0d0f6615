// What the client answers about executions, as plain values.

import { create, type JsonObject, type JsonValue, toJson } from "@bufbuild/protobuf";
import { type Timestamp, timestampDate, type Value, ValueSchema } from "@bufbuild/protobuf/wkt";
import { fromDuration } from "./durations.js";
import { type WithRaw, withHidden } from "./raw.js";
import * as v1 from "./v1.js";

/** Where an execution stands. UNSPECIFIED: a state that this client does not know; `raw` has it. */
export type ExecutionState = keyof typeof v1.ExecutionState;
/** Where a node of an execution stands. */
export type NodeState = keyof typeof v1.NodeState;

/** Whether an execution has ended: COMPLETED, FAILED or STOPPED. */
export function isTerminal(state: ExecutionState): boolean {
  return state === "COMPLETED" || state === "FAILED" || state === "STOPPED";
}

/** The short form of an execution. */
export type ExecutionStatus = WithRaw<
  {
    readonly executionId: string;
    /** Empty where none was given. */
    readonly workflowId: string;
    readonly state: ExecutionState;
    /** Node that started last among those running, else the one that finished last; empty before the first. */
    readonly currentNode: string;
    readonly runningNodes: readonly string[];
    /** 0 to 1; never goes down, and 1 exactly when COMPLETED. */
    readonly progress: number;
    /** A line for people: why it waits, what it does, or why it failed. */
    readonly message: string;
    readonly createTime: Date;
    /** Undefined before it first ran. */
    readonly startTime: Date | undefined;
    /** Undefined until it has ended. */
    readonly endTime: Date | undefined;
  },
  v1.ExecutionStatus
>;

export function toStatus(raw: v1.ExecutionStatus): ExecutionStatus {
  return withHidden(
    {
      executionId: raw.executionId,
      workflowId: raw.workflowId,
      state: (v1.ExecutionState[raw.state] ?? "UNSPECIFIED") as ExecutionState,
      currentNode: raw.currentNode,
      runningNodes: raw.runningNodes,
      progress: raw.progress,
      message: raw.message,
      createTime: toDate(raw.createTime) ?? new Date(0),
      startTime: toDate(raw.startTime),
      endTime: toDate(raw.endTime),
    },
    { raw },
  );
}

/** Why an execution or a node failed. Data, not an error: the call that reports it has succeeded. */
export type ExecutionFailure = WithRaw<
  {
    /** Node whose failure it was; empty if none's. */
    readonly nodeId: string;
    /** Stable name of the kind of failure, UPPER_SNAKE_CASE. */
    readonly type: string;
    readonly message: string;
    /** Whether another attempt could succeed. */
    readonly retryable: boolean;
    /** Attempt that failed, from 1; 0 where no node failed. */
    readonly attempt: number;
  },
  v1.ExecutionError
>;

/** Tokens that language models have used. */
export interface TokenUsage {
  readonly inputTokens: number;
  readonly outputTokens: number;
  /** As the provider counts it; it need not be the sum of the other two. */
  readonly totalTokens: number;
}

/** What the journal holds of one node. */
export type NodeRun = WithRaw<
  {
    readonly nodeId: string;
    /** Its type: `llm`, `transform`, … */
    readonly type: string;
    readonly state: NodeState;
    /** Attempts made, the running one included; 0 before the first. */
    readonly attempt: number;
    readonly startTime: Date | undefined;
    readonly endTime: Date | undefined;
    /** Its result; undefined until COMPLETED, and in the basic view. */
    readonly output: JsonValue | undefined;
    /** Also set where the node failed and `on_error` let the execution go on. */
    readonly error: ExecutionFailure | undefined;
    /** Undefined where it called no model. */
    readonly usage: TokenUsage | undefined;
    /** Branch a condition chose; empty for other nodes. */
    readonly branch: string;
  },
  v1.NodeRun
>;

export function toNodeRun(raw: v1.NodeRun): NodeRun {
  return withHidden(
    {
      nodeId: raw.nodeId,
      type: raw.type,
      state: (v1.NodeState[raw.state] ?? "UNSPECIFIED") as NodeState,
      attempt: raw.attempt,
      startTime: toDate(raw.startTime),
      endTime: toDate(raw.endTime),
      output: toPlain(raw.output),
      error: toFailure(raw.error),
      usage: toUsage(raw.usage),
      branch: raw.branch,
    },
    { raw },
  );
}

/** How often, and how far apart, a failed attempt is repeated. */
export interface RetrySettings {
  /** Attempts in all, the first included: 1 to 100. */
  readonly maxAttempts: number;
  /** Wait before the second attempt, seconds. */
  readonly initialBackoff: number;
  /** Factor from one wait to the next, at least 1. */
  readonly multiplier: number;
  /** Longest wait between two attempts, seconds. */
  readonly maxBackoff: number;
  /** Error types that are never repeated, besides those that cannot succeed. */
  readonly nonRetryable: readonly string[];
}

// What the message leaves out has the standard value.
function toRetry(raw: v1.RetryPolicy | undefined): RetrySettings | undefined {
  return (
    raw && {
      maxAttempts: raw.maxAttempts || 1,
      initialBackoff: raw.initialBackoff ? fromDuration(raw.initialBackoff) : 1,
      multiplier: raw.multiplier || 2,
      maxBackoff: raw.maxBackoff ? fromDuration(raw.maxBackoff) : 60,
      nonRetryable: raw.nonRetryable,
    }
  );
}

/** The record of an execution; in lists without nodes, definition, input and output. */
export type Execution = WithRaw<
  {
    readonly executionId: string;
    readonly state: ExecutionState;
    readonly status: ExecutionStatus;
    /** Told apart from an earlier execution of the same id that was deleted. */
    readonly uid: string;
    /** Content hash of the definition, lower-case hex. */
    readonly definitionDigest: string;
    /** As it was sent; undefined in the basic view and in lists. */
    readonly input: JsonObject | undefined;
    /** The result. Undefined until COMPLETED, in the basic view and in lists. */
    readonly output: JsonValue | undefined;
    /** Why it failed; undefined unless FAILED. */
    readonly error: ExecutionFailure | undefined;
    /** In the order of the definition; empty in lists. */
    readonly nodes: readonly NodeRun[];
    readonly labels: Readonly<Record<string, string>>;
    /** Higher runs first. */
    readonly priority: number;
    /** Longest it may run in seconds, pauses not counted; undefined: no limit. */
    readonly timeout: number | undefined;
    readonly concurrencyKey: string;
    /** Of nodes with effects that say nothing of their own; undefined: failed attempts are not repeated. */
    readonly retry: RetrySettings | undefined;
    /** Undefined where no model was called, and in lists. */
    readonly usage: TokenUsage | undefined;
  },
  v1.Execution
> & {
  /** As it was sent; undefined in the basic view and in lists. A message, so not part of the JSON. */
  readonly definition: v1.WorkflowDefinition | undefined;
};

export function toExecution(raw: v1.Execution): Execution {
  const status = toStatus(raw.status ?? create(v1.ExecutionStatusSchema));
  return withHidden(
    {
      executionId: status.executionId,
      state: status.state,
      status,
      uid: raw.uid,
      definitionDigest: raw.definitionDigest,
      input: raw.input,
      output: toPlain(raw.output),
      error: toFailure(raw.error),
      nodes: raw.nodes.map(toNodeRun),
      labels: raw.labels,
      priority: raw.priority,
      timeout: raw.timeout && fromDuration(raw.timeout),
      concurrencyKey: raw.concurrencyKey,
      retry: toRetry(raw.retry),
      usage: toUsage(raw.usage),
    },
    { definition: raw.definition, raw },
  );
}

/** Returns the date of a timestamp, to the millisecond; `raw` has the rest. */
export function toDate(time: Timestamp | undefined): Date | undefined {
  return time && timestampDate(time);
}

function toPlain(value: Value | undefined): JsonValue | undefined {
  return value && toJson(ValueSchema, value);
}

function toFailure(raw: v1.ExecutionError | undefined): ExecutionFailure | undefined {
  return (
    raw &&
    withHidden(
      {
        nodeId: raw.nodeId,
        type: raw.type,
        message: raw.message,
        retryable: raw.retryable,
        attempt: raw.attempt,
      },
      { raw },
    )
  );
}

function toUsage(raw: v1.TokenUsage | undefined): TokenUsage | undefined {
  return (
    raw && {
      inputTokens: Number(raw.inputTokens),
      outputTokens: Number(raw.outputTokens),
      totalTokens: Number(raw.totalTokens),
    }
  );
}
