// Results as the documents that scenarios compare: proto3 JSON with the names of the proto files.

import { type DescMessage, type JsonValue, type MessageShape, toJson } from "@bufbuild/protobuf";
import { DefinitionError, type ExecsvcError, type Execution, v1 } from "../src/index.js";
import type { Document, Json } from "./variables.js";

export function ofMessage<D extends DescMessage>(desc: D, message: MessageShape<D>): Document {
  return toJson(desc, message, { useProtoFieldName: true }) as Document;
}

export function ofExecution(execution: Execution): Document {
  return {
    ...ofMessage(v1.ExecutionSchema, execution.raw),
    output_text: JSON.stringify(sorted(execution.output ?? null)),
  };
}

export function ofStatus(status: { readonly raw: v1.ExecutionStatus }): Document {
  return ofMessage(v1.ExecutionStatusSchema, status.raw);
}

/** The name that the API has for a state; empty where there is none. */
export function stateName(status: { readonly state: string } | undefined): string {
  return status ? `EXECUTION_STATE_${status.state}` : "";
}

export function ofError(error: ExecsvcError): Document {
  return {
    type: error instanceof DefinitionError ? "DefinitionError" : error.name.replace(/Error$/, ""),
    code: error.code,
    reason: error.reason,
    message: error.message,
    metadata: { ...error.metadata },
    field_violations: error.fieldViolations.map((problem) => ({ ...problem })),
    retry_delay: error.retryDelay ?? null,
    execution_id: error.executionId,
    state: error.state,
  };
}

function sorted(value: JsonValue): Json {
  if (Array.isArray(value)) {
    return value.map(sorted);
  }
  if (typeof value === "object" && value !== null) {
    const keys = Object.keys(value).sort();
    return Object.fromEntries(keys.map((key) => [key, sorted(value[key] ?? null)]));
  }
  return value;
}
