// Entries of a log as plain values.

import type { JsonObject } from "@bufbuild/protobuf";
import { toDate } from "./executions.js";
import { type WithRaw, withHidden } from "./raw.js";
import * as v1 from "./v1.js";

/** How much a log entry matters, least first. */
export type LogLevel = keyof typeof v1.LogLevel;

/** One entry of an execution's log. */
export type LogEntry = WithRaw<
  {
    /** Position in the log: 1, 2, 3, … without gaps. */
    readonly sequence: number;
    readonly time: Date;
    readonly level: LogLevel;
    /** Empty where the entry speaks of the execution. */
    readonly nodeId: string;
    /** Attempt of the node, from 1; 0 where there is none. */
    readonly attempt: number;
    readonly message: string;
    /** Facts for programs, such as `{"event": "node_completed"}`. */
    readonly metadata: JsonObject;
  },
  v1.LogEntry
>;

export function toLogEntry(raw: v1.LogEntry): LogEntry {
  return withHidden(
    {
      sequence: Number(raw.sequence),
      time: toDate(raw.time) ?? new Date(0),
      level: (v1.LogLevel[raw.level] ?? "UNSPECIFIED") as LogLevel,
      nodeId: raw.nodeId,
      attempt: raw.attempt,
      message: raw.message,
      metadata: raw.metadata ?? {},
    },
    { raw },
  );
}
