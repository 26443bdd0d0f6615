// Where a reader stands in a log: what was delivered, what is next, and how to go on after a break. No I/O.

import { clone } from "@bufbuild/protobuf";
import { type ExecsvcError, UnavailableError } from "./errors.js";
import { type ExecutionStatus, toStatus } from "./executions.js";
import { type LogEntry, toLogEntry } from "./log-entries.js";
import type { Reconnect } from "./retry.js";
import type { Cursor } from "./stream.js";
import * as v1 from "./v1.js";

/**
 * Turns the responses of any number of broken connections into one log without repeats or holes.
 *
 * A response's `last_sequence` counts only once its entries were handed out, so that `lastSequence` always is a place
 * from which another reader, or another process, can go on.
 */
export class LogCursor implements Cursor<v1.StreamLogsRequest, v1.StreamLogsResponse, LogEntry> {
  lastSequence: number;
  uid: string;
  finalStatus: ExecutionStatus | undefined;

  #placed: boolean;
  #upto: bigint;
  #waiting: v1.LogEntry[] = [];
  #next = 0;
  #final: v1.ExecutionStatus | undefined;
  #complete = false;

  constructor(
    private readonly first: v1.StreamLogsRequest,
    readonly retry: Reconnect,
  ) {
    this.#placed = first.tail === 0;
    this.#upto = first.afterSequence;
    this.lastSequence = Number(first.afterSequence);
    this.uid = first.uid;
  }

  get ended(): boolean {
    return this.#complete && this.#next >= this.#waiting.length;
  }

  request(): v1.StreamLogsRequest {
    const request = clone(v1.StreamLogsRequestSchema, this.first);
    if (this.#placed) {
      // "The last so many" was answered; from here on the place is known.
      request.tail = 0;
      request.afterSequence = BigInt(this.lastSequence);
    }
    // An execution that takes the id meanwhile has a log of its own, in which this place means nothing.
    request.uid = this.uid;
    return request;
  }

  receive(response: v1.StreamLogsResponse): void {
    const before = this.#upto;
    const fresh = response.entries.filter((entry) => entry.sequence > before);
    this.#waiting = [...this.#waiting.slice(this.#next), ...fresh];
    this.#next = 0;
    for (const position of [response.lastSequence, fresh.at(-1)?.sequence ?? 0n]) {
      if (position > this.#upto) {
        this.#upto = position;
      }
    }
    this.#placed = true;
    this.uid = response.uid;
    if (response.finalStatus) {
      this.#final = response.finalStatus;
      this.#complete = true;
    }
    this.retry.progress(this.#upto > before || this.#complete);
    this.#settle();
  }

  nextItem(): LogEntry | undefined {
    const entry = this.#waiting[this.#next];
    if (!entry) {
      return undefined;
    }
    this.#next += 1;
    this.lastSequence = Number(entry.sequence);
    this.#settle();
    return toLogEntry(entry);
  }

  #settle(): void {
    if (this.#next >= this.#waiting.length) {
      this.lastSequence = Number(this.#upto);
      if (this.#final && !this.finalStatus) {
        this.finalStatus = toStatus(this.#final);
      }
    }
  }

  closedByServer(): number | undefined {
    if (this.#complete || !this.first.follow) {
      this.#complete = true;
      return undefined;
    }
    return this.broken(new UnavailableError("the server closed the log before the execution had ended"));
  }

  broken(error: ExecsvcError): number {
    return this.retry.delayAfter(error);
  }
}
