// Decides whether and when a failed call or a broken stream is tried again. Time and chance are passed in.

import { DeadlineExceededError, type ExecsvcError, UnavailableError } from "./errors.js";

// Attempts at one unary call, the first included.
const MAX_ATTEMPTS = 5;
// Seconds before the second attempt.
const INITIAL_DELAY = 0.1;
// Longest wait between two attempts, seconds; a server's own delay may be longer.
const MAX_DELAY = 5;

/** Where seconds and chance come from. */
export interface Timing {
  /** Seconds that never go back. */
  clock(): number;
  /** 0 to 1, evenly. */
  chance(): number;
}

export const systemTiming: Timing = {
  clock: () => performance.now() / 1000,
  chance: () => Math.random(),
};

/** Decides about one call, or one stream with all its connections. */
export interface RetryPolicy {
  /** Seconds that the next attempt may take; undefined: without end. */
  attemptTimeout(): number | undefined;
  /** Seconds to wait before the next attempt; throws where another would be unsafe, useless or too late. */
  delayAfter(error: ExecsvcError): number;
}

// Doubling, and half of it chance.
function backOff(timing: Timing, attempt: number, error: ExecsvcError): number {
  const delay = Math.min(MAX_DELAY, INITIAL_DELAY * 2 ** Math.min(attempt - 1, 30));
  return Math.max((delay * (1 + timing.chance())) / 2, error.retryDelay ?? 0);
}

/** Repeats one unary call while the server is unavailable, a few times, within the call's deadline. */
export class CallRetry implements RetryPolicy {
  #attempt = 0;
  #before: ExecsvcError | undefined;
  readonly #deadline: number;

  constructor(
    private readonly timing: Timing,
    private readonly repeatable: boolean,
    seconds: number,
  ) {
    this.#deadline = timing.clock() + seconds;
  }

  attemptTimeout(): number {
    return Math.max(0, this.#deadline - this.timing.clock());
  }

  delayAfter(error: ExecsvcError): number {
    this.#attempt += 1;
    if (error instanceof DeadlineExceededError && !error.reason && this.#before) {
      // Whoever has the wrong certificate is not helped by hearing that time is up.
      throw new DeadlineExceededError(`${error.message}; before that: ${this.#before.message}`, { cause: error });
    }
    if (!this.repeatable || !(error instanceof UnavailableError) || this.#attempt >= MAX_ATTEMPTS) {
      throw error;
    }
    const delay = backOff(this.timing, this.#attempt, error);
    if (delay >= this.attemptTimeout()) {
      throw error;
    }
    this.#before = error;
    return delay;
  }
}

export interface ReconnectLimits {
  /** Seconds without an answer, counted from the first failure, after which it gives up. */
  readonly giveUpAfter: number;
  /** By the clock of the timing. */
  readonly deadline?: number | undefined;
  /** Seconds that one attempt may take. */
  readonly callTimeout?: number | undefined;
}

/**
 * Repeats a stream, or a call that belongs to one, through outages of any number up to a length.
 *
 * Progress is any answer of the server.
 */
export class Reconnect implements RetryPolicy {
  #attempt = 0;
  #failingSince: number | undefined;
  #calmSince: number;

  constructor(
    private readonly timing: Timing,
    private readonly limits: ReconnectLimits,
  ) {
    this.#calmSince = timing.clock();
  }

  attemptTimeout(): number | undefined {
    const shortest = Math.min(this.limits.callTimeout ?? Infinity, this.#remaining());
    return shortest === Infinity ? undefined : shortest;
  }

  /**
   * Notes an answer of the server. Only one that brought something new (`advanced`), or a connection that lasts, lets
   * waits start small again: a server that accepts and drops at once must not be hammered.
   */
  progress(advanced: boolean): void {
    const now = this.timing.clock();
    if (this.#failingSince !== undefined) {
      this.#failingSince = undefined;
      this.#calmSince = now;
    }
    if (advanced || now - this.#calmSince > MAX_DELAY) {
      this.#attempt = 0;
    }
  }

  delayAfter(error: ExecsvcError): number {
    if (!(error instanceof UnavailableError) && !(error instanceof DeadlineExceededError)) {
      throw error;
    }
    const remaining = this.#remaining();
    if (remaining <= 0) {
      throw error instanceof DeadlineExceededError
        ? error
        : new DeadlineExceededError("no answer came in time", { cause: error });
    }
    const now = this.timing.clock();
    this.#failingSince ??= now;
    const left = this.limits.giveUpAfter - (now - this.#failingSince);
    if (left <= 0) {
      throw error;
    }
    this.#attempt += 1;
    // A last attempt is made right at the end of either limit.
    return Math.min(backOff(this.timing, this.#attempt, error), left, remaining);
  }

  #remaining(): number {
    return this.limits.deadline === undefined ? Infinity : Math.max(0, this.limits.deadline - this.timing.clock());
  }
}
