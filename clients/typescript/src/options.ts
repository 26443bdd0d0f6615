// How a client connects: target, limits and who calls.

import type { SecureContextOptions } from "node:tls";
import { type DurationLike, toSeconds } from "./durations.js";
import { InvalidArgumentError } from "./errors.js";
import { Problems, shown } from "./problems.js";

/** What TLS needs beside the defaults of Node. */
export interface TlsOptions {
  /** PEM of the authorities to trust instead of the well-known ones. */
  readonly ca?: SecureContextOptions["ca"];
  /** PEM of this client's own certificate, for servers that ask for one. */
  readonly cert?: SecureContextOptions["cert"];
  /** PEM of the key of `cert`. */
  readonly key?: SecureContextOptions["key"];
  /** Name that the server's certificate must have, where it is not the host of the target. */
  readonly serverName?: string;
}

/** Sent as `authorization: Bearer …` with every call; a function is asked anew for each. Empty: nothing is sent. */
export type Token = string | (() => string | Promise<string>);

/** Sent along with every call, such as a `traceparent`; a function is asked anew for each. */
export type Metadata = Readonly<Record<string, string>> | (() => Readonly<Record<string, string>>);

/** How a client connects. */
export interface ClientOptions {
  /** Host and port such as `"127.0.0.1:50051"` (the default) or `"[::1]:50051"`, or `"unix:/run/execsvc.sock"`. */
  readonly target?: string;
  /** Connects with TLS; `true` trusts the well-known authorities. Without it nothing is encrypted. */
  readonly tls?: boolean | TlsOptions;
  /** Use it with TLS only. */
  readonly token?: Token;
  /** Names are lower-case. */
  readonly metadata?: Metadata;
  /** Time that one call may take, repeats included; the default is 30 s. Streams and `wait` have none. */
  readonly callTimeout?: DurationLike;
  /**
   * How long `logs`, `watch` and `wait` go on trying to reach the server without hearing from it; the default is 300 s,
   * `Infinity` is for ever.
   */
  readonly reconnectTimeout?: DurationLike;
  /** Closes the client once it is aborted. */
  readonly signal?: AbortSignal;
}

/** A call's own limits. */
export interface CallOptions {
  /** Gives the call up, and tells the server so. */
  readonly signal?: AbortSignal | undefined;
  /** Time that the call may take, repeats included, instead of the client's `callTimeout`. */
  readonly callTimeout?: DurationLike | undefined;
}

/** A length of time in seconds, `Infinity` allowed. Throws InvalidArgumentError where it is none. */
export function secondsOf(value: DurationLike, name: string): number {
  if (value === Infinity) {
    return value;
  }
  const problems = new Problems();
  const seconds = toSeconds(value, name, problems);
  if (seconds === undefined || seconds < 0) {
    problems.add(name, "INVALID_DURATION", `expected no negative time, got ${shown(value)}`);
    throw InvalidArgumentError.of(problems.found.slice(0, 1));
  }
  return seconds;
}

/** Where to connect: a URL for HTTP/2, or the path of a socket. */
export interface Address {
  readonly url: string;
  readonly socketPath?: string;
}

/** Returns where a target is. Throws InvalidArgumentError where it is none. */
export function addressOf(target: string, secure: boolean): Address {
  const scheme = secure ? "https" : "http";
  if (target.startsWith("unix:") && target.length > "unix:".length) {
    // Three slashes, as in unix:///run/execsvc.sock, are a URL's way to write an absolute path.
    return { url: `${scheme}://localhost`, socketPath: target.slice("unix:".length).replace(/^\/\/(?=\/)/, "") };
  }
  const host = target.replace(/^dns:(\/\/\/)?/, "");
  const found = /^(\[[0-9A-Fa-f:.]+\]|[^[\]/@:?#\s]+):([0-9]{1,5})$/.exec(host);
  if (!found || Number(found[2]) > 65_535 || !URL.canParse(`${scheme}://${host}`)) {
    const message = `expected host:port or unix:PATH, got ${shown(target)}${/^https?:/.test(target) ? " (no http:// here; the option tls says whether TLS is used)" : ""}`;
    throw InvalidArgumentError.of([{ path: "target", reason: "INVALID_TARGET", message }]);
  }
  return { url: `${scheme}://${host}` };
}
