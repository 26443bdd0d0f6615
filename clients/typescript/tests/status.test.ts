import assert from "node:assert/strict";
import { test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import { CancelledError, UnavailableError } from "../src/errors.js";
import { fromCallError } from "../src/status.js";

// As an error is that a server has sent.
function answered(message: string, code: Code): ConnectError {
  return new ConnectError(message, code, { "grpc-status": String(code) });
}

test("a call that a server's core gave up is unavailability, and what it said is the cause", () => {
  const said = answered("CANCELLED", Code.Canceled);
  const error = fromCallError(said);
  assert.ok(error instanceof UnavailableError);
  assert.deepEqual([error.code, error.reason, error.cause], ["UNAVAILABLE", "", said]);
  assert.equal(error.message, "the server gave the call up before it was read, as one does that closes or is overrun");
});

test("a call that somebody gave up stays cancelled", () => {
  const named = answered("CANCELLED", Code.Canceled);
  // An ErrorInfo with the reason R.
  named.details.push({ type: "google.rpc.ErrorInfo", value: Uint8Array.of(0x0a, 1, 0x52) });
  const others = ["", "the job was CANCELLED", "cancelled"].map((text) => answered(text, Code.Canceled));
  for (const said of [named, ...others]) {
    const error = fromCallError(said);
    assert.ok(error instanceof CancelledError, said.rawMessage);
  }
  assert.equal(fromCallError(named).reason, "R");
});
