// What is wrong with a request or a definition, each problem with its path.

/** One thing that is wrong with a request or a definition. */
export interface Problem {
  /** Where, for example `definition.nodes[3].config.expression`. */
  readonly path: string;
  /** Stable name of the kind of problem, UPPER_SNAKE_CASE; may be empty. */
  readonly reason: string;
  /** What is wrong and what would be right, for people. */
  readonly message: string;
}

/** Gathers every problem of one conversion, so that all are reported at once. */
export class Problems {
  readonly found: Problem[] = [];

  add(path: string, reason: string, message: string): void {
    this.found.push({ path, reason, message });
  }

  wrongType(path: string, wanted: string, value: unknown): void {
    this.add(path, "WRONG_TYPE", `expected ${wanted}, got ${describe(value)}`);
  }
}

/** Returns the path of one field of an object. */
export function member(path: string, key: string): string {
  return path ? `${path}.${key}` : key;
}

/** Returns a value as it is shown in a message, cut where it is long. */
export function shown(value: unknown): string {
  const text = typeof value === "string" ? JSON.stringify(value) : String(value);
  return text.length > 80 ? `${text.slice(0, 79)}…` : text;
}

function describe(value: unknown): string {
  if (value === null) {
    return "null";
  }
  if (Array.isArray(value)) {
    return "a list";
  }
  switch (typeof value) {
    case "undefined":
      return "undefined";
    case "bigint":
      return "a number";
    case "object": {
      const kind = Object.prototype.toString.call(value).slice(8, -1);
      return kind === "Object" ? "an object" : `an object of type ${kind}`;
    }
    default:
      return `a ${typeof value}`;
  }
}
