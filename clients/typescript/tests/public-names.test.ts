import assert from "node:assert/strict";
import { test } from "node:test";
import * as client from "../src/index.js";

test("the public names stay as they are", () => {
  assert.deepEqual(Object.keys(client).sort(), [
    "AbortedError",
    "AlreadyExistsError",
    "CancelledError",
    "DeadlineExceededError",
    "DefinitionError",
    "ExecsvcError",
    "ExecutionClient",
    "FailedPreconditionError",
    "InternalError",
    "InvalidArgumentError",
    "NotFoundError",
    "OutOfRangeError",
    "PermissionDeniedError",
    "ResourceExhaustedError",
    "UnauthenticatedError",
    "UnavailableError",
    "UnimplementedError",
    "isTerminal",
    "readDefinition",
    "toDefinition",
    "v1",
  ]);
  const methods = new Set<string>();
  for (let of = client.ExecutionClient.prototype; of !== Object.prototype; of = Object.getPrototypeOf(of)) {
    for (const name of Object.getOwnPropertyNames(of)) {
      methods.add(name);
    }
  }
  assert.deepEqual([...methods].sort(), [
    "close",
    "constructor",
    "createWorkflow",
    "delete",
    "execute",
    "get",
    "getWorkflow",
    "listExecutions",
    "listExecutionsPage",
    "listLogs",
    "listLogsPage",
    "listWorkflows",
    "listWorkflowsPage",
    "logs",
    "nodeTypes",
    "pause",
    "resume",
    "retry",
    "serverInfo",
    "services",
    "status",
    "stop",
    "validate",
    "wait",
    "watch",
  ]);
});

test("the messages of the API are all there", () => {
  for (const name of ["ExecutionService", "WorkflowService", "ServerService", "ExecuteRequestSchema", "LogLevel"]) {
    assert.ok(name in client.v1, name);
  }
});
