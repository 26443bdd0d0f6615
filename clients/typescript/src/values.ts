// Turns JSON-like values into what protobuf can carry, with the path of whatever does not fit.

import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { member, type Problems, shown } from "./problems.js";

// Levels of lists and objects inside a value. protobuf parsers stop at 100 nested messages, and a level costs three.
const MAX_DEPTH = 30;
// From here on JavaScript writes numbers with an exponent: they were meant as doubles, not as ids.
const FIRST_EXPONENT = 1e21;

/** Whether a value is an object in the JSON sense; a Map, a Date or a list is not. */
export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && Object.prototype.toString.call(value) === "[object Object]";
}

/** Whether text can be sent; protobuf takes no lone surrogates. */
export function checkText(value: string, path: string, problems: Problems): boolean {
  const at = loneSurrogate(value);
  if (at < 0) {
    return true;
  }
  problems.add(path, "INVALID_UNICODE", `character ${at} is half of a surrogate pair, not text`);
  return false;
}

function loneSurrogate(value: string): number {
  return value.search(/[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/);
}

/**
 * Returns a value as JSON that a `google.protobuf.Value` holds without loss; `null` stands in where it does not fit.
 *
 * Numbers travel as doubles. JavaScript has rounded a whole number beyond 2^53 before anyone can look at it, so one is a
 * problem, not a silent change; a BigInt is taken if a double holds it exactly.
 */
export function toJsonValue(value: unknown, path: string, problems: Problems): JsonValue {
  return new Conversion(problems).value(value, path);
}

/** Returns a record as JSON; see `toJsonValue`. */
export function toJsonObject(value: Readonly<Record<string, unknown>>, path: string, problems: Problems): JsonObject {
  return new Conversion(problems).object(value, path);
}

class Conversion {
  // The lists and objects that the current one lies in.
  readonly #around: object[] = [];

  constructor(private readonly problems: Problems) {}

  value(value: unknown, path: string): JsonValue {
    if (value === null || typeof value === "boolean") {
      return value;
    }
    if (typeof value === "number" || typeof value === "bigint") {
      return this.#number(value, path);
    }
    if (typeof value === "string") {
      return checkText(value, path, this.problems) ? value : null;
    }
    if (Array.isArray(value)) {
      return this.#inside(value, path, [], () =>
        Array.from(value, (item: unknown, index) => this.value(item, `${path}[${index}]`)),
      );
    }
    if (isRecord(value)) {
      return this.object(value, path);
    }
    this.problems.wrongType(path, "a JSON value (null, boolean, number, string, list or object)", value);
    return null;
  }

  object(source: Readonly<Record<string, unknown>>, path: string): JsonObject {
    return this.#inside(source, path, {}, () => {
      const target: JsonObject = {};
      for (const [key, item] of Object.entries(source)) {
        // As JSON.stringify has it, a member that is undefined is not there.
        if (item !== undefined && checkText(key, member(path, key), this.problems)) {
          const value = this.value(item, member(path, key));
          // Assigned plainly, a key "__proto__" would be no member.
          Object.defineProperty(target, key, { value, enumerable: true, configurable: true, writable: true });
        }
      }
      return target;
    });
  }

  #inside<T>(container: object, path: string, instead: T, convert: () => T): T {
    if (this.#around.includes(container)) {
      this.problems.add(path, "CIRCULAR", "an object cannot be a part of itself");
      return instead;
    }
    if (this.#around.length >= MAX_DEPTH) {
      this.problems.add(path, "TOO_DEEP", `lists and objects may be nested ${MAX_DEPTH} levels deep at most`);
      return instead;
    }
    this.#around.push(container);
    try {
      return convert();
    } finally {
      this.#around.pop();
    }
  }

  #number(value: number | bigint, path: string): number {
    const number = Number(value);
    if (typeof value === "number" && !Number.isFinite(value)) {
      this.problems.add(path, "NOT_FINITE", `JSON has no ${value}; send null or a string`);
    } else if (typeof value === "bigint" ? !Number.isFinite(number) || BigInt(number) !== value : isRounded(value)) {
      const hint = typeof value === "bigint" ? "send it as a string" : "send it as a string, or as a BigInt";
      this.problems.add(path, "INEXACT_INTEGER", `${shown(value)} may not fit a double exactly; ${hint}`);
    } else {
      // The server takes -0 for the integer 0.
      return number + 0;
    }
    return 0;
  }
}

function isRounded(value: number): boolean {
  return Number.isInteger(value) && !Number.isSafeInteger(value) && Math.abs(value) < FIRST_EXPONENT;
}
