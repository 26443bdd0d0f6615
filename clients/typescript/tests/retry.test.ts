import assert from "node:assert/strict";
import { test } from "node:test";
import { DeadlineExceededError, NotFoundError, UnavailableError } from "../src/errors.js";
import { CallRetry, Reconnect, type Timing } from "../src/retry.js";

class Clock implements Timing {
  now = 100;
  clock(): number {
    return this.now;
  }
  chance(): number {
    return 1;
  }
}

const away = new UnavailableError("away");

test("a call is tried five times, with growing pauses", () => {
  const retry = new CallRetry(new Clock(), true, 30);
  const delays = [1, 2, 3, 4].map(() => retry.delayAfter(away));
  assert.deepEqual(delays, [0.1, 0.2, 0.4, 0.8]);
  assert.throws(() => retry.delayAfter(away), UnavailableError);
});

test("half of a pause is chance", () => {
  const retry = new CallRetry({ clock: () => 0, chance: () => 0 }, true, 30);
  assert.equal(retry.delayAfter(away), 0.05);
});

test("a call is not repeated where that is unsafe, useless, or too late", () => {
  assert.throws(() => new CallRetry(new Clock(), false, 30).delayAfter(away), UnavailableError);
  assert.throws(() => new CallRetry(new Clock(), true, 30).delayAfter(new NotFoundError("no")), NotFoundError);
  assert.throws(() => new CallRetry(new Clock(), true, 0.05).delayAfter(away), UnavailableError);
});

test("a call whose time is up in a later attempt tells why the one before it failed", () => {
  const retry = new CallRetry(new Clock(), true, 30);
  const late = new DeadlineExceededError("the operation timed out");
  retry.delayAfter(away);
  assert.throws(
    () => retry.delayAfter(late),
    (error: unknown) => error instanceof DeadlineExceededError && /timed out; before that: away$/.test(error.message),
  );
  assert.throws(() => new CallRetry(new Clock(), true, 30).delayAfter(late), late);
});

test("a server that names a delay gets it", () => {
  const busy = new UnavailableError("busy", { details: { retryDelay: 7 } });
  assert.equal(new CallRetry(new Clock(), true, 30).delayAfter(busy), 7);
});

test("a stream goes on until the server was away for too long", () => {
  const clock = new Clock();
  const reconnect = new Reconnect(clock, { giveUpAfter: 10 });
  assert.equal(reconnect.delayAfter(away), 0.1);
  clock.now += 9.5;
  assert.equal(reconnect.delayAfter(away), 0.2);
  clock.now += 0.4;
  assert.ok(Math.abs(reconnect.delayAfter(away) - 0.1) < 1e-9, "the last attempt is at the end of the limit");
  clock.now += 0.1;
  assert.throws(() => reconnect.delayAfter(away), UnavailableError);
});

test("an answer begins the outage anew, but only news let pauses start small", () => {
  const clock = new Clock();
  const reconnect = new Reconnect(clock, { giveUpAfter: 1 });
  reconnect.delayAfter(away);
  clock.now += 0.9;
  reconnect.progress(false);
  clock.now += 0.9;
  assert.equal(reconnect.delayAfter(away), 0.2);
  reconnect.progress(true);
  assert.equal(reconnect.delayAfter(away), 0.1);
});

test("an error about the request ends a stream at once, and so does its deadline", () => {
  const clock = new Clock();
  const reconnect = new Reconnect(clock, { giveUpAfter: 300, deadline: 101 });
  assert.equal(reconnect.attemptTimeout(), 1);
  assert.throws(() => reconnect.delayAfter(new NotFoundError("gone")), NotFoundError);
  clock.now = 101;
  assert.throws(() => reconnect.delayAfter(away), DeadlineExceededError);
});
