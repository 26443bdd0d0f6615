"""The public names, frozen: whoever changes this list changes what users import."""

from __future__ import annotations

import json
import subprocess
import sys

import execsvc_client

NAMES = [
    "TLS",
    "Aborted",
    "AlreadyExists",
    "AsyncExecutionClient",
    "AsyncLogStream",
    "AsyncWatchStream",
    "Cancelled",
    "DeadlineExceeded",
    "DefinitionError",
    "DefinitionLike",
    "ExecsvcError",
    "Execution",
    "ExecutionClient",
    "ExecutionFailure",
    "ExecutionState",
    "ExecutionStatus",
    "FailedPrecondition",
    "InternalError",
    "InvalidArgument",
    "LogEntry",
    "LogLevel",
    "LogStream",
    "NodeRun",
    "NodeState",
    "NodeType",
    "NotFound",
    "OutOfRange",
    "Page",
    "PermissionDenied",
    "Problem",
    "Resource",
    "ResourceExhausted",
    "RetryPolicy",
    "ServerInfo",
    "Snapshot",
    "TokenChunk",
    "TokenUsage",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Validation",
    "Violation",
    "WatchStream",
    "Workflow",
    "to_definition",
    "v1",
]

METHODS = [
    "close",
    "create_workflow",
    "delete",
    "execute",
    "get",
    "get_workflow",
    "list_executions",
    "list_executions_page",
    "list_logs",
    "list_logs_page",
    "list_workflows",
    "logs",
    "node_types",
    "pause",
    "resume",
    "retry",
    "server_info",
    "status",
    "stop",
    "validate",
    "wait",
    "watch",
]


def test_the_package_exports_these_names() -> None:
    assert execsvc_client.__all__ == NAMES
    assert all(hasattr(execsvc_client, name) for name in NAMES)


def test_nothing_public_is_left_out_of_all() -> None:
    public = {name for name in vars(execsvc_client) if not name.startswith("_")}

    assert public == set(NAMES)


def test_the_clients_have_these_methods() -> None:
    for cls in (execsvc_client.AsyncExecutionClient, execsvc_client.ExecutionClient):
        assert sorted(name for name in dir(cls) if not name.startswith("_")) == METHODS


def test_every_public_class_has_a_docstring() -> None:
    for name in NAMES:
        value = getattr(execsvc_client, name)
        if isinstance(value, type):
            assert (value.__doc__ or "").strip(), name


def test_importing_it_loads_nothing_but_grpc_and_protobuf() -> None:
    code = (
        "import grpc, json, sys; before = set(sys.modules); import execsvc_client;"
        "print(json.dumps(sorted(set(sys.modules) - before)))"
    )
    printed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    modules = {name for name in json.loads(printed) if name.split(".")[0] not in sys.stdlib_module_names}

    assert {name.split(".")[0] for name in modules} <= {"execsvc_client", "google", "grpc"}
    assert not [name for name in modules if name.startswith(("google.rpc", "google.api"))]
