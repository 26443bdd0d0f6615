import assert from "node:assert/strict";
import { test } from "node:test";
import { toDuration } from "../src/durations.js";
import { InvalidArgumentError } from "../src/errors.js";
import { secondsOf } from "../src/options.js";
import { Problems } from "../src/problems.js";

const written: readonly [number | string, bigint, number][] = [
  [90, 90n, 0],
  [0.25, 0n, 250_000_000],
  [1e-9, 0n, 1],
  [-1.5, -1n, -500_000_000],
  ["90s", 90n, 0],
  ["1.5s", 1n, 500_000_000],
  ["200ms", 0n, 200_000_000],
  ["7us", 0n, 7_000],
  ["2m", 120n, 0],
  ["1.5h", 5400n, 0],
];

for (const [value, seconds, nanos] of written) {
  test(`${JSON.stringify(value)} is a duration`, () => {
    const duration = toDuration(value, "timeout", new Problems());
    assert.equal(duration?.seconds, seconds);
    assert.equal(duration?.nanos, nanos);
  });
}

for (const value of ["", "90", "1 s", "-1s", "1d", "soon", Number.NaN, Infinity, null, true, {}, 1e20]) {
  test(`${String(value)} is none, and the path is told`, () => {
    const problems = new Problems();
    assert.equal(toDuration(value, "nodes[0].timeout", problems), undefined);
    assert.equal(problems.found[0]?.path, "nodes[0].timeout");
    assert.equal(problems.found[0]?.reason, "INVALID_DURATION");
  });
}

test("limits of a client may be without end, and not negative", () => {
  assert.equal(secondsOf(Infinity, "reconnectTimeout"), Infinity);
  assert.equal(secondsOf("2m", "reconnectTimeout"), 120);
  assert.throws(() => secondsOf(-1, "callTimeout"), InvalidArgumentError);
});
