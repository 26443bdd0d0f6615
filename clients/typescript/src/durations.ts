// Reads lengths of time as people write them, and writes protobuf's.

import { create } from "@bufbuild/protobuf";
import { type Duration, DurationSchema } from "@bufbuild/protobuf/wkt";
import { type Problems, shown } from "./problems.js";

/** A length of time: seconds (`1.5`), or text with a unit: `"1.5s"`, `"200ms"`, `"2m"`, `"1h"`. */
export type DurationLike = number | string;

// Span that google.protobuf.Duration can hold, in seconds: about 10,000 years.
const MAX_SECONDS = 315_576_000_000n;
const GIGA = 1_000_000_000n;
const UNITS: Readonly<Record<string, bigint>> = {
  us: 1_000n,
  ms: 1_000_000n,
  s: GIGA,
  m: 60n * GIGA,
  h: 3_600n * GIGA,
};
const SPAN = /^([0-9]{1,20})(?:\.([0-9]{1,20}))?(us|ms|s|m|h)$/;

/** Returns a protobuf duration; undefined, and a problem noted, where it is none. */
export function toDuration(value: unknown, path: string, problems: Problems): Duration | undefined {
  const nanos = nanoseconds(value);
  if (nanos === undefined) {
    const wanted = 'expected seconds (1.5) or text like "1.5s", "200ms", "2m" or "1h"';
    problems.add(path, "INVALID_DURATION", `${wanted}, got ${shown(value)}`);
    return undefined;
  }
  if (nanos > MAX_SECONDS * GIGA || nanos < -MAX_SECONDS * GIGA) {
    problems.add(path, "INVALID_DURATION", `at most ${MAX_SECONDS} seconds fit, got ${shown(value)}`);
    return undefined;
  }
  return create(DurationSchema, { seconds: nanos / GIGA, nanos: Number(nanos % GIGA) });
}

/** Returns seconds; undefined, and a problem noted, where it is no length of time. */
export function toSeconds(value: DurationLike, path: string, problems: Problems): number | undefined {
  const duration = toDuration(value, path, problems);
  return duration && fromDuration(duration);
}

/** Returns the seconds of a protobuf duration. */
export function fromDuration(duration: Duration): number {
  return Number(duration.seconds) + duration.nanos / 1e9;
}

function nanoseconds(value: unknown): bigint | undefined {
  if (typeof value === "number" && Number.isFinite(value)) {
    const whole = Math.trunc(value);
    return BigInt(whole) * GIGA + BigInt(Math.round((value - whole) * 1e9));
  }
  const found = typeof value === "string" ? SPAN.exec(value) : null;
  if (!found) {
    return undefined;
  }
  const [, whole = "", fraction = "", unit = ""] = found;
  return (BigInt(whole + fraction) * (UNITS[unit] ?? 0n)) / 10n ** BigInt(fraction.length);
}
