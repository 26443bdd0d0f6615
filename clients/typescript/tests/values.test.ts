import assert from "node:assert/strict";
import { test } from "node:test";
import { type Problem, Problems } from "../src/problems.js";
import { toJsonObject, toJsonValue } from "../src/values.js";

function convert(value: unknown): { json: unknown; found: Problem[] } {
  const problems = new Problems();
  return { json: toJsonValue(value, "input", problems), found: problems.found };
}

function reason(value: unknown): string | undefined {
  return convert(value).found[0]?.reason;
}

test("whole numbers that JavaScript may have rounded are refused, with their path", () => {
  const { found } = convert({ ids: [1, 2 ** 53] });
  assert.equal(found.length, 1);
  assert.equal(found[0]?.path, "input.ids[1]");
  assert.equal(found[0]?.reason, "INEXACT_INTEGER");
  assert.equal(reason(-(2 ** 53)), "INEXACT_INTEGER");
});

test("numbers that a double holds are sent as they are", () => {
  const numbers = [0, -1, 2 ** 53 - 1, 1.5, 5e-324, 1e21, 1.7976931348623157e308];
  assert.deepEqual(convert(numbers), { json: numbers, found: [] });
});

test("a BigInt is sent if a double holds it exactly", () => {
  assert.deepEqual(convert([2n ** 53n, 5n]), { json: [2 ** 53, 5], found: [] });
  assert.equal(reason(2n ** 53n + 1n), "INEXACT_INTEGER");
  assert.equal(reason(10n ** 400n), "INEXACT_INTEGER");
});

test("minus zero becomes the integer zero", () => {
  assert.ok(Object.is(convert(-0).json, 0));
});

test("what JSON does not have is refused", () => {
  assert.equal(reason(Number.NaN), "NOT_FINITE");
  assert.equal(reason(Infinity), "NOT_FINITE");
  for (const value of [new Date(), new Map(), new Uint8Array(1), () => 1, Symbol("a"), [undefined]]) {
    assert.equal(reason(value), "WRONG_TYPE", String(value));
  }
});

test("members that are undefined are left out, as JSON.stringify does", () => {
  assert.deepEqual(convert({ a: undefined, b: 1 }), { json: { b: 1 }, found: [] });
});

test("half a surrogate pair is refused in texts and in keys", () => {
  assert.equal(reason("ok \ud83d"), "INVALID_UNICODE");
  assert.equal(reason({ "\udc00": 1 }), "INVALID_UNICODE");
  assert.deepEqual(convert("grün 😀"), { json: "grün 😀", found: [] });
});

test("a circle is refused, and one object in two places is not", () => {
  const circle: Record<string, unknown> = {};
  circle.self = [circle, circle];
  assert.equal(reason(circle), "CIRCULAR");
  const shared = { a: 1 };
  assert.deepEqual(convert([shared, shared]).found, []);
});

test("values are nested thirty levels deep at most", () => {
  const nested = (levels: number): unknown => (levels === 0 ? 1 : [nested(levels - 1)]);
  assert.equal(reason(nested(30)), undefined);
  assert.equal(reason(nested(31)), "TOO_DEEP");
});

test("a key named __proto__ is a member like others", () => {
  const json = toJsonObject(JSON.parse('{"__proto__": {"a": 1}}'), "input", new Problems());
  assert.deepEqual(Object.keys(json), ["__proto__"]);
});
