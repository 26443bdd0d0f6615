// Joins a result with the message behind it.

/** A result, and the protobuf message that it was made from: `raw` has what this client does not know of yet. */
export type WithRaw<T, R> = T & { readonly raw: R };

/**
 * Returns a result with members that are not listed when it is printed, compared, or written as JSON: messages hold
 * bigints, which `JSON.stringify` refuses.
 */
export function withHidden<T extends object, H extends object>(fields: T, hidden: H): T & Readonly<H> {
  for (const [name, value] of Object.entries(hidden)) {
    Object.defineProperty(fields, name, { value });
  }
  return fields as T & Readonly<H>;
}
