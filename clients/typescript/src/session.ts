// The HTTP/2 sessions that calls run on: opened by the first call, and again whenever one breaks.

import type { ClientHttp2Stream, OutgoingHttpHeaders } from "node:http2";
import { Code, ConnectError } from "@connectrpc/connect";
import { type GrpcTransportOptions, Http2SessionManager } from "@connectrpc/connect-node";

type SessionManager = NonNullable<GrpcTransportOptions["sessionManager"]>;
type SessionOptions = ConstructorParameters<typeof Http2SessionManager>[2];

// Milliseconds until a stream must be open: connecting and, after a pause, finding out whether the server is there.
const OPEN_TIMEOUT = 20_000;
// Notices a dead peer while a call waits; the server's heartbeats on streams keep these pings within its limits.
const PINGS = { pingIntervalMs: 30_000, pingTimeoutMs: 10_000 };

/**
 * Opens streams on a session that is shared by all of them.
 *
 * What does not open in time fails, so that a call without a deadline cannot wait for ever on a host that swallows what
 * it is sent, and the next one begins with a session of its own. A session without streams does not keep the process.
 */
export class Sessions implements SessionManager {
  readonly authority: string;
  #current: Http2SessionManager;
  // Given up for new streams, but older ones may still run on them.
  readonly #former = new Set<Http2SessionManager>();
  #closed = false;

  constructor(
    private readonly url: string,
    private readonly options: SessionOptions,
    private readonly openTimeout = OPEN_TIMEOUT,
  ) {
    this.#current = new Http2SessionManager(url, PINGS, options);
    this.authority = this.#current.authority;
  }

  async request(
    method: string,
    path: string,
    headers: OutgoingHttpHeaders,
    options: Parameters<Http2SessionManager["request"]>[3],
  ): Promise<ClientHttp2Stream> {
    if (this.#closed) {
      throw new ConnectError("the client is closed", Code.Canceled);
    }
    const manager = this.#current;
    const opening = manager.request(method, path, headers, options);
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        this.#replace(manager);
        const message = `no connection to ${this.authority} after ${this.openTimeout / 1000} s`;
        reject(new ConnectError(message, Code.Unavailable));
        // Nobody reads what opens later.
        opening.then((stream) => stream.close(), ignore);
      }, this.openTimeout);
    });
    try {
      return await Promise.race([opening, late]);
    } finally {
      clearTimeout(timer);
    }
  }

  notifyResponseByteRead(stream: ClientHttp2Stream): void {
    for (const manager of [this.#current, ...this.#former]) {
      manager.notifyResponseByteRead(stream);
    }
  }

  /** Closes every session, and so every stream; opens no more. */
  close(): void {
    this.#closed = true;
    for (const manager of [this.#current, ...this.#former]) {
      manager.abort(new ConnectError("the client was closed", Code.Canceled));
    }
    this.#former.clear();
  }

  #replace(manager: Http2SessionManager): void {
    if (manager !== this.#current) {
      return;
    }
    for (const former of this.#former) {
      if (former.state() === "closed" || former.state() === "error") {
        this.#former.delete(former);
      }
    }
    this.#current = new Http2SessionManager(this.url, PINGS, this.options);
    if (manager.state() === "connecting") {
      manager.abort(new ConnectError("connecting took too long", Code.Unavailable));
    } else {
      this.#former.add(manager);
    }
  }
}

function ignore(): void {}
