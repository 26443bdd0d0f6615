import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, test } from "node:test";
import { ExecutionClient, UnauthenticatedError, UnavailableError } from "../src/index.js";
import { serve } from "./grpc-server.js";

describe("who calls", { timeout: 60_000 }, () => {
  test("a token is sent with every call, and a function is asked each time", async () => {
    const seen: (string | null)[] = [];
    await using server = await serve({
      getStatus: (_, { requestHeader }) => {
        seen.push(requestHeader.get("authorization"));
        return {};
      },
    });
    let turn = 0;
    const fresh = async () => {
      turn += 1;
      return `n${turn}`;
    };
    for (const token of ["t1", fresh, () => ""]) {
      using client = new ExecutionClient({ target: server.target, token });
      await client.status("a");
      await client.services.executions.getStatus({});
    }
    assert.deepEqual(seen, ["Bearer t1", "Bearer t1", "Bearer n1", "Bearer n2", null, null]);
  });

  test("metadata is sent along with every call, and a function is asked each time", async () => {
    const seen: (string | null)[] = [];
    await using server = await serve({
      getStatus: (_, { requestHeader }) => {
        seen.push(requestHeader.get("traceparent"), requestHeader.get("authorization"));
        return {};
      },
    });
    let turn = 0;
    const fresh = () => {
      turn += 1;
      return { traceparent: `n${turn}` };
    };
    for (const metadata of [{ traceparent: "t1" }, fresh]) {
      using client = new ExecutionClient({ target: server.target, token: "t", metadata });
      await client.status("a");
      await client.status("a");
    }
    assert.deepEqual(
      seen.filter((value) => value !== "Bearer t"),
      ["t1", "t1", "n1", "n2"],
    );
    assert.equal(seen.length, 8);
  });

  test("a function that has no token fails the call before it is sent", async () => {
    await using server = await serve({ getStatus: () => ({}) });
    const broken = new Error("the vault is locked");
    using client = new ExecutionClient({
      target: server.target,
      token: () => {
        throw broken;
      },
    });
    await assert.rejects(client.status("a"), (error: UnauthenticatedError) => {
      assert.ok(error instanceof UnauthenticatedError);
      return /the vault is locked/.test(error.message);
    });
  });

  test("TLS is spoken where asked for, and trusts only whom it was told to", async () => {
    const folder = await mkdtemp(join(tmpdir(), "tls-"));
    try {
      const { cert, key } = await certificate(folder, "workflows.example");
      await using server = await serve({ getStatus: () => ({ status: { executionId: "a" } }) }, { tls: { cert, key } });
      using trusting = new ExecutionClient({
        target: server.target,
        tls: { ca: cert, serverName: "workflows.example" },
      });
      assert.equal((await trusting.status("a")).executionId, "a");
      using other = new ExecutionClient({ target: server.target, tls: { ca: cert } });
      await assert.rejects(other.status("a"), (error: UnavailableError) => {
        assert.ok(error instanceof UnavailableError);
        return /does not match certificate/.test(error.message);
      });
      using distrusting = new ExecutionClient({ target: server.target, tls: true });
      await assert.rejects(distrusting.status("a"), /self-signed certificate/);
    } finally {
      await rm(folder, { recursive: true });
    }
  });

  test("a socket in the file system is a target", async () => {
    const folder = await mkdtemp(join(tmpdir(), "socket-"));
    const path = join(folder, "s");
    {
      await using _server = await serve({ getStatus: () => ({ status: { executionId: "a" } }) }, { listen: { path } });
      using client = new ExecutionClient({ target: `unix:${path}` });
      assert.equal((await client.status("a")).executionId, "a");
    }
    await rm(folder, { recursive: true });
  });
});

async function certificate(folder: string, name: string): Promise<{ cert: string; key: string }> {
  const [cert, key] = [join(folder, "cert.pem"), join(folder, "key.pem")];
  const given = `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=${name}`;
  const child = spawn(
    "openssl",
    [...given.split(" "), "-addext", `subjectAltName=DNS:${name}`, "-keyout", key, "-out", cert],
    { stdio: ["ignore", "ignore", "ignore"] },
  );
  const [code] = await once(child, "exit");
  assert.equal(code, 0, "openssl makes a certificate");
  return { cert: await readFile(cert, "utf8"), key: await readFile(key, "utf8") };
}
