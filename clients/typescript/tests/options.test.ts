import assert from "node:assert/strict";
import { test } from "node:test";
import { ExecutionClient, InvalidArgumentError } from "../src/index.js";
import { addressOf } from "../src/options.js";

test("targets are host and port, or a socket", () => {
  assert.deepEqual(addressOf("127.0.0.1:50051", false), { url: "http://127.0.0.1:50051" });
  assert.deepEqual(addressOf("workflows.example:443", true), { url: "https://workflows.example:443" });
  assert.deepEqual(addressOf("[::1]:50051", false), { url: "http://[::1]:50051" });
  assert.deepEqual(addressOf("dns:///workflows.example:1", false), { url: "http://workflows.example:1" });
  assert.deepEqual(addressOf("unix:/run/a.sock", false), { url: "http://localhost", socketPath: "/run/a.sock" });
  assert.deepEqual(addressOf("unix:///run/a.sock", false), { url: "http://localhost", socketPath: "/run/a.sock" });
  assert.deepEqual(addressOf("unix:a.sock", false), { url: "http://localhost", socketPath: "a.sock" });
});

for (const target of [
  "",
  "localhost",
  "localhost:",
  "http://localhost:1",
  "localhost:99999",
  "a b:1",
  "unix:",
  "u@h:1",
]) {
  test(`"${target}" is no target, and the error says what would be right`, () => {
    assert.throws(
      () => new ExecutionClient({ target }),
      (error: InvalidArgumentError) => {
        assert.ok(error instanceof InvalidArgumentError);
        assert.equal(error.fieldViolations[0]?.path, "target");
        return /host:port/.test(error.message);
      },
    );
  });
}

test("limits that are no time are refused", () => {
  assert.throws(() => new ExecutionClient({ callTimeout: "soon" }), InvalidArgumentError);
  assert.throws(() => new ExecutionClient({ reconnectTimeout: -1 }), InvalidArgumentError);
});
