// A connection to a server: the services on it, how calls are repeated, and how all of it ends.

import { connect } from "node:net";
import { connect as connectTls } from "node:tls";
import { type Client, Code, ConnectError, createClient, type Interceptor } from "@connectrpc/connect";
import { createGrpcTransport } from "@connectrpc/connect-node";
import { CancelledError } from "./errors.js";
import { addressOf, type CallOptions, type ClientOptions, type Metadata, secondsOf, type Token } from "./options.js";
import { CallRetry, Reconnect, type RetryPolicy, systemTiming, type Timing } from "./retry.js";
import { Scope } from "./scope.js";
import { Sessions } from "./session.js";
import type { Connector } from "./stream.js";
import * as v1 from "./v1.js";

const DEFAULT_TARGET = "127.0.0.1:50051";
// Largest request in bytes, the server's own limit: a larger one fails here, before anything is sent.
const MAX_REQUEST_BYTES = 32 * 1024 * 1024;
// The longest that a timer of Node can wait.
const MAX_TIMER_MS = 2 ** 31 - 1;

/** The generated services, for calls that this client has no method for. */
export interface Services {
  readonly executions: Client<typeof v1.ExecutionService>;
  readonly workflows: Client<typeof v1.WorkflowService>;
  readonly server: Client<typeof v1.ServerService>;
}

export interface AttemptOptions {
  readonly signal: AbortSignal;
  readonly timeoutMs?: number;
}

/** Sends one attempt of a call. */
export type Send<Response> = (services: Services, options: AttemptOptions) => Promise<Response>;

export class Connection {
  readonly services: Services;

  readonly #sessions: Sessions;
  readonly #timing: Timing;
  readonly #callTimeout: number;
  readonly #reconnectTimeout: number;
  readonly #scopes = new Set<Scope>();
  readonly #outer: AbortSignal | undefined;
  readonly #onAbort = () => this.close();
  #closed = false;

  constructor(options: ClientOptions, timing: Timing = systemTiming) {
    this.#timing = timing;
    this.#callTimeout = secondsOf(options.callTimeout ?? 30, "callTimeout");
    this.#reconnectTimeout = secondsOf(options.reconnectTimeout ?? 300, "reconnectTimeout");
    this.#sessions = openSessions(options);
    const transport = createGrpcTransport({
      baseUrl: this.#sessions.authority,
      sessionManager: this.#sessions,
      writeMaxBytes: MAX_REQUEST_BYTES,
      interceptors: [
        ...(options.metadata === undefined ? [] : [accompany(options.metadata)]),
        ...(options.token === undefined ? [] : [authorize(options.token)]),
      ],
    });
    this.services = {
      executions: createClient(v1.ExecutionService, transport),
      workflows: createClient(v1.WorkflowService, transport),
      server: createClient(v1.ServerService, transport),
    };
    this.#outer = options.signal;
    if (options.signal?.aborted) {
      this.close();
    } else {
      options.signal?.addEventListener("abort", this.#onAbort, { once: true });
    }
  }

  /** Ends whatever is under way with CancelledError, and takes no more. */
  close(): void {
    this.#closed = true;
    this.#outer?.removeEventListener("abort", this.#onAbort);
    for (const scope of this.#scopes) {
      scope.cut(new CancelledError("the client was closed"));
    }
    this.#sessions.close();
  }

  /** Begins the life of a call or a stream. */
  scope(signal: AbortSignal | undefined): Scope {
    if (this.#closed) {
      throw new CancelledError("the client is closed");
    }
    const scope = new Scope(signal, (ended) => this.#scopes.delete(ended));
    this.#scopes.add(scope);
    return scope;
  }

  /** Runs one unary call; where it is safe to repeat, it is repeated while the server is unavailable. */
  async call<Response>(send: Send<Response>, options: CallOptions, repeatable = true): Promise<Response> {
    const seconds =
      options.callTimeout === undefined ? this.#callTimeout : secondsOf(options.callTimeout, "callTimeout");
    return await this.repeat(send, new CallRetry(this.#timing, repeatable, seconds), options.signal);
  }

  /** Runs one unary call as often as a policy says. */
  async repeat<Response>(
    send: Send<Response>,
    policy: RetryPolicy,
    signal: AbortSignal | undefined,
  ): Promise<Response> {
    const scope = this.scope(signal);
    try {
      for (;;) {
        scope.check();
        let delay: number;
        try {
          return await send(this.services, attempt(policy.attemptTimeout(), scope.signal));
        } catch (thrown) {
          scope.check();
          delay = policy.delayAfter(scope.errorOf(thrown));
        }
        await scope.sleep(delay);
      }
    } finally {
      scope.end();
    }
  }

  /** Returns the policy for a stream, or for a call that belongs to one, that may last so many seconds. */
  reconnect(deadline?: number): Reconnect {
    return new Reconnect(this.#timing, { giveUpAfter: this.#reconnectTimeout, deadline });
  }

  /** Returns the same for a unary call. */
  reconnectCall(deadline: number | undefined): Reconnect {
    return new Reconnect(this.#timing, {
      giveUpAfter: this.#reconnectTimeout,
      deadline,
      callTimeout: this.#callTimeout,
    });
  }

  /** Returns when so many seconds from now have passed; undefined: never. */
  deadline(seconds: number): number | undefined {
    return seconds === Infinity ? undefined : this.#timing.clock() + seconds;
  }

  /** Returns what opens the connections of a stream. */
  connector<Request, Response>(
    open: (services: Services, request: Request, options: AttemptOptions) => AsyncIterable<Response>,
    signal: AbortSignal | undefined,
  ): Connector<Request, Response> {
    return {
      scope: () => this.scope(signal),
      connect: (request, seconds, cut) => open(this.services, request, attempt(seconds, cut)),
    };
  }
}

function attempt(seconds: number | undefined, signal: AbortSignal): AttemptOptions {
  if (seconds === undefined || seconds === Infinity) {
    return { signal };
  }
  // The transport takes 0 for no limit.
  return { signal, timeoutMs: Math.min(Math.max(1, Math.ceil(seconds * 1000)), MAX_TIMER_MS) };
}

function openSessions({ target = DEFAULT_TARGET, tls = false }: ClientOptions): Sessions {
  const { url, socketPath } = addressOf(target, tls !== false);
  if (tls === false) {
    return new Sessions(url, socketPath ? { createConnection: () => connect(socketPath) } : {});
  }
  const { serverName, ...pem } = tls === true ? {} : tls;
  const secure = { ...pem, ...(serverName ? { servername: serverName } : {}) };
  const socket = { ...secure, ALPNProtocols: ["h2"] };
  return new Sessions(
    url,
    socketPath ? { createConnection: () => connectTls({ ...socket, path: socketPath }) } : secure,
  );
}

function accompany(metadata: Metadata): Interceptor {
  return (next) => (request) => {
    for (const [name, value] of Object.entries(typeof metadata === "function" ? metadata() : metadata)) {
      request.header.set(name, value);
    }
    return next(request);
  };
}

function authorize(token: Token): Interceptor {
  return (next) => async (request) => {
    let value: string;
    try {
      value = typeof token === "string" ? token : await token();
    } catch (cause) {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ConnectError(`no token: ${why}`, Code.Unauthenticated, undefined, undefined, cause);
    }
    if (value) {
      request.header.set("authorization", `Bearer ${value}`);
    }
    return await next(request);
  };
}
