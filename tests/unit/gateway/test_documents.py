"""The HTTP form of what the client answers, field by field; and that OpenAPI describes just these fields."""

from __future__ import annotations

import pytest
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel

from execsvc.gateway import schemas
from execsvc.gateway.documents import (
    entry_document,
    node_document,
    node_type_document,
    record_document,
    snapshot_document,
    status_document,
    summary_document,
    token_document,
)
from execsvc_client import (
    Execution,
    ExecutionStatus,
    LogEntry,
    NodeRun,
    NodeType,
    Snapshot,
    TokenChunk,
    to_definition,
    v1,
)

DEFINITION = {
    "nodes": [{"id": "a", "type": "llm", "config": {"model": "echo:", "prompt": "x"}, "timeout": "1.5s"}],
    "edges": [],
}
RAW_STATUS = v1.ExecutionStatus(
    execution_id="e",
    workflow_id="w",
    state=v1.EXECUTION_STATE_RUNNING,
    current_node="a",
    running_nodes=["a", "b"],
    progress=0.25,
    message="running a, b",
    create_time=Timestamp(seconds=1_000_000_000, nanos=1_000),
    start_time=Timestamp(seconds=1_000_000_001),
)
STATUS = {
    "execution_id": "e",
    "workflow_id": "w",
    "status": "running",
    "current_node": "a",
    "running_nodes": ["a", "b"],
    "progress": 0.25,
    "message": "running a, b",
    "create_time": "2001-09-09T01:46:40.000001Z",
    "start_time": "2001-09-09T01:46:41Z",
    "end_time": None,
}
RAW_ERROR = v1.ExecutionError(node_id="a", type="NODE_TIMEOUT", message="too slow", retryable=True, attempt=2)
ERROR = {"node_id": "a", "type": "NODE_TIMEOUT", "message": "too slow", "retryable": True, "attempt": 2}
RAW_USAGE = v1.TokenUsage(input_tokens=2**53, output_tokens=2, total_tokens=3)
USAGE = {"input_tokens": 2**53, "output_tokens": 2, "total_tokens": 3}
RAW_NODE = v1.NodeRun(
    node_id="a",
    type="llm",
    state=v1.NODE_STATE_FAILED,
    attempt=2,
    start_time=Timestamp(seconds=1_000_000_001),
    end_time=Timestamp(seconds=1_000_000_002),
    output=Value(number_value=3),
    error=RAW_ERROR,
    usage=RAW_USAGE,
    branch="yes",
)
NODE = {
    "node_id": "a",
    "type": "llm",
    "status": "failed",
    "attempt": 2,
    "branch": "yes",
    "start_time": "2001-09-09T01:46:41Z",
    "end_time": "2001-09-09T01:46:42Z",
    "error": ERROR,
    "usage": USAGE,
}
NOTHING = {"branch": None, "start_time": None, "end_time": None, "error": None, "usage": None}


def raw_execution() -> v1.Execution:
    given = Struct()
    given.update({"n": 3, "x": 0.5})
    return v1.Execution(
        status=RAW_STATUS,
        uid="u",
        definition_digest="d",
        definition=to_definition(DEFINITION),
        input=given,
        output=Value(number_value=2.0**53),
        error=RAW_ERROR,
        nodes=[RAW_NODE, v1.NodeRun(node_id="b", type="output", state=v1.NODE_STATE_SKIPPED)],
        labels={"team": "billing"},
        priority=-5,
        timeout=Duration(seconds=90, nanos=500_000_000),
        concurrency_key="k",
        usage=RAW_USAGE,
        retry=v1.RetryPolicy(
            max_attempts=3,
            initial_backoff=Duration(nanos=200_000_000),
            multiplier=3,
            max_backoff=Duration(seconds=5),
            non_retryable=["LLM_AUTH"],
        ),
    )


SUMMARY = STATUS | {
    "uid": "u",
    "definition_digest": "d",
    "labels": {"team": "billing"},
    "priority": -5,
    "timeout": 90.5,
    "concurrency_key": "k",
    "retry": {
        "max_attempts": 3,
        "initial_backoff": 0.2,
        "multiplier": 3.0,
        "max_backoff": 5.0,
        "non_retryable": ["LLM_AUTH"],
    },
    "error": ERROR,
}
NODE_B = {"node_id": "b", "type": "output", "status": "skipped", "attempt": 0, **NOTHING}


def fields(model: type[BaseModel]) -> set[str]:
    """Names that OpenAPI has of a document."""
    return set(model.model_fields)


def test_a_status_field_by_field() -> None:
    assert status_document(ExecutionStatus.from_proto(RAW_STATUS)) == STATUS
    assert fields(schemas.Status) == set(STATUS)


@pytest.mark.parametrize("name", ["PENDING", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "STOPPED"])
def test_states_are_lower_case(name: str) -> None:
    raw = v1.ExecutionStatus(state=getattr(v1, f"EXECUTION_STATE_{name}"))

    assert status_document(ExecutionStatus.from_proto(raw))["status"] == name.lower()


def test_what_is_not_there_is_null() -> None:
    document = status_document(ExecutionStatus.from_proto(v1.ExecutionStatus(execution_id="e")))

    assert {name for name, value in document.items() if value is None} == {
        "workflow_id",
        "current_node",
        "start_time",
        "end_time",
    }


def test_a_node_field_by_field() -> None:
    assert node_document(NodeRun.from_proto(RAW_NODE)) == NODE
    assert node_document(NodeRun.from_proto(v1.NodeRun(node_id="b", type="output", state=v1.NODE_STATE_SKIPPED))) == (
        NODE_B
    )
    assert fields(schemas.Node) == set(NODE)
    assert fields(schemas.Failure) == set(ERROR)
    assert fields(schemas.Usage) == set(USAGE)


def test_an_execution_of_a_list_field_by_field() -> None:
    assert summary_document(Execution.from_proto(raw_execution())) == SUMMARY
    assert fields(schemas.Summary) == set(SUMMARY)


def test_a_full_record_field_by_field() -> None:
    document = record_document(Execution.from_proto(raw_execution()), full=True)

    assert document == SUMMARY | {
        "usage": USAGE,
        "nodes": [NODE | {"output": 3}, NODE_B | {"output": None}],
        "definition": DEFINITION,
        "input_data": {"n": 3, "x": 0.5},
        "output": 2**53,
    }
    assert type(document["output"]) is int
    assert fields(schemas.Record) == set(document)
    assert fields(schemas.NodeRecord) == {*NODE, "output"}


def test_a_basic_record_has_neither_definition_nor_input_nor_outputs() -> None:
    document = record_document(Execution.from_proto(raw_execution()), full=False)

    assert document == SUMMARY | {"usage": USAGE, "nodes": [NODE, NODE_B]}


def test_an_execution_that_says_nothing_of_its_own() -> None:
    document = record_document(Execution.from_proto(v1.Execution(status=RAW_STATUS)), full=True)

    absent = ("timeout", "concurrency_key", "retry", "error", "usage", "definition", "input_data")
    assert {document[name] for name in absent} == {None}


def test_a_log_entry_field_by_field() -> None:
    facts = Struct()
    facts.update({"event": "node_completed", "duration_ms": 12})
    raw = v1.LogEntry(
        sequence=2**40,
        time=Timestamp(seconds=1_000_000_000),
        level=v1.LOG_LEVEL_WARNING,
        node_id="a",
        attempt=1,
        message="slow",
        metadata=facts,
    )
    document = entry_document(LogEntry.from_proto(raw))

    assert document == {
        "sequence": 2**40,
        "time": "2001-09-09T01:46:40Z",
        "level": "warning",
        "node_id": "a",
        "attempt": 1,
        "message": "slow",
        "metadata": {"event": "node_completed", "duration_ms": 12},
    }
    assert fields(schemas.LogEntry) == set(document)
    assert entry_document(LogEntry.from_proto(v1.LogEntry(sequence=1)))["node_id"] is None


def test_a_snapshot_has_the_status_and_the_nodes_that_changed() -> None:
    nodes = {"a": NodeRun.from_proto(RAW_NODE), "b": NodeRun.from_proto(v1.NodeRun(node_id="b"))}
    snapshot = Snapshot(
        status=ExecutionStatus.from_proto(RAW_STATUS),
        nodes=nodes,
        changed=("a",),
        tokens=(),
        tokens_dropped=True,
        raw=v1.WatchExecutionResponse(),
    )

    assert snapshot_document(snapshot) == STATUS | {"nodes": [NODE], "tokens_dropped": True}
    assert fields(schemas.Snapshot) == {*STATUS, "nodes", "tokens_dropped"}


def test_a_token_field_by_field() -> None:
    chunk = TokenChunk.from_proto(v1.TokenChunk(node_id="a", attempt=1, text="Hi"))

    assert token_document(chunk) == {"node_id": "a", "attempt": 1, "text": "Hi"}


def test_a_node_type_field_by_field() -> None:
    raw = v1.NodeType(name="llm", description="Calls a model", effect=True)
    raw.config_schema.update({"type": "object"})
    document = node_type_document(NodeType.from_proto(raw))

    assert document == {
        "name": "llm",
        "description": "Calls a model",
        "effect": True,
        "config_schema": {"type": "object"},
    }
    assert fields(schemas.NodeType) == set(document)
