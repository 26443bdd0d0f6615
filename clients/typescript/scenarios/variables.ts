// Variables of one scenario, and how they are put into its steps.

import { randomUUID } from "node:crypto";

export type Json = null | boolean | number | bigint | string | Json[] | { [key: string]: Json };
export type Document = { [key: string]: Json };

const PLACE = /\$\{([^}]+)\}/g;

export class Variables {
  readonly #kept: Document;

  constructor(kept: Document = { scope: randomUUID().slice(0, 13) }) {
    this.#kept = kept;
  }

  keep(name: string, value: Json): void {
    this.#kept[name] = value;
  }

  /** Returns the same variables, and the number of a turn. */
  turn(index: number): Variables {
    return new Variables({ ...this.#kept, i: index });
  }

  /** Returns a value with its places filled and its integers made. */
  fill(value: Json): Json {
    if (typeof value === "string") {
      const whole = /^\$\{([^}]+)\}$/.exec(value);
      return whole ? this.#at(whole[1] ?? "") : value.replace(PLACE, (_, path: string) => String(this.#at(path)));
    }
    if (Array.isArray(value)) {
      return value.map((item) => this.fill(item));
    }
    if (typeof value === "object" && value !== null) {
      if (typeof value.$int === "string") {
        const integer = BigInt(value.$int);
        return Number.isSafeInteger(Number(integer)) ? Number(integer) : integer;
      }
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.fill(item)]));
    }
    return value;
  }

  #at(path: string): Json {
    if (path === "new") {
      return randomUUID();
    }
    let value: Json = this.#kept;
    for (const key of path.split(".")) {
      const next: Json | undefined = typeof value === "object" && value !== null ? (value as Document)[key] : undefined;
      if (next === undefined) {
        throw new Error(`there is no \${${path}}`);
      }
      value = next;
    }
    return value;
  }
}
