import assert from "node:assert/strict";
import { test } from "node:test";
import { mismatch } from "../scenarios/patterns.js";
import type { Json } from "../scenarios/variables.js";

const matching: readonly [Json, Json | undefined][] = [
  [{ a: 1 }, { a: 1, b: 2 }],
  [{ a: 5 }, { a: "5" }],
  [{ a: 0, b: "", c: null, d: false, e: [], f: {} }, {}],
  [{ a: { b: null } }, {}],
  [{ a: {} }, { a: { b: 1 } }],
  [{ $any: true }, "x"],
  [{ $absent: true }, undefined],
  [{ $match: "^a.c$" }, "abc"],
  [{ $gt: 1, $lte: 3 }, "3"],
  [{ $len: 2 }, "ü😀"],
  [{ $len: 0 }, undefined],
  [{ $contains: [{ a: 1 }] }, [{ a: 2 }, { a: 1 }]],
  [{ $contains: "b" }, "abc"],
  [{ $each: { a: 1 } }, []],
  [{ $not: 1 }, 2],
  [{ $keys: ["b", "a"] }, { a: 1, b: 2 }],
];
const failing: readonly [Json, Json | undefined][] = [
  [{ a: 1 }, { a: 2 }],
  [{ a: { b: 1 } }, {}],
  [{ a: "x" }, {}],
  [[1], [1, 2]],
  [[], [1]],
  [{ a: "" }, { a: "x" }],
  [{ a: null }, { a: 0 }],
  [{ a: null }, { a: [] }],
  [{ a: [] }, { a: {} }],
  [{ a: 0 }, { a: 1 }],
  [{ $any: true }, 0],
  [{ $absent: true }, "x"],
  [{ $match: "^b" }, "abc"],
  [{ $gt: 3 }, 3],
  [{ $gt: 3 }, undefined],
  [{ $len: 2 }, [1]],
  [{ $contains: [{ a: 3 }] }, [{ a: 2 }]],
  [{ $each: { a: 1 } }, [{ a: 1 }, { a: 2 }]],
  [{ $each: 1 }, undefined],
  [{ $not: 1 }, 1],
  [{ $keys: ["a"] }, { a: 1, b: 2 }],
  [{ $unknown: 1 }, 1],
];

for (const [pattern, value] of matching) {
  test(`${JSON.stringify(pattern)} matches ${JSON.stringify(value)}`, () => {
    assert.equal(mismatch(pattern, value), undefined);
  });
}
for (const [pattern, value] of failing) {
  test(`${JSON.stringify(pattern)} does not match ${JSON.stringify(value)}`, () => {
    assert.equal(typeof mismatch(pattern, value), "string");
  });
}

test("a mismatch says where", () => {
  assert.match(mismatch({ a: [{ b: 1 }] }, { a: [{ b: 2 }] }) ?? "", /^at a\.0\.b: expected 1, got 2$/);
});
