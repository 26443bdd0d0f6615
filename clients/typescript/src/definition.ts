// Turns workflow definitions in their JSON form, React Flow exports included, into protobuf.
//
// Only the shape is checked here: names, types and numbers that protobuf could not carry. What a definition means is the
// server's to judge.

import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { type DescField, isMessage } from "@bufbuild/protobuf";
import { DefinitionError } from "./errors.js";
import { fieldsByName, type Parts, refuseUnknown, setField, toMessage } from "./fill.js";
import {
  EdgeSchema,
  NodeSchema,
  type WorkflowDefinition,
  WorkflowDefinitionSchema,
} from "./gen/execsvc/v1/workflow_pb.js";
import { member, Problems, shown } from "./problems.js";
import { isRecord } from "./values.js";

/** A definition in its JSON form, or a React Flow export. */
export interface DefinitionJson {
  readonly nodes?: readonly object[] | null;
  readonly edges?: readonly object[] | null;
  /** Of React Flow's own; not looked at. */
  readonly viewport?: unknown;
}

/** What is taken as a workflow: the message, its JSON form as an object or as text, or the `file:` URL of a JSON file. */
export type DefinitionLike = WorkflowDefinition | DefinitionJson | string | URL;

/**
 * Reads a workflow definition from a JSON file.
 *
 * @param file a path, or a `file:` URL.
 * @throws DefinitionError with every problem and its path; the error of `node:fs` where the file cannot be read.
 */
export async function readDefinition(file: string | URL): Promise<WorkflowDefinition> {
  if (file instanceof URL && file.protocol !== "file:") {
    throw DefinitionError.of([
      { path: "definition", reason: "INVALID_URL", message: `expected a file: URL, got ${shown(file.href)}` },
    ]);
  }
  const name = file instanceof URL ? fileURLToPath(file) : file;
  const bytes = await readFile(file);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch {
    const message = "not UTF-8; save the file as UTF-8";
    throw DefinitionError.of([{ path: name, reason: "INVALID_UNICODE", message }]);
  }
  return fromSource(parse(text, name));
}

/**
 * Returns a definition as protobuf; a message is returned as it is.
 *
 * @throws DefinitionError with every problem and its path.
 */
export function toDefinition(definition: Exclude<DefinitionLike, URL>): WorkflowDefinition {
  if (isMessage(definition, WorkflowDefinitionSchema)) {
    return definition;
  }
  return fromSource(typeof definition === "string" ? parse(definition, "definition") : definition);
}

/** Returns any kind of definition as protobuf, reading the file where it is a URL. */
export async function resolveDefinition(definition: DefinitionLike): Promise<WorkflowDefinition> {
  return definition instanceof URL ? await readDefinition(definition) : toDefinition(definition);
}

// What React Flow writes for its own use. Anything else that is unknown is an error, so that typing mistakes show.
const EDITOR_ROOT = words("viewport");
const EDITOR_NODE = words(`
  position positionAbsolute width height measured initialWidth initialHeight selected selectable dragging draggable
  dragHandle connectable deletable focusable hidden resizing style className sourcePosition targetPosition parentId
  parentNode extent expandParent zIndex ariaLabel ariaRole domAttributes handles origin internals`);
const EDITOR_EDGE = words(`
  id type data label labelStyle labelShowBg labelBgStyle labelBgPadding labelBgBorderRadius targetHandle animated
  selected selectable deletable focusable reconnectable updatable hidden style className markerStart markerEnd zIndex
  interactionWidth pathOptions ariaLabel ariaRole domAttributes`);

const CONFIGS: ReadonlyMap<string, DescField> = new Map(
  NodeSchema.fields.filter((field) => field.oneof && field.name !== "custom").map((field) => [field.name, field]),
);
// Fields of a node beside its config, by both spellings.
const COMMON: ReadonlyMap<string, DescField> = new Map(
  [...fieldsByName(NodeSchema)].filter(([, field]) => !field.oneof),
);

function words(text: string): ReadonlySet<string> {
  return new Set(text.trim().split(/\s+/));
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const hint = /^\s*(\{|$)/.test(text) ? "" : "; to read a file, pass its file: URL or use readDefinition(path)";
    throw DefinitionError.of([{ path: name, reason: "INVALID_JSON", message: `not JSON: ${why}${hint}` }], error);
  }
}

function fromSource(source: unknown): WorkflowDefinition {
  const problems = new Problems();
  const path = "definition";
  const parts: Parts = {};
  if (isRecord(source)) {
    refuseUnknown(source, path, ["nodes", "edges"], EDITOR_ROOT, problems);
    parts.nodes = items(source, "nodes", path, problems).map((item, index) =>
      toMessage(NodeSchema, nodeParts(item, `${path}.nodes[${index}]`, problems)),
    );
    parts.edges = items(source, "edges", path, problems).map((item, index) =>
      toMessage(EdgeSchema, edgeParts(item, `${path}.edges[${index}]`, problems)),
    );
  } else {
    problems.wrongType(path, "an object with nodes and edges", source);
  }
  if (problems.found.length > 0) {
    throw DefinitionError.of(problems.found);
  }
  return toMessage(WorkflowDefinitionSchema, parts);
}

function items(source: Readonly<Record<string, unknown>>, key: string, path: string, problems: Problems): unknown[] {
  const value = source[key] ?? [];
  if (Array.isArray(value)) {
    return value;
  }
  problems.wrongType(member(path, key), "a list", value);
  return [];
}

function nodeParts(source: unknown, path: string, problems: Problems): Parts {
  const parts: Parts = {};
  if (!isRecord(source)) {
    problems.wrongType(path, "an object with id, type and config", source);
    return parts;
  }
  refuseUnknown(source, path, [...COMMON.keys(), "type", "config", "data"], EDITOR_NODE, problems);
  const kind = typeof source.type === "string" ? source.type : "";
  const field = CONFIGS.get(kind);
  if (!kind) {
    const known = [...CONFIGS.keys()].sort().join(", ");
    problems.add(`${path}.type`, "REQUIRED", `is required: one of ${known}, or a plug-in's`);
  }
  const { config: given, data } = source;
  if (isGiven(given) && isGiven(data)) {
    problems.add(`${path}.data`, "CONFLICT", "config and data mean the same; give one of them");
  }
  const key = isGiven(given) || !isGiven(data) ? "config" : "data";
  let config = source[key] ?? {};
  const settings = new Map([...COMMON.keys()].map((name) => [name, source[name]] as const));
  if (isRecord(config) && key === "data") {
    config = lift(config, settings, field);
  }
  for (const [name, value] of settings) {
    const common = COMMON.get(name);
    if (common && isGiven(value)) {
      setField(parts, common, value, member(path, name), problems);
    }
  }
  if (!isRecord(config)) {
    problems.wrongType(`${path}.${key}`, "an object", config);
  } else if (field) {
    setField(parts, field, config, `${path}.${key}`, problems);
  } else if (kind) {
    // Whether there is such a plug-in, and what its config may be, only the server knows.
    setField(parts, NodeSchema.field.custom, { type: kind, config }, path, problems);
  }
  return parts;
}

function isGiven(value: unknown): boolean {
  return value !== undefined && value !== null;
}

// Takes the node's own settings out of an editor's `data`, where there is no other place for them.
function lift(
  data: Readonly<Record<string, unknown>>,
  settings: Map<string, unknown>,
  field: DescField | undefined,
): Readonly<Record<string, unknown>> {
  const own = field?.message ? fieldsByName(field.message) : new Map<string, DescField>();
  const config: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(data)) {
    const target = name === "label" ? "name" : name;
    if (own.has(name) || name === "id" || !COMMON.has(target)) {
      config[name] = value;
    } else if (!isGiven(settings.get(target))) {
      settings.set(target, value);
    }
  }
  return config;
}

function edgeParts(source: unknown, path: string, problems: Problems): Parts {
  const parts: Parts = {};
  if (!isRecord(source)) {
    problems.wrongType(path, "an object with source and target", source);
    return parts;
  }
  const fields = fieldsByName(EdgeSchema);
  refuseUnknown(source, path, [...fields.keys(), "sourceHandle"], EDITOR_EDGE, problems);
  for (const [name, field] of fields) {
    if (isGiven(source[name])) {
      setField(parts, field, source[name], member(path, name), problems);
    }
  }
  const handle = source.sourceHandle;
  if (isGiven(handle) && parts.branch) {
    if (handle !== parts.branch) {
      problems.add(member(path, "sourceHandle"), "CONFLICT", "branch and sourceHandle mean the same; give one of them");
    }
  } else if (isGiven(handle)) {
    setField(parts, EdgeSchema.field.branch, handle, member(path, "sourceHandle"), problems);
  }
  return parts;
}
