import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { create, equals, toJson } from "@bufbuild/protobuf";
import { DefinitionError, readDefinition, toDefinition, v1 } from "../src/index.js";

const PLAIN = {
  nodes: [
    { id: "in", type: "input", config: { defaults: { n: 1 } } },
    {
      id: "ask",
      type: "llm",
      name: "Ask",
      config: { model: "echo:", prompt: "{{input.n}}", messages: [{ role: "user", content: "x" }] },
      retry: { max_attempts: 3, initial_backoff: "200ms", non_retryable: ["LLM_REFUSED"] },
      timeout: 90,
      on_error: { action: "continue", fallback: [null, 1.5, { a: "b" }] },
    },
    { id: "own", type: "acme.lookup", config: { table: "t" } },
  ],
  edges: [{ source: "in", target: "ask", branch: "true" }],
};

function problemsOf(definition: Parameters<typeof toDefinition>[0]): string[] {
  try {
    toDefinition(definition);
  } catch (error) {
    assert.ok(error instanceof DefinitionError);
    assert.equal(error.code, "INVALID_ARGUMENT");
    return error.fieldViolations.map(({ path, reason }) => `${path} ${reason}`);
  }
  return [];
}

test("the JSON form becomes the message", () => {
  const message = toJson(v1.WorkflowDefinitionSchema, toDefinition(PLAIN), { useProtoFieldName: true });
  assert.deepEqual(message, {
    nodes: [
      { id: "in", input: { defaults: { n: 1 } } },
      {
        id: "ask",
        name: "Ask",
        llm: { model: "echo:", prompt: "{{input.n}}", messages: [{ role: "user", content: "x" }] },
        retry: { max_attempts: 3, initial_backoff: "0.200s", non_retryable: ["LLM_REFUSED"] },
        timeout: "90s",
        on_error: { action: "ACTION_CONTINUE", fallback: [null, 1.5, { a: "b" }] },
      },
      { id: "own", custom: { type: "acme.lookup", config: { table: "t" } } },
    ],
    edges: [{ source: "in", target: "ask", branch: "true" }],
  });
});

test("text, file, URL, camelCase and the message itself mean the same", async () => {
  const wanted = toDefinition(PLAIN);
  const text = JSON.stringify(PLAIN);
  const camel = text.replace(/on_error|max_attempts|initial_backoff|non_retryable/g, (name) =>
    name.replace(/_(.)/g, (_, letter: string) => letter.toUpperCase()),
  );
  const folder = await mkdtemp(join(tmpdir(), "definition-"));
  try {
    const file = join(folder, "flow.json");
    await writeFile(file, `\ufeff${text}`);
    const forms = [
      toDefinition(text),
      toDefinition(camel),
      toDefinition(wanted),
      await readDefinition(file),
      await readDefinition(pathToFileURL(file)),
    ];
    for (const form of forms) {
      assert.ok(equals(v1.WorkflowDefinitionSchema, form, wanted));
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test("a React Flow export is taken: data for config, sourceHandle for branch", () => {
  const exported = {
    nodes: [
      {
        id: "check",
        type: "condition",
        position: { x: 0, y: 1 },
        measured: { width: 10, height: 10 },
        data: { label: "Check", expression: "true", timeout: "5s" },
      },
    ],
    edges: [{ id: "e1", source: "check", target: "b", sourceHandle: "true", targetHandle: null, animated: true }],
    viewport: { x: 0, y: 0, zoom: 1 },
  };
  assert.deepEqual(toJson(v1.WorkflowDefinitionSchema, toDefinition(exported)), {
    nodes: [{ id: "check", name: "Check", condition: { expression: "true" }, timeout: "5s" }],
    edges: [{ source: "check", target: "b", branch: "true" }],
  });
});

test("every problem is reported at once, with its path", () => {
  const found = problemsOf({
    nodes: [
      { id: 7, type: "output", config: { expresion: "1" } },
      { id: "b", config: {} },
      { id: "c", type: "output", config: {}, data: {} },
      { id: "d", type: "llm", config: { messages: "x", parameters: { n: 2 ** 60 } }, timeout: "soon" },
      { id: "e", type: "output", retry: { max_attempts: 1.5, non_retryable: [1] }, on_error: { action: "explode" } },
      "node",
    ],
    edges: [{ source: "a", target: "b", branch: "x", sourceHandle: "y", colour: "red" }],
    colour: "red",
  } as object);
  assert.deepEqual(found.sort(), [
    "definition.colour UNKNOWN_FIELD",
    "definition.edges[0].colour UNKNOWN_FIELD",
    "definition.edges[0].sourceHandle CONFLICT",
    "definition.nodes[0].config.expresion UNKNOWN_FIELD",
    "definition.nodes[0].id WRONG_TYPE",
    "definition.nodes[1].type REQUIRED",
    "definition.nodes[2].data CONFLICT",
    "definition.nodes[3].config.messages WRONG_TYPE",
    "definition.nodes[3].config.parameters.n INEXACT_INTEGER",
    "definition.nodes[3].timeout INVALID_DURATION",
    "definition.nodes[4].on_error.action UNKNOWN_VALUE",
    "definition.nodes[4].retry.max_attempts OUT_OF_RANGE",
    "definition.nodes[4].retry.non_retryable[0] WRONG_TYPE",
    "definition.nodes[5] WRONG_TYPE",
  ]);
});

test("what is no definition is refused", () => {
  assert.deepEqual(problemsOf("flow.json"), ["definition INVALID_JSON"]);
  assert.deepEqual(problemsOf("[]"), ["definition WRONG_TYPE"]);
  assert.deepEqual(problemsOf({ nodes: {} } as object), ["definition.nodes WRONG_TYPE"]);
  const other = create(v1.EdgeSchema) as unknown as v1.WorkflowDefinition;
  assert.notDeepEqual(problemsOf(other), []);
});

test("only files are read, and a file that is not UTF-8 says so", async () => {
  await assert.rejects(readDefinition(new URL("https://example.com/flow.json")), DefinitionError);
  const folder = await mkdtemp(join(tmpdir(), "definition-"));
  try {
    const file = join(folder, "flow.json");
    await writeFile(file, Buffer.from([0x7b, 0xff]));
    await assert.rejects(readDefinition(file), (error: DefinitionError) => {
      assert.deepEqual(error.fieldViolations[0]?.reason, "INVALID_UNICODE");
      return error.fieldViolations[0]?.path === file;
    });
    await assert.rejects(readDefinition(join(folder, "none.json")), { code: "ENOENT" });
  } finally {
    await rm(folder, { recursive: true });
  }
});
