import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { getEventListeners, once } from "node:events";
import { createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { Code, ConnectError } from "@connectrpc/connect";
import {
  CancelledError,
  DeadlineExceededError,
  ExecutionClient,
  NotFoundError,
  ResourceExhaustedError,
  UnavailableError,
  UnimplementedError,
  v1,
} from "../src/index.js";
import { Sessions } from "../src/session.js";
import { type GrpcServer, serve } from "./grpc-server.js";

const DONE = { finalStatus: { state: v1.ExecutionState.COMPLETED }, lastSequence: 3n };

function numbered(...sequences: bigint[]): { entries: { sequence: bigint }[]; lastSequence: bigint } {
  return { entries: sequences.map((sequence) => ({ sequence })), lastSequence: sequences.at(-1) ?? 0n };
}

/** Waits for the next time that something is said. */
class Bell {
  readonly #rung = new EventTarget();
  ring(): void {
    this.#rung.dispatchEvent(new Event("ring"));
  }
  async next(): Promise<void> {
    await once(this.#rung, "ring");
  }
}

describe("a broken connection", { timeout: 60_000 }, () => {
  test("a log goes on at its cursor after the server was killed and came back", async () => {
    const asked: bigint[] = [];
    const first = await serve({
      async *streamLogs({ afterSequence }, { signal }) {
        asked.push(afterSequence);
        yield numbered(1n, 2n);
        await once(signal, "abort");
      },
    });
    const { port, target } = first;
    using client = new ExecutionClient({ target });
    const log = client.logs("a", { follow: true });
    assert.equal((await log.next()).value?.sequence, 1);
    assert.equal((await log.next()).value?.sequence, 2);
    const third = log.next();
    await first.kill();
    await using _second = await serve(
      {
        async *streamLogs({ afterSequence }) {
          asked.push(afterSequence);
          yield numbered(3n);
          yield DONE;
        },
      },
      { listen: { port } },
    );
    assert.equal((await third).value?.sequence, 3);
    assert.equal((await log.next()).done, true);
    assert.equal(log.finalStatus?.state, "COMPLETED");
    assert.deepEqual(asked, [0n, 2n]);
  });

  test("a server that asks clients to leave loses nothing", async () => {
    await using server = await serve({ getStatus: () => ({ status: { executionId: "a" } }) });
    using client = new ExecutionClient({ target: server.target });
    await client.status("a");
    server.goAway();
    await client.status("a");
    await client.status("a");
    assert.equal(server.opened, 2);
  });

  test("calls at once share one connection", async () => {
    await using server = await serve({ getStatus: () => ({ status: { executionId: "a" } }) });
    using client = new ExecutionClient({ target: server.target });
    await Promise.all(Array.from({ length: 50 }, () => client.status("a")));
    assert.equal(server.opened, 1);
  });

  test("a call is repeated while the server is unavailable, and delete is not", async () => {
    let calls = 0;
    const fail = () => {
      calls += 1;
      if (calls < 3) {
        throw new ConnectError("not yet", Code.Unavailable);
      }
      return {};
    };
    await using server = await serve({ getStatus: fail, deleteExecution: fail });
    using client = new ExecutionClient({ target: server.target });
    await client.status("a");
    assert.equal(calls, 3);
    calls = 0;
    await assert.rejects(client.delete("a"), UnavailableError);
    assert.equal(calls, 1);
  });

  test("a call that the server's gRPC core gave up is repeated, and delete is not", async () => {
    let calls = 0;
    const fail = () => {
      calls += 1;
      if (calls < 3) {
        throw new ConnectError("CANCELLED", Code.Canceled);
      }
      return {};
    };
    await using server = await serve({ execute: fail, control: fail, getStatus: fail, deleteExecution: fail });
    using client = new ExecutionClient({ target: server.target });
    for (const call of [() => client.execute({ workflowId: "w" }), () => client.pause("a"), () => client.status("a")]) {
      calls = 0;
      await call();
      assert.equal(calls, 3);
    }
    calls = 0;
    await assert.rejects(client.delete("a"), UnavailableError);
    assert.equal(calls, 1);
  });

  test("a call that the server's gRPC core gives up each time says so", async () => {
    let calls = 0;
    await using server = await serve({
      getStatus: () => {
        calls += 1;
        throw new ConnectError("CANCELLED", Code.Canceled);
      },
    });
    using client = new ExecutionClient({ target: server.target });
    await assert.rejects(client.status("a"), (error: UnavailableError) => {
      assert.ok(error instanceof UnavailableError);
      assert.equal((error.cause as ConnectError).code, Code.Canceled);
      return /gave the call up/.test(error.message);
    });
    assert.equal(calls, 5);
  });

  test("a log and a watch go on where the server's gRPC core gave them up", async () => {
    const asked: bigint[] = [];
    let watches = 0;
    await using server = await serve({
      async *streamLogs({ afterSequence }) {
        asked.push(afterSequence);
        if (asked.length === 2) {
          yield numbered(1n, 2n);
        }
        if (asked.length < 4) {
          throw new ConnectError("CANCELLED", Code.Canceled);
        }
        yield numbered(3n);
        yield DONE;
      },
      async *watchExecution() {
        watches += 1;
        if (watches === 1) {
          throw new ConnectError("CANCELLED", Code.Canceled);
        }
        yield { status: { state: v1.ExecutionState.COMPLETED } };
      },
    });
    using client = new ExecutionClient({ target: server.target });
    const read: number[] = [];
    for await (const { sequence } of client.logs("a", { follow: true })) {
      read.push(sequence);
    }
    assert.deepEqual(read, [1, 2, 3]);
    assert.deepEqual(asked, [0n, 0n, 2n, 2n]);
    const states: string[] = [];
    for await (const { status } of client.watch("a")) {
      states.push(status.state);
    }
    assert.deepEqual([states, watches], [["COMPLETED"], 2]);
  });

  test("an execution keeps its id when the call is repeated", async () => {
    const ids: string[] = [];
    await using server = await serve({
      execute: ({ executionId }) => {
        ids.push(executionId);
        if (ids.length === 1) {
          throw new ConnectError("not yet", Code.Unavailable);
        }
        return { status: { executionId } };
      },
    });
    using client = new ExecutionClient({ target: server.target });
    const { executionId } = await client.execute({ workflowId: "w" });
    assert.deepEqual(ids, [executionId, executionId]);
    assert.match(executionId, /^[A-Za-z0-9_.:-]{1,128}$/);
  });

  test("where nobody listens, calls and streams say so", async () => {
    const server = await serve({});
    const { target } = server;
    await server.kill();
    using client = new ExecutionClient({ target, reconnectTimeout: 0 });
    await assert.rejects(client.serverInfo(), UnavailableError);
    await assert.rejects(client.logs("a").next(), UnavailableError);
    await assert.rejects(client.wait("a"), UnavailableError);
  });

  test("a connection that breaks off in the middle of an answer is no bug of the server's", async () => {
    const server = createServer((socket) => socket.once("data", () => socket.destroy()));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    using client = new ExecutionClient({ target: `127.0.0.1:${port}`, callTimeout: 1 });
    await assert.rejects(client.serverInfo(), UnavailableError);
    server.close();
  });
});

describe("limits", { timeout: 60_000 }, () => {
  test("a call without an answer ends at its deadline, which the server is told", async () => {
    let header: string | null = null;
    await using server = await serve({
      getStatus: async (_, { requestHeader, signal }) => {
        header = requestHeader.get("grpc-timeout");
        await once(signal, "abort");
        return {};
      },
    });
    using client = new ExecutionClient({ target: server.target, callTimeout: "200ms" });
    await assert.rejects(client.status("a"), DeadlineExceededError);
    assert.match(String(header), /^[0-9]+[mu]$/);
  });

  test("a host that takes connections and says nothing is given up", async () => {
    const sockets: Socket[] = [];
    const server = createServer((socket) => sockets.push(socket));
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    using client = new ExecutionClient({ target: `127.0.0.1:${port}`, callTimeout: "200ms" });
    await assert.rejects(client.serverInfo(), DeadlineExceededError);
    await assert.rejects(client.wait("a", { timeout: "200ms" }), /had not ended after 0.2 s/);
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });

  test("what does not connect in time fails, and the next try begins anew", async () => {
    let connections = 0;
    const sockets: Socket[] = [];
    const server = createServer((socket) => {
      connections += 1;
      sockets.push(socket);
    });
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as { port: number };
    // Nobody answers the handshake of TLS.
    const sessions = new Sessions(`https://127.0.0.1:${port}`, {}, 100);
    for (const tries of [1, 2]) {
      await assert.rejects(sessions.request("POST", "/", {}, {}), (error: ConnectError) => {
        return error.code === Code.Unavailable && /no connection to/.test(error.message);
      });
      assert.equal(connections, tries);
    }
    sessions.close();
    server.close();
    for (const socket of sockets) {
      socket.destroy();
    }
  });

  test("a request that no server takes is not sent", async () => {
    let calls = 0;
    await using server = await serve({
      execute: () => {
        calls += 1;
        return {};
      },
    });
    using client = new ExecutionClient({ target: server.target });
    await assert.rejects(client.execute({ input: { text: "x".repeat(33 << 20) } }), ResourceExhaustedError);
    assert.equal(calls, 0);
  });

  test("answers of any size are taken", async () => {
    const text = "ü".repeat(16 << 20);
    await using server = await serve({ getExecution: () => ({ execution: { input: { text } } }) });
    using client = new ExecutionClient({ target: server.target });
    const [one, two] = await Promise.all([client.get("a"), client.get("a")]);
    assert.equal(one.input?.text, text);
    assert.equal(two.input?.text, text);
  });
});

describe("giving up", { timeout: 60_000 }, () => {
  async function hanging(): Promise<{ server: GrpcServer; begun: Bell; freed: Bell }> {
    const begun = new Bell();
    const freed = new Bell();
    const hang = async (signal: AbortSignal) => {
      begun.ring();
      await once(signal, "abort");
      freed.ring();
    };
    const server = await serve({
      getStatus: async (_, { signal }) => {
        await hang(signal);
        return {};
      },
      async *streamLogs(_, { signal }) {
        yield numbered(1n, 2n);
        await hang(signal);
      },
    });
    return { server, begun, freed };
  }

  test("an AbortSignal frees the server's side of a call and of a stream", async () => {
    const { server, begun, freed } = await hanging();
    await using _ = server;
    using client = new ExecutionClient({ target: server.target });
    const calls = [
      (signal: AbortSignal) => client.status("a", { signal }),
      async (signal: AbortSignal) => {
        for await (const _ of client.logs("a", { follow: true, signal })) {
          // Two entries come, and then nothing.
        }
      },
      (signal: AbortSignal) => client.wait("a", { signal }),
    ];
    for (const call of calls) {
      const controller = new AbortController();
      const started = begun.next();
      const ended = freed.next();
      const failed = assert.rejects(call(controller.signal), (error: CancelledError) => {
        assert.ok(error instanceof CancelledError);
        return error.cause === "enough";
      });
      await started;
      controller.abort("enough");
      await failed;
      await ended;
      assert.equal(getEventListeners(controller.signal, "abort").length, 0);
    }
  });

  test("leaving a loop frees the server's side of a stream", async () => {
    const { server, freed } = await hanging();
    await using _ = server;
    using client = new ExecutionClient({ target: server.target });
    const ended = freed.next();
    const log = client.logs("a", { follow: true });
    for await (const entry of log) {
      assert.equal(entry.sequence, 1);
      break;
    }
    await ended;
    assert.equal(log.lastSequence, 1);
    assert.deepEqual(await log.next(), { value: undefined, done: true });
  });

  test("closing a stream ends a loop that waits, without an error", async () => {
    const { server, freed } = await hanging();
    await using _ = server;
    using client = new ExecutionClient({ target: server.target });
    const log = client.logs("a", { follow: true });
    await log.next();
    await log.next();
    const ended = freed.next();
    const third = log.next();
    log.close();
    assert.deepEqual(await third, { value: undefined, done: true });
    await ended;
  });

  test("closing the client cancels what is under way, and refuses what comes later", async () => {
    const { server, begun } = await hanging();
    await using _ = server;
    const client = new ExecutionClient({ target: server.target });
    const started = begun.next();
    const failed = assert.rejects(client.status("a"), CancelledError);
    const log = client.logs("a", { follow: true });
    await log.next();
    await log.next();
    const cut = assert.rejects(log.next(), CancelledError);
    await started;
    client.close();
    client.close();
    await failed;
    await cut;
    await assert.rejects(client.status("a"), /the client is closed/);
    await assert.rejects(client.logs("a").next(), CancelledError);
    await assert.rejects(client.services.executions.getStatus({}), { code: Code.Canceled });
  });

  test("a client may belong to a signal", async () => {
    const controller = new AbortController();
    const client = new ExecutionClient({ signal: controller.signal });
    controller.abort();
    await assert.rejects(client.serverInfo(), CancelledError);
    await assert.rejects(new ExecutionClient({ signal: controller.signal }).serverInfo(), CancelledError);
  });

  test("AbortSignal.timeout is a deadline", async () => {
    const { server } = await hanging();
    await using _ = server;
    using client = new ExecutionClient({ target: server.target });
    await assert.rejects(client.status("a", { signal: AbortSignal.timeout(100) }), DeadlineExceededError);
  });

  test("a signal that many calls share gets one listener, and loses it with the last of them", async () => {
    const all = new Bell();
    const release = new Bell();
    let waiting = 0;
    await using server = await serve({
      getStatus: async () => {
        waiting += 1;
        if (waiting === 20) {
          all.ring();
        }
        await release.next();
        return {};
      },
      async *streamLogs() {
        yield DONE;
      },
    });
    using client = new ExecutionClient({ target: server.target });
    const { signal } = new AbortController();
    const full = all.next();
    const calls = Array.from({ length: 20 }, () => client.status("a", { signal }));
    await full;
    assert.equal(getEventListeners(signal, "abort").length, 1);
    release.ring();
    await Promise.all(calls);
    for await (const _ of client.logs("a", { follow: true, signal })) {
      // There are none.
    }
    assert.equal(getEventListeners(signal, "abort").length, 0);
  });
});

test("errors of the services keep their kind", { timeout: 60_000 }, async () => {
  await using server = await serve({
    getStatus: () => {
      throw new ConnectError("no such thing", Code.NotFound);
    },
  });
  using client = new ExecutionClient({ target: server.target });
  await assert.rejects(client.status("a"), (error: NotFoundError) => {
    assert.ok(error instanceof NotFoundError);
    assert.deepEqual([error.code, error.reason, error.name], ["NOT_FOUND", "", "NotFoundError"]);
    return error.message === "no such thing";
  });
  await assert.rejects(client.get("a"), UnimplementedError);
});

test("a client that nobody closed does not keep the process", { timeout: 60_000 }, async () => {
  await using server = await serve({
    getStatus: () => ({}),
    async *streamLogs() {
      yield DONE;
    },
    getExecution: () => ({ execution: { status: { state: v1.ExecutionState.COMPLETED } } }),
  });
  const script = `
    const { ExecutionClient } = await import(${JSON.stringify(new URL("../src/index.js", import.meta.url).href)});
    const client = new ExecutionClient({ target: ${JSON.stringify(server.target)} });
    await client.status("a");
    await client.wait("a", { timeout: 3600 });
    for await (const entry of client.logs("a")) break;
    console.log("done");
  `;
  const child = spawn(process.execPath, ["--input-type=module", "--eval", script], { stdio: ["ignore", "pipe", 2] });
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
});
