// The stream of an execution's log.

import type { ExecutionStatus } from "./executions.js";
import type { LogCursor } from "./log-cursor.js";
import type { LogEntry } from "./log-entries.js";
import { type Connector, ResumingStream } from "./stream.js";
import type * as v1 from "./v1.js";

/** Entries of a log, in order, for one `for await` loop; connects again by itself where it stood. */
export class LogStream extends ResumingStream<v1.StreamLogsRequest, v1.StreamLogsResponse, LogEntry> {
  readonly #cursor: LogCursor;

  /** @internal */
  constructor(cursor: LogCursor, connector: Connector<v1.StreamLogsRequest, v1.StreamLogsResponse>) {
    super(cursor, connector);
    this.#cursor = cursor;
  }

  /** Everything up to here was read, or left out by the filter: pass it as `afterSequence` to go on from here. */
  get lastSequence(): number {
    return this.#cursor.lastSequence;
  }

  /**
   * The execution's uid, known after the first answer. Passed beside `afterSequence` it makes sure that the place belongs
   * to this execution, and not to one that took its id after a delete.
   */
  get uid(): string {
    return this.#cursor.uid;
  }

  /** Where the execution stands, once it has ended and its whole log was read. */
  get finalStatus(): ExecutionStatus | undefined {
    return this.#cursor.finalStatus;
  }
}
