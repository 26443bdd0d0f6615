// What the steps of a scenario do, by the name of the operation.

import { type DefinitionLike, ExecutionClient, type ExecutionState, type LogLevel, v1 } from "../src/index.js";
import { ofExecution, ofMessage, ofStatus, stateName } from "./documents.js";
import type { Document, Json } from "./variables.js";

/** What an operation may use. */
export interface Setting {
  readonly client: ExecutionClient;
  readonly definitions: Document;
  /** Cancels the operation. */
  readonly signal: AbortSignal;
  /** Called with every item that a stream hands out. */
  readonly seen: () => void;
}

export type Operation = (setting: Setting, given: Document) => Promise<Json>;

const SHOWN = 20;

export const OPERATIONS: Readonly<Record<string, Operation>> = {
  async execute({ client, definitions, signal }, given) {
    const { definition, ...fields } = given;
    const status = await client.execute({ ...options(fields), definition: resolve(definition, definitions), signal });
    return ofStatus(status);
  },
  async status({ client, signal }, given) {
    return ofStatus(await client.status(text(given.execution_id), { signal }));
  },
  async get({ client, signal }, given) {
    return ofExecution(await client.get(text(given.execution_id), { ...options(given), signal }));
  },
  async wait({ client, signal }, given) {
    return ofExecution(await client.wait(text(given.execution_id), { ...options(given), signal }));
  },
  async logs({ client, signal, seen }, given) {
    const stream = client.logs(text(given.execution_id), { ...options(given), signal });
    const entries: v1.LogEntry[] = [];
    for await (const entry of stream) {
      entries.push(entry.raw);
      seen();
      if (entries.length === given.stop_after) {
        break;
      }
    }
    return {
      ...summary(entries),
      first_sequence: Number(entries[0]?.sequence ?? 0),
      last_sequence: stream.lastSequence,
      sequences_unique: new Set(entries.map((entry) => entry.sequence)).size === entries.length,
      final_state: stateName(stream.finalStatus),
    };
  },
  async list_logs({ client, signal }, given) {
    const entries: v1.LogEntry[] = [];
    for await (const entry of client.listLogs(text(given.execution_id), { ...options(given), signal })) {
      entries.push(entry.raw);
    }
    return summary(entries);
  },
  async watch({ client, signal, seen }, given) {
    const stream = client.watch(text(given.execution_id), { ...options(given), signal });
    const states = new Set<string>();
    let count = 0;
    let progress = 0;
    let neverFalls = true;
    let said = "";
    for await (const snapshot of stream) {
      count += 1;
      states.add(stateName(snapshot.status));
      neverFalls &&= snapshot.status.progress >= progress;
      progress = snapshot.status.progress;
      said += snapshot.tokens.map((chunk) => chunk.text).join("");
      seen();
      if (count === given.stop_after) {
        break;
      }
    }
    const final_state = stateName(stream.finalStatus);
    return { count, states: [...states], progress_never_falls: neverFalls, text: said, final_state };
  },
  pause: async ({ client, signal }, given) =>
    ofStatus(await client.pause(text(given.execution_id), { ...options(given), signal })),
  resume: async ({ client, signal }, given) =>
    ofStatus(await client.resume(text(given.execution_id), { ...options(given), signal })),
  stop: async ({ client, signal }, given) =>
    ofStatus(await client.stop(text(given.execution_id), { ...options(given), signal })),
  retry: async ({ client, signal }, given) =>
    ofStatus(await client.retry(text(given.execution_id), { ...options(given), signal })),
  async list({ client, signal }, given) {
    const ids: string[] = [];
    for await (const execution of client.listExecutions({ ...options(given), signal })) {
      ids.push(execution.executionId);
      if (ids.length === given.limit) {
        break;
      }
    }
    return { count: ids.length, ids };
  },
  async list_page({ client, signal }, given) {
    const page = await client.listExecutionsPage({ ...options(given), signal });
    return { ids: page.items.map((execution) => execution.executionId), next_page_token: page.nextToken };
  },
  async delete({ client, signal }, given) {
    await client.delete(text(given.execution_id), { signal });
    return {};
  },
  async validate({ client, definitions, signal }, given) {
    const validation = await client.validate(resolve(given.definition, definitions) ?? {}, { signal });
    return ofMessage(v1.ValidateWorkflowResponseSchema, validation.raw);
  },
  async create_workflow({ client, definitions, signal }, given) {
    const definition = resolve(given.definition, definitions) ?? {};
    const workflow = await client.createWorkflow(text(given.workflow_id), definition, { signal });
    return { ...ofMessage(v1.WorkflowSchema, workflow.raw), created: workflow.created };
  },
  async get_workflow({ client, signal }, given) {
    const workflow = await client.getWorkflow(text(given.workflow_id), { ...options(given), signal });
    return ofMessage(v1.WorkflowSchema, workflow.raw);
  },
  async list_workflows({ client, signal }, given) {
    const versions: string[] = [];
    for await (const workflow of client.listWorkflows({ ...options(given), signal })) {
      versions.push(workflow.version);
    }
    return { count: versions.length, versions };
  },
  async node_types({ client, signal }) {
    return { names: (await client.nodeTypes({ signal })).map((type) => type.name) };
  },
  async server_info({ client, signal }) {
    return ofMessage(v1.GetServerInfoResponseSchema, (await client.serverInfo({ signal })).raw);
  },
};

/** Makes the client that a `connect` describes. */
export function connect(given: Document): ExecutionClient {
  return new ExecutionClient({
    target: text(given.target),
    ...(given.ca
      ? { tls: { ca: text(given.ca), ...(given.server_name ? { serverName: text(given.server_name) } : {}) } }
      : {}),
    ...(given.token ? { token: text(given.token) } : {}),
    ...(given.call_timeout === undefined ? {} : { callTimeout: Number(given.call_timeout) }),
    ...(given.reconnect_timeout === undefined ? {} : { reconnectTimeout: Number(given.reconnect_timeout) }),
  });
}

/** What any of these calls may be given, so that wrong values reach the client as they would from plain JavaScript. */
type AnyOptions = { [name: string]: never } & { minLevel?: LogLevel; expectedState?: ExecutionState };

function options(given: Document): AnyOptions {
  const names = Object.entries(given).map(([name, value]) => [
    name.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return Object.fromEntries(names) as AnyOptions;
}

function resolve(definition: Json | undefined, definitions: Document): DefinitionLike | undefined {
  const named = typeof definition === "string" ? definitions[definition] : undefined;
  return (named ?? definition) as DefinitionLike | undefined;
}

function text(value: Json | undefined): string {
  return (value ?? "") as string;
}

function summary(entries: readonly v1.LogEntry[]): Document {
  return {
    count: entries.length,
    gapless: entries.every(
      (entry, index) => index === 0 || entry.sequence === (entries[index - 1]?.sequence ?? 0n) + 1n,
    ),
    entries: entries.slice(0, SHOWN).map((entry) => ofMessage(v1.LogEntrySchema, entry)),
  };
}
