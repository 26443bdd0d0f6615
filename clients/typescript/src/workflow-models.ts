// What the client answers about workflows and the server, as plain values.

import type { JsonObject } from "@bufbuild/protobuf";
import { toDate } from "./executions.js";
import type { Problem } from "./problems.js";
import { type WithRaw, withHidden } from "./raw.js";
import * as v1 from "./v1.js";

/** What the server found in a definition. */
export type Validation = WithRaw<
  {
    /** Whether `execute` would take it. */
    readonly valid: boolean;
    /** What is wrong, in the order of the definition. */
    readonly problems: readonly Problem[];
    /** Content hash of the definition, lower-case hex; empty if it is not valid. */
    readonly definitionDigest: string;
  },
  v1.ValidateWorkflowResponse
>;

export function toValidation(raw: v1.ValidateWorkflowResponse): Validation {
  const problems = raw.problems.map(({ path, reason, message }) => ({ path, reason, message }));
  return withHidden({ valid: raw.valid, problems, definitionDigest: raw.definitionDigest }, { raw });
}

/** A kind of node that the server runs. */
export type NodeType = WithRaw<
  {
    readonly name: string;
    readonly description: string;
    /** JSON Schema (draft 2020-12) of its config. */
    readonly configSchema: JsonObject;
    /** Whether it acts on the world outside. */
    readonly effect: boolean;
  },
  v1.NodeType
>;

export function toNodeType(raw: v1.NodeType): NodeType {
  const { name, description, configSchema = {}, effect } = raw;
  return withHidden({ name, description, configSchema, effect }, { raw });
}

/** A version of a workflow that is stored on the server. */
export type Workflow = WithRaw<
  {
    readonly workflowId: string;
    /** Content hash of the definition, lower-case hex. */
    readonly version: string;
    /** When this version was stored first. */
    readonly createTime: Date;
    /** Whether the call that answered this has just stored it; false if the version was there before. */
    readonly created: boolean;
  },
  v1.Workflow
> & {
  /** Undefined in lists, and from `createWorkflow`. A message, so not part of the JSON. */
  readonly definition: v1.WorkflowDefinition | undefined;
};

export function toWorkflow(raw: v1.Workflow, created = false): Workflow {
  return withHidden(
    {
      workflowId: raw.workflowId,
      version: raw.version,
      createTime: toDate(raw.createTime) ?? new Date(0),
      created,
    },
    { definition: raw.definition, raw },
  );
}

/** Sizes in bytes, counts of nodes and executions, by the names and with the meanings that the API documents. */
export type ServerLimits = {
  readonly [Name in keyof v1.ServerLimits as Name extends `$${string}` ? never : Name]: number;
};

/** What the server is and allows. */
export type ServerInfo = WithRaw<
  {
    readonly version: string;
    readonly startTime: Date | undefined;
    /** Optional abilities by name, for example `store:sqlite`. */
    readonly capabilities: readonly string[];
    /** Whether it is shutting down and takes no new executions. */
    readonly draining: boolean;
    readonly limits: ServerLimits;
  },
  v1.GetServerInfoResponse
>;

export function toServerInfo(raw: v1.GetServerInfoResponse): ServerInfo {
  const limits = raw.limits;
  const numbers = v1.ServerLimitsSchema.fields.map(({ localName }) => [
    localName,
    Number(limits?.[localName as keyof ServerLimits] ?? 0),
  ]);
  return withHidden(
    {
      version: raw.version,
      startTime: toDate(raw.startTime),
      capabilities: raw.capabilities,
      draining: raw.draining,
      limits: Object.fromEntries(numbers) as ServerLimits,
    },
    { raw },
  );
}
