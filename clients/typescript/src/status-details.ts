// Reads the google.rpc error details of a failed call, without generated code for them.

import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";
import type { Problem } from "./problems.js";

/** The thing that an error is about. */
export interface Resource {
  /** Its kind, for example `execsvc.v1.Execution`. */
  readonly type: string;
  /** Its id. */
  readonly name: string;
  /** What is the matter with it; may be empty. */
  readonly description: string;
}

/** A precondition that does not hold, or a quota that is used up. */
export interface Violation {
  /** Kind of the precondition; empty for quotas. */
  readonly type: string;
  /** What it concerns, for example an execution's id. */
  readonly subject: string;
  /** What does not hold, for people. */
  readonly description: string;
}

/** Everything a `google.rpc.Status` says beside its code; empty where the server sent none. */
export interface Details {
  readonly reason?: string;
  readonly domain?: string;
  readonly metadata?: Readonly<Record<string, string>>;
  readonly fieldViolations?: readonly Problem[];
  readonly resource?: Resource;
  readonly preconditions?: readonly Violation[];
  readonly quotas?: readonly Violation[];
  readonly retryDelay?: number;
}

/** Returns what the details say; a detail that is unknown, or does not parse, counts as absent. */
export function readDetails(details: Iterable<{ type: string; value: Uint8Array }>): Details {
  let found: Details = {};
  for (const { type, value } of details) {
    const read = READERS[type];
    if (read) {
      try {
        found = { ...found, ...read(fields(value)) };
      } catch {
        // Whoever stands between rewrote it.
      }
    }
  }
  return found;
}

// Numbers of fields as in google/rpc/error_details.proto.
const READERS: Readonly<Record<string, (message: Fields) => Details>> = {
  "google.rpc.ErrorInfo": (info) => ({
    reason: info.text(1),
    domain: info.text(2),
    metadata: Object.fromEntries(info.messages(3).map((pair) => [pair.text(1), pair.text(2)])),
  }),
  "google.rpc.BadRequest": (bad) => ({
    fieldViolations: bad
      .messages(1)
      .map((item) => ({ path: item.text(1), reason: item.text(3), message: item.text(2) })),
  }),
  "google.rpc.ResourceInfo": (info) => ({
    resource: { type: info.text(1), name: info.text(2), description: info.text(4) },
  }),
  "google.rpc.PreconditionFailure": (failure) => ({
    preconditions: failure
      .messages(1)
      .map((item) => ({ type: item.text(1), subject: item.text(2), description: item.text(3) })),
  }),
  "google.rpc.QuotaFailure": (failure) => ({
    quotas: failure.messages(1).map((item) => ({ type: "", subject: item.text(1), description: item.text(2) })),
  }),
  "google.rpc.RetryInfo": (info) => ({
    retryDelay: info.messages(1).reduce((_, delay) => delay.integer(1) + delay.integer(2) / 1e9, 0),
  }),
};

interface Fields {
  text(number: number): string;
  integer(number: number): number;
  messages(number: number): Fields[];
}

function fields(message: Uint8Array): Fields {
  const bytes = new Map<number, Uint8Array[]>();
  const integers = new Map<number, number>();
  const reader = new BinaryReader(message);
  while (reader.pos < reader.len) {
    const [number, wireType] = reader.tag();
    if (wireType === WireType.LengthDelimited) {
      bytes.set(number, [...(bytes.get(number) ?? []), reader.bytes()]);
    } else if (wireType === WireType.Varint) {
      integers.set(number, Number(reader.int64()));
    } else {
      reader.skip(wireType, number);
    }
  }
  return {
    text: (number) => new TextDecoder().decode(bytes.get(number)?.at(-1)),
    integer: (number) => integers.get(number) ?? 0,
    messages: (number) => (bytes.get(number) ?? []).map(fields),
  };
}
