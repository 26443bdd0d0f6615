// The stream of an execution's snapshots.

import type { ExecutionStatus } from "./executions.js";
import type { Snapshot } from "./snapshots.js";
import { type Connector, ResumingStream } from "./stream.js";
import type * as v1 from "./v1.js";
import type { WatchCursor } from "./watch-cursor.js";

/** Snapshots of an execution for one `for await` loop; connects again by itself. */
export class WatchStream extends ResumingStream<v1.WatchExecutionRequest, v1.WatchExecutionResponse, Snapshot> {
  readonly #cursor: WatchCursor;

  /** @internal */
  constructor(cursor: WatchCursor, connector: Connector<v1.WatchExecutionRequest, v1.WatchExecutionResponse>) {
    super(cursor, connector);
    this.#cursor = cursor;
  }

  /** Where the execution stands, once it has ended. */
  get finalStatus(): ExecutionStatus | undefined {
    return this.#cursor.finalStatus;
  }
}
