"""What the client answers, as the JSON documents of the HTTP API: lower-case states, RFC 3339 times, plain numbers."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from execsvc.wire.definitions import definition_json
from execsvc_client import (
    Execution,
    ExecutionFailure,
    ExecutionStatus,
    LogEntry,
    NodeRun,
    NodeType,
    RetryPolicy,
    Snapshot,
    TokenChunk,
    TokenUsage,
)


def status_document(status: ExecutionStatus) -> dict[str, Any]:
    """Give the JSON form of where an execution stands."""
    return {
        "execution_id": status.execution_id,
        "workflow_id": status.workflow_id or None,
        "status": status.state.lower(),
        "current_node": status.current_node or None,
        "running_nodes": list(status.running_nodes),
        "progress": status.progress,
        "message": status.message,
        "create_time": time_text(status.create_time),
        "start_time": time_text(status.start_time),
        "end_time": time_text(status.end_time),
    }


def summary_document(execution: Execution) -> dict[str, Any]:
    """Give the JSON form of an execution as lists answer it."""
    return status_document(execution.status) | {
        "uid": execution.uid,
        "definition_digest": execution.definition_digest,
        "labels": dict(execution.labels),
        "priority": execution.priority,
        "timeout": None if execution.timeout is None else execution.timeout.total_seconds(),
        "concurrency_key": execution.concurrency_key or None,
        "retry": _retry(execution.retry),
        "error": _failure(execution.error),
    }


def record_document(execution: Execution, *, full: bool) -> dict[str, Any]:
    """Give the JSON form of an execution's record; not ``full``: without definition, input and outputs."""
    nodes = [node_document(node) for node in execution.nodes.values()]
    document = summary_document(execution) | {"usage": _usage(execution.usage), "nodes": nodes}
    if not full:
        return document
    for node, run in zip(nodes, execution.nodes.values(), strict=True):
        node["output"] = run.output
    return document | {
        "definition": None if execution.definition is None else definition_json(execution.definition),
        "input_data": execution.input,
        "output": execution.output,
    }


def node_document(node: NodeRun) -> dict[str, Any]:
    """Give the JSON form of what the journal holds of a node, without its output."""
    return {
        "node_id": node.node_id,
        "type": node.type,
        "status": node.state.lower(),
        "attempt": node.attempt,
        "branch": node.branch or None,
        "start_time": time_text(node.start_time),
        "end_time": time_text(node.end_time),
        "error": _failure(node.error),
        "usage": _usage(node.usage),
    }


def entry_document(entry: LogEntry) -> dict[str, Any]:
    """Give the JSON form of a log entry."""
    return {
        "sequence": entry.sequence,
        "time": time_text(entry.time),
        "level": entry.level.lower(),
        "node_id": entry.node_id or None,
        "attempt": entry.attempt,
        "message": entry.message,
        "metadata": dict(entry.metadata),
    }


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Give the JSON form of a snapshot; of the nodes those that changed."""
    return status_document(snapshot.status) | {
        "nodes": [node_document(snapshot.nodes[node_id]) for node_id in snapshot.changed],
        "tokens_dropped": snapshot.tokens_dropped,
    }


def token_document(chunk: TokenChunk) -> dict[str, Any]:
    """Give the JSON form of a piece of a model's answer."""
    return {"node_id": chunk.node_id, "attempt": chunk.attempt, "text": chunk.text}


def node_type_document(node_type: NodeType) -> dict[str, Any]:
    """Give the JSON form of a node type."""
    return {
        "name": node_type.name,
        "description": node_type.description,
        "effect": node_type.effect,
        "config_schema": dict(node_type.config_schema),
    }


def time_text(time: datetime | None) -> str | None:
    """Give a time as RFC 3339 has it, in UTC."""
    return None if time is None else time.isoformat().replace("+00:00", "Z")


def _failure(failure: ExecutionFailure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "node_id": failure.node_id or None,
        "type": failure.type,
        "message": failure.message,
        "retryable": failure.retryable,
        "attempt": failure.attempt,
    }


def _retry(policy: RetryPolicy | None) -> dict[str, Any] | None:
    if policy is None:
        return None
    return {
        "max_attempts": policy.max_attempts,
        "initial_backoff": policy.initial_backoff,
        "multiplier": policy.multiplier,
        "max_backoff": policy.max_backoff,
        "non_retryable": list(policy.non_retryable),
    }


def _usage(usage: TokenUsage | None) -> dict[str, int] | None:
    if usage is None:
        return None
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "total_tokens": usage.total_tokens,
    }
