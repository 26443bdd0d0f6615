// Against the server at EXECSVC_TARGET; scripts/check sets it.

import assert from "node:assert/strict";
import { after, describe, test } from "node:test";
import { ExecutionClient, InvalidArgumentError, isTerminal, v1 } from "../src/index.js";

const target = process.env.EXECSVC_TARGET;

const DOUBLE = {
  nodes: [
    { id: "in", type: "input", config: { defaults: { n: 1 } } },
    {
      id: "out",
      type: "output",
      config: { expression: '{"n": input.n * 2, "half": input.n / 2.0, "text": input.text}' },
    },
  ],
  edges: [{ source: "in", target: "out" }],
};

const ENDLESS = {
  nodes: [
    { id: "ask", type: "llm", config: { model: "echo:", prompt: "x", parameters: { delay: 3600 } } },
    { id: "out", type: "output" },
  ],
  edges: [{ source: "ask", target: "out" }],
};

describe("a real server", { skip: target ? false : "EXECSVC_TARGET is not set", timeout: 60_000 }, () => {
  const client = new ExecutionClient(target ? { target } : {});
  after(() => client.close());

  async function run(): Promise<string> {
    const { executionId } = await client.execute({
      definition: DOUBLE,
      input: { n: 21, text: "grün 😀" },
      labels: { suite: "typescript" },
      timeout: "10m",
      retry: { maxAttempts: 3, initialBackoff: "200ms" },
    });
    return executionId;
  }

  test("results are plain values, which can be written as JSON, with the message behind them", async () => {
    const execution = await client.wait(await run(), { timeout: 30 });
    assert.equal(execution.state, "COMPLETED");
    assert.ok(isTerminal(execution.state));
    assert.deepEqual(execution.output, { n: 42, half: 10.5, text: "grün 😀" });
    assert.deepEqual(execution.input, { n: 21, text: "grün 😀" });
    assert.equal(execution.timeout, 600);
    assert.equal(execution.retry?.maxAttempts, 3);
    assert.equal(execution.retry?.initialBackoff, 0.2);
    assert.deepEqual(
      execution.nodes.map((node) => [node.nodeId, node.state]),
      [
        ["in", "COMPLETED"],
        ["out", "COMPLETED"],
      ],
    );
    assert.ok(execution.status.createTime instanceof Date);
    assert.equal(execution.raw.status?.state, v1.ExecutionState.COMPLETED);
    assert.equal(execution.definition?.nodes.length, 2);
    const written = JSON.parse(JSON.stringify(execution));
    assert.equal(written.output.n, 42);
    assert.equal(written.raw, undefined);
  });

  test("a log is read to its end, and from a place in it", async () => {
    const executionId = await run();
    const log = client.logs(executionId, { follow: true });
    const sequences: number[] = [];
    for await (const entry of log) {
      sequences.push(entry.sequence);
    }
    assert.deepEqual(
      sequences,
      Array.from(sequences, (_, index) => index + 1),
    );
    assert.equal(log.finalStatus?.state, "COMPLETED");
    const rest = client.logs(executionId, { afterSequence: 2, uid: log.uid });
    assert.equal((await rest.next()).value?.sequence, 3);
    await rest.return();
    const listed: number[] = [];
    for await (const entry of client.listLogs(executionId, { pageSize: 2 })) {
      listed.push(entry.sequence);
    }
    assert.deepEqual(listed, sequences);
  });

  test("limits of the server are numbers", async () => {
    const { limits, version } = await client.serverInfo();
    assert.match(version, /^\d+\.\d+/);
    assert.equal(limits.maxRequestBytes, 32 * 1024 * 1024);
    assert.equal(typeof limits.maxNodes, "number");
  });

  test("what is new in the API can be called through the services", async () => {
    const { nodeTypes } = await client.services.workflows.listNodeTypes({});
    assert.ok(nodeTypes.some((type) => type.name === "output"));
  });

  test("the server's problems arrive with their paths", async () => {
    const definition = { nodes: [{ id: "out", type: "output", config: { expression: "nodes.nobody" } }] };
    await assert.rejects(client.execute({ definition }), (error: InvalidArgumentError) => {
      assert.ok(error instanceof InvalidArgumentError);
      assert.equal(error.domain, "execsvc");
      return error.fieldViolations[0]?.path === "definition.nodes[0].config.expression";
    });
  });

  test("a retry without an input leaves the input as it is", async () => {
    const { executionId } = await client.execute({ definition: ENDLESS, input: { n: 1 } });
    assert.equal((await client.stop(executionId, { reason: "enough" })).state, "STOPPED");
    await client.retry(executionId);
    await client.stop(executionId);
    assert.deepEqual((await client.wait(executionId)).input, { n: 1 });
    await client.delete(executionId);
  });
});
