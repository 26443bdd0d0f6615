// Streams that survive broken connections: opened, read, and opened again.

import { CancelledError, type ExecsvcError } from "./errors.js";
import type { RetryPolicy } from "./retry.js";
import type { Scope } from "./scope.js";

/** Where a reader stands, and how to go on after a break. No I/O. */
export interface Cursor<Request, Response, Item> {
  /** Limits how long connections may last. */
  readonly retry: RetryPolicy;
  /** Whether everything was handed out and nothing more will come. */
  readonly ended: boolean;
  /** Returns what the next connection must ask for. */
  request(): Request;
  /** Takes one response in. */
  receive(response: Response): void;
  /** Hands out the next item; undefined: another response is needed first, unless `ended`. */
  nextItem(): Item | undefined;
  /** Notes that the stream ended without an error; returns the seconds to wait, or undefined where this was the end. */
  closedByServer(): number | undefined;
  /** Notes that the stream failed; returns the seconds to wait. Throws where connecting again would not help. */
  broken(error: ExecsvcError): number;
}

/** Opens connections for a stream. */
export interface Connector<Request, Response> {
  /** Begins the life of the stream. Throws if the client is closed. */
  scope(): Scope;
  /** Opens a connection that may last so many seconds (undefined: without end). */
  connect(request: Request, seconds: number | undefined, signal: AbortSignal): AsyncIterable<Response>;
}

/** Items for one `for await` loop. Leaving the loop ends the call on the server, and so does `close`. */
export abstract class ResumingStream<Request, Response, Item> implements AsyncIterableIterator<Item> {
  readonly #items: AsyncGenerator<Item, undefined, undefined>;
  #scope: Scope | undefined;
  #closed = false;

  protected constructor(
    private readonly reader: Cursor<Request, Response, Item>,
    private readonly connector: Connector<Request, Response>,
  ) {
    this.#items = this.#read();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  next(): Promise<IteratorResult<Item, undefined>> {
    return this.#items.next();
  }

  async return(): Promise<IteratorResult<Item, undefined>> {
    this.close();
    return await this.#items.return(undefined);
  }

  /** Ends the call on the server, and the iteration. May be called at any time, and again. */
  close(): void {
    this.#closed = true;
    this.#scope?.cut(new CancelledError("the stream was closed"));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.return();
  }

  async *#read(): AsyncGenerator<Item, undefined, undefined> {
    if (this.#closed) {
      return;
    }
    const scope = this.connector.scope();
    this.#scope = scope;
    try {
      for (;;) {
        scope.check();
        const delay = yield* this.#readConnection(scope);
        if (delay === undefined) {
          return;
        }
        await scope.sleep(delay);
      }
    } catch (error) {
      if (!this.#closed) {
        throw error;
      }
    } finally {
      scope.end();
    }
  }

  // Returns the seconds to wait before the next connection; undefined: this was the end.
  async *#readConnection(scope: Scope): AsyncGenerator<Item, number | undefined, undefined> {
    const responses = this.connector
      .connect(this.reader.request(), this.reader.retry.attemptTimeout(), scope.signal)
      [Symbol.asyncIterator]();
    let open = true;
    try {
      for (;;) {
        let answer: IteratorResult<Response>;
        try {
          answer = await responses.next();
        } catch (thrown) {
          open = false;
          scope.check();
          return this.reader.broken(scope.errorOf(thrown));
        }
        if (answer.done) {
          open = false;
          return this.reader.closedByServer();
        }
        this.reader.receive(answer.value);
        for (let item = this.reader.nextItem(); item !== undefined; item = this.reader.nextItem()) {
          yield item;
          scope.check();
        }
        if (this.reader.ended) {
          return undefined;
        }
      }
    } finally {
      if (open) {
        // Only whoever reads to the end, or to the error that follows now, lets the transport clear its timers.
        responses.next().catch(() => {});
      }
    }
  }
}
