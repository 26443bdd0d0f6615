// Writes plain values into messages by their descriptors, noting every problem with its path.

import {
  create,
  type DescEnum,
  type DescField,
  type DescMessage,
  fromJson,
  isMessage,
  type MessageInitShape,
  type MessageShape,
  ScalarType,
} from "@bufbuild/protobuf";
import { ValueSchema } from "@bufbuild/protobuf/wkt";
import { toDuration } from "./durations.js";
import { InvalidArgumentError } from "./errors.js";
import { member, Problems, shown } from "./problems.js";
import { checkText, isRecord, toJsonObject, toJsonValue } from "./values.js";

type Source = Readonly<Record<string, unknown>>;
/** What a message is made of, by the names that the generated code has for its fields. */
export type Parts = Record<string, unknown>;

/** Returns a message with these fields; throws InvalidArgumentError with every problem. */
export function filled<D extends DescMessage>(desc: D, source: Source): MessageShape<D> {
  const problems = new Problems();
  const message = toMessage(desc, partsOf(desc, source, "", problems));
  if (problems.found.length > 0) {
    throw InvalidArgumentError.of(problems.found);
  }
  return message;
}

/** Returns a message made of such parts. */
export function toMessage<D extends DescMessage>(desc: D, parts: Parts): MessageShape<D> {
  return create(desc, parts as MessageInitShape<D>);
}

const namesByMessage = new WeakMap<DescMessage, ReadonlyMap<string, DescField>>();

/** Returns the fields of a message by both their spellings, `on_error` and `onError`. */
export function fieldsByName(desc: DescMessage): ReadonlyMap<string, DescField> {
  let names = namesByMessage.get(desc);
  if (!names) {
    names = new Map(desc.fields.flatMap((field) => [[field.name, field] as const, [field.jsonName, field] as const]));
    namesByMessage.set(desc, names);
  }
  return names;
}

/** Notes each key that is neither known nor to be ignored. */
export function refuseUnknown(
  source: Source,
  path: string,
  known: Iterable<string>,
  ignored: ReadonlySet<string>,
  problems: Problems,
): void {
  const names = new Set(known);
  for (const key of Object.keys(source)) {
    if (!names.has(key) && !ignored.has(key)) {
      const listed = [...names].filter((name) => name === name.toLowerCase()).join(", ");
      problems.add(member(path, key), "UNKNOWN_FIELD", `unknown field; known are ${listed}`);
    }
  }
}

const NONE: ReadonlySet<string> = new Set();

/** Returns the parts of a message; null and undefined count as not given. */
export function partsOf(desc: DescMessage, source: Source, path: string, problems: Problems): Parts {
  const names = fieldsByName(desc);
  refuseUnknown(source, path, names.keys(), NONE, problems);
  const parts: Parts = {};
  for (const [key, value] of Object.entries(source)) {
    const field = names.get(key);
    if (field && value !== undefined && value !== null) {
      setField(parts, field, value, member(path, key), problems);
    }
  }
  return parts;
}

/** Puts one value among the parts of a message. */
export function setField(parts: Parts, field: DescField, value: unknown, path: string, problems: Problems): void {
  const converted = convert(field, value, path, problems);
  if (converted === undefined) {
    return;
  }
  if (field.oneof) {
    parts[field.oneof.localName] = { case: field.localName, value: converted };
  } else {
    parts[field.localName] = converted;
  }
}

function convert(field: DescField, value: unknown, path: string, problems: Problems): unknown {
  switch (field.fieldKind) {
    case "map":
      return textMap(value, path, problems);
    case "list":
      if (!Array.isArray(value)) {
        problems.wrongType(path, "a list", value);
        return undefined;
      }
      return value
        .map((item: unknown, index) => single(field, item, `${path}[${index}]`, problems))
        .filter((item) => item !== undefined);
    default:
      return single(field, value, path, problems);
  }
}

// The only maps of the API are from text to text.
function textMap(value: unknown, path: string, problems: Problems): Record<string, string> | undefined {
  if (!isRecord(value)) {
    problems.wrongType(path, "an object", value);
    return undefined;
  }
  const entries: [string, string][] = [];
  for (const [key, item] of Object.entries(value)) {
    if (typeof item !== "string") {
      problems.wrongType(member(path, key), "a string", item);
    } else if (checkText(key, path, problems) && checkText(item, member(path, key), problems)) {
      entries.push([key, item]);
    }
  }
  return Object.fromEntries(entries);
}

function single(field: DescField, value: unknown, path: string, problems: Problems): unknown {
  if (field.message) {
    return submessage(field.message, value, path, problems);
  }
  if (field.enum) {
    return enumValue(field.enum, value, path, problems);
  }
  switch (field.scalar) {
    case ScalarType.STRING:
      if (typeof value !== "string") {
        problems.wrongType(path, "a string", value);
        return undefined;
      }
      return checkText(value, path, problems) ? value : undefined;
    case ScalarType.BOOL:
      if (typeof value !== "boolean") {
        problems.wrongType(path, "a boolean", value);
        return undefined;
      }
      return value;
    default:
      return numeric(field.scalar, value, path, problems);
  }
}

function submessage(desc: DescMessage, value: unknown, path: string, problems: Problems): unknown {
  if (isMessage(value)) {
    if (value.$typeName === desc.typeName) {
      return value;
    }
    problems.wrongType(path, `a message of type ${desc.typeName}`, value);
    return undefined;
  }
  if (desc.typeName === "google.protobuf.Value") {
    return fromJson(ValueSchema, toJsonValue(value, path, problems));
  }
  if (desc.typeName === "google.protobuf.Duration") {
    return toDuration(value, path, problems);
  }
  if (!isRecord(value)) {
    problems.wrongType(path, "an object", value);
    return undefined;
  }
  // Generated code has a Struct as the JSON it holds.
  return desc.typeName === "google.protobuf.Struct"
    ? toJsonObject(value, path, problems)
    : toMessage(desc, partsOf(desc, value, path, problems));
}

function numeric(type: ScalarType | undefined, value: unknown, path: string, problems: Problems): unknown {
  if (typeof value !== "number" && typeof value !== "bigint") {
    problems.wrongType(path, "a number", value);
    return undefined;
  }
  if (type === ScalarType.DOUBLE) {
    if (Number.isFinite(Number(value))) {
      return Number(value);
    }
    problems.add(path, "NOT_FINITE", "expected a finite number");
    return undefined;
  }
  const bits = type === ScalarType.INT64 ? 64 : 32;
  const limit = 2n ** BigInt(bits - 1);
  const whole = typeof value === "bigint" || Number.isSafeInteger(value) ? BigInt(value) : undefined;
  if (whole === undefined || whole < -limit || whole >= limit) {
    problems.add(path, "OUT_OF_RANGE", `expected a whole number that fits ${bits} bits`);
    return undefined;
  }
  return bits === 64 ? whole : Number(whole);
}

function enumValue(desc: DescEnum, value: unknown, path: string, problems: Problems): number | undefined {
  if (typeof value === "number" && desc.value[value]) {
    return value;
  }
  const prefix = desc.values[0]?.name.replace(/UNSPECIFIED$/, "") ?? "";
  if (typeof value === "string") {
    const name = value.toUpperCase();
    const found = desc.values.find((item) => item.name === name || item.name === prefix + name);
    if (found) {
      return found.number;
    }
  }
  const allowed = desc.values.slice(1).map((item) => item.name.slice(prefix.length).toLowerCase());
  problems.add(path, "UNKNOWN_VALUE", `expected one of ${allowed.join(", ")}, got ${shown(value)}`);
  return undefined;
}
