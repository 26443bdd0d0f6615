// What the calls about executions take.

import type { DefinitionLike } from "./definition.js";
import type { DurationLike } from "./durations.js";
import type { ExecutionState } from "./executions.js";
import type { LogLevel } from "./log-entries.js";
import type { CallOptions } from "./options.js";
import type * as v1 from "./v1.js";

/** The fields of a retry policy; what is left out has the standard value. */
export interface RetryOptions {
  /** Attempts in all, the first included: 1 to 100. */
  readonly maxAttempts?: number;
  /** Wait before the second attempt; standard: 1 s. */
  readonly initialBackoff?: DurationLike;
  /** Factor from one wait to the next, at least 1; standard: 2. */
  readonly multiplier?: number;
  /** Longest wait between two attempts; standard: 60 s. */
  readonly maxBackoff?: DurationLike;
  /** Error types that are never repeated, besides those that cannot succeed. */
  readonly nonRetryable?: readonly string[];
}

export interface ExecuteOptions extends CallOptions {
  /**
   * The message, its JSON form as an object or as text, or the `file:` URL of a JSON file; React Flow exports are taken
   * as well. Without it the one stored under `workflowId` runs.
   */
  readonly definition?: DefinitionLike | undefined;
  /**
   * What the workflow is given: an object of JSON values. Numbers travel as doubles: a whole number beyond 2^53 is
   * refused, send it as text.
   */
  readonly input?: object | undefined;
  /**
   * Your id, which makes the call idempotent: the same request again answers the execution that is there. One is made
   * where it is left out.
   */
  readonly executionId?: string | undefined;
  /** Your id of the workflow, for history; without a definition the stored workflow to run. */
  readonly workflowId?: string | undefined;
  /** Which version of the stored workflow; without it the newest. */
  readonly workflowVersion?: string | undefined;
  /** Names and values to find it by. */
  readonly labels?: Readonly<Record<string, string>> | undefined;
  /** Higher starts first, -1000 to 1000. */
  readonly priority?: number | undefined;
  /** The longest it may run, pauses not counted. */
  readonly timeout?: DurationLike | undefined;
  /** Executions with the same key share a limit. */
  readonly concurrencyKey?: string | undefined;
  /** How failed attempts are repeated at nodes with effects that say nothing of their own; without it they are not. */
  readonly retry?: RetryOptions | v1.RetryPolicy | undefined;
  /** Check everything, store nothing; the answer's state is then UNSPECIFIED. */
  readonly validateOnly?: boolean | undefined;
}

export interface GetOptions extends CallOptions {
  /** `"basic"` leaves out definition, input and outputs; the default is `"full"`. */
  readonly view?: "full" | "basic" | undefined;
}

export interface WaitOptions {
  /** How long to wait at most; without it as long as it takes. */
  readonly timeout?: DurationLike | undefined;
  /** Gives up waiting; the execution goes on all the same. */
  readonly signal?: AbortSignal | undefined;
}

export interface LogFilter {
  /** Leave out entries below this level. */
  readonly minLevel?: LogLevel | undefined;
  /** Only entries of this node. */
  readonly nodeId?: string | undefined;
}

export interface LogOptions extends LogFilter {
  /** Only entries after this one; without it from the start. */
  readonly afterSequence?: number | undefined;
  /** The `uid` of the stream that `afterSequence` comes from: NotFoundError if another execution has taken the id since. */
  readonly uid?: string | undefined;
  /** Only the last so many of the entries there are now, and what follows. Not with `afterSequence`. */
  readonly tail?: number | undefined;
  /** Go on until the execution has ended; otherwise until the last entry there is. */
  readonly follow?: boolean | undefined;
  /** Ends the stream with CancelledError. */
  readonly signal?: AbortSignal | undefined;
}

export interface WatchOptions {
  /** Also hand out what language models answer, piece by piece, from now on. */
  readonly includeTokens?: boolean | undefined;
  /** Ends the stream with CancelledError. */
  readonly signal?: AbortSignal | undefined;
}

export interface ListLogsOptions extends LogFilter, CallOptions {
  /** How many to fetch at once, up to 1,000. */
  readonly pageSize?: number | undefined;
}

export interface ListExecutionsOptions extends CallOptions {
  /**
   * Which ones, in the language of AIP-160 over `state`, `workflow_id`, `execution_id`, `create_time`, `start_time`,
   * `end_time`, `priority` and `labels.KEY`; without it all.
   */
  readonly filter?: string | undefined;
  /**
   * `"create_time"` or `"end_time"`, with `" desc"` for the newest first; the default is `"create_time desc"`. By
   * `end_time` only executions that have ended are answered.
   */
  readonly orderBy?: string | undefined;
  /** How many to fetch at once, up to 1,000. */
  readonly pageSize?: number | undefined;
}

export interface ControlOptions extends CallOptions {
  /** Why, for the log. */
  readonly reason?: string | undefined;
  /** Act only if this is the state; AbortedError otherwise. */
  readonly expectedState?: ExecutionState | undefined;
  /** A repeat with the same id answers as the first did. One is made where it is left out. */
  readonly requestId?: string | undefined;
}

export interface RetryExecutionOptions extends ControlOptions {
  /** Replaces the input for nodes that have not finished; without it the input stays. */
  readonly input?: object | undefined;
}
