// The public names of this package.

export type { JsonObject, JsonValue } from "@bufbuild/protobuf";
export type * from "./calls.js";
export { ExecutionClient } from "./client.js";
export type { Services } from "./connection.js";
export { type DefinitionJson, type DefinitionLike, readDefinition, toDefinition } from "./definition.js";
export type { DurationLike } from "./durations.js";
export * from "./errors.js";
export {
  type Execution,
  type ExecutionFailure,
  type ExecutionState,
  type ExecutionStatus,
  isTerminal,
  type NodeRun,
  type NodeState,
  type RetrySettings,
  type TokenUsage,
} from "./executions.js";
export type { LogEntry, LogLevel } from "./log-entries.js";
export type { LogStream } from "./logs.js";
export type { CallOptions, ClientOptions, Metadata, TlsOptions, Token } from "./options.js";
export type { Page, PageOptions } from "./pages.js";
export type { Problem } from "./problems.js";
export type { WithRaw } from "./raw.js";
export type { Snapshot, TokenChunk } from "./snapshots.js";
export type { Resource, Violation } from "./status-details.js";
export * as v1 from "./v1.js";
export type { WatchStream } from "./watches.js";
export type { NodeType, ServerInfo, ServerLimits, Validation, Workflow } from "./workflow-models.js";
export type { GetWorkflowOptions, ListWorkflowsOptions } from "./workflows.js";
