// The life of one call or stream: what may cut it off, and the error that says so.

import { setTimeout as sleep } from "node:timers/promises";
import { Code, ConnectError } from "@connectrpc/connect";
import { CancelledError, DeadlineExceededError, type ExecsvcError } from "./errors.js";
import { whenAborted } from "./signals.js";
import { fromCallError } from "./status.js";

/** Lives until `end`; until then the caller's signal, or whoever holds it, may cut it off. */
export class Scope {
  readonly #controller = new AbortController();
  readonly #letGo: (() => void) | undefined;
  #reason: ExecsvcError | undefined;

  constructor(
    outer: AbortSignal | undefined,
    private readonly ended: (scope: Scope) => void,
  ) {
    if (outer?.aborted) {
      this.cut(fromSignal(outer));
    } else if (outer) {
      this.#letGo = whenAborted(outer, () => this.cut(fromSignal(outer)));
    }
  }

  /** What the transport listens to. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Cuts off whatever is under way; the first reason counts. */
  cut(reason: ExecsvcError): void {
    this.#reason ??= reason;
    // Only for this code does the transport tell the server that the call was cancelled.
    this.#controller.abort(new ConnectError(reason.message, Code.Canceled));
  }

  /** Throws if it was cut off. */
  check(): void {
    if (this.#reason) {
      throw this.#reason;
    }
  }

  /** Returns what an error of the transport means. */
  errorOf(thrown: unknown): ExecsvcError {
    return this.#reason ?? fromCallError(thrown);
  }

  /** Waits so many seconds; throws at once where it is cut off. */
  async sleep(seconds: number): Promise<void> {
    try {
      await sleep(seconds * 1000, undefined, { signal: this.signal });
    } catch (thrown) {
      throw this.errorOf(thrown);
    }
  }

  /** Lets go of the caller's signal, and of what is still open. */
  end(): void {
    this.#letGo?.();
    this.#controller.abort(new ConnectError("the call has ended", Code.Canceled));
    this.ended(this);
  }
}

function fromSignal(signal: AbortSignal): ExecsvcError {
  const cause: unknown = signal.reason;
  // What AbortSignal.timeout says.
  return cause instanceof Error && cause.name === "TimeoutError"
    ? new DeadlineExceededError("the signal's time was over before an answer came", { cause })
    : new CancelledError("cancelled by its signal", { cause });
}
