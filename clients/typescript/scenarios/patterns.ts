// Whether a document is what a scenario expects.

import type { Document, Json } from "./variables.js";

/** Returns what does not match, with its path; undefined if all does. */
export function mismatch(pattern: Json, value: Json | undefined, path = ""): string | undefined {
  const wrong = (wanted: string) => `at ${path || "the result"}: expected ${wanted}, got ${show(value)}`;
  if (Array.isArray(pattern) && pattern.length > 0) {
    if (!Array.isArray(value) || value.length !== pattern.length) {
      return wrong(`a list of ${pattern.length}`);
    }
    return first(pattern.map((item, index) => mismatch(item, value[index], join(path, index))));
  }
  if (isDocument(pattern)) {
    const operators = Object.entries(pattern).filter(([key]) => key.startsWith("$"));
    if (operators.length > 0) {
      return first(operators.map(([name, argument]) => operate(name, argument, value, path, wrong)));
    }
    if (value !== undefined && value !== null && !isDocument(value)) {
      return wrong("an object");
    }
    return first(Object.entries(pattern).map(([key, item]) => mismatch(item, value?.[key], join(path, key))));
  }
  return same(pattern, value) ? undefined : wrong(show(pattern));
}

function operate(
  name: string,
  argument: Json,
  value: Json | undefined,
  path: string,
  wrong: (wanted: string) => string,
): string | undefined {
  const holds = (right: boolean) => (right ? undefined : wrong(`${name} ${show(argument)}`));
  switch (name) {
    case "$any":
      return holds(isDefault(value) !== argument);
    case "$absent":
      return holds(isDefault(value) === argument);
    case "$match":
      return holds(typeof value === "string" && new RegExp(String(argument), "u").test(value));
    case "$gt":
      return holds(numberOf(value) > Number(argument));
    case "$gte":
      return holds(numberOf(value) >= Number(argument));
    case "$lt":
      return holds(numberOf(value) < Number(argument));
    case "$lte":
      return holds(numberOf(value) <= Number(argument));
    case "$len":
      return holds(lengthOf(value) === Number(argument));
    case "$contains":
      if (Array.isArray(argument)) {
        const items = Array.isArray(value) ? value : [];
        return holds(argument.every((pattern) => items.some((item) => mismatch(pattern, item) === undefined)));
      }
      return holds(typeof value === "string" && value.includes(String(argument)));
    case "$each":
      return Array.isArray(value)
        ? first(value.map((item, index) => mismatch(argument, item, join(path, index))))
        : wrong("a list");
    case "$not":
      return holds(mismatch(argument, value) !== undefined);
    case "$keys":
      return holds(isDocument(value) && same(listOf(argument).sort(), Object.keys(value).sort()));
    default:
      return `there is no operator ${name}`;
  }
}

function same(expected: Json, value: Json | undefined): boolean {
  if (value === undefined || value === null) {
    return isDefault(expected);
  }
  if (typeof expected === "number" || typeof expected === "bigint") {
    return numberOf(value) === Number(expected);
  }
  return JSON.stringify(expected) === JSON.stringify(value);
}

function isDefault(value: Json | undefined): boolean {
  return (
    value === undefined || value === null || value === 0 || value === "" || value === false || lengthOf(value) === 0
  );
}

function lengthOf(value: Json | undefined): number {
  if (value === undefined || value === null) {
    return 0;
  }
  if (typeof value === "string") {
    return [...value].length;
  }
  return typeof value === "object" ? Object.keys(value).length : Number.NaN;
}

function numberOf(value: Json | undefined): number {
  const numeric = typeof value === "number" || typeof value === "bigint" || (typeof value === "string" && value !== "");
  return numeric ? Number(value) : Number.NaN;
}

function listOf(value: Json | undefined): Json[] {
  return Array.isArray(value) ? value : [];
}

function isDocument(value: Json | undefined): value is Document {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function first(found: readonly (string | undefined)[]): string | undefined {
  return found.find((problem) => problem !== undefined);
}

function join(path: string, key: string | number): string {
  return path ? `${path}.${key}` : String(key);
}

function show(value: Json | undefined): string {
  const text = JSON.stringify(value, (_, item: unknown) => (typeof item === "bigint" ? String(item) : item));
  return text === undefined ? "nothing" : text.length > 300 ? `${text.slice(0, 300)}…` : text;
}
