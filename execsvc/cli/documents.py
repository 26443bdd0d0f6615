"""What the client answers, as the JSON documents that ``--json`` prints."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from execsvc_client import (
        Execution,
        ExecutionFailure,
        ExecutionStatus,
        LogEntry,
        NodeRun,
        NodeType,
        RetryPolicy,
        ServerInfo,
        Snapshot,
        TokenUsage,
        Workflow,
    )


def status_document(status: ExecutionStatus) -> dict[str, Any]:
    """Give the JSON form of a status."""
    return {
        "execution_id": status.execution_id,
        "workflow_id": status.workflow_id,
        "state": str(status.state),
        "progress": status.progress,
        "current_node": status.current_node,
        "running_nodes": list(status.running_nodes),
        "message": status.message,
        "create_time": _time(status.create_time),
        "start_time": _time(status.start_time),
        "end_time": _time(status.end_time),
    }


def summary_document(execution: Execution) -> dict[str, Any]:
    """Give the JSON form of an execution as lists answer it."""
    return status_document(execution.status) | {
        "uid": execution.uid,
        "definition_digest": execution.definition_digest,
        "labels": dict(execution.labels),
        "priority": execution.priority,
        "timeout": None if execution.timeout is None else execution.timeout.total_seconds(),
        "concurrency_key": execution.concurrency_key,
        "retry": _retry(execution.retry),
        "error": _failure(execution.error),
    }


def execution_document(execution: Execution) -> dict[str, Any]:
    """Give the JSON form of an execution's record."""
    return summary_document(execution) | {
        "input": execution.input,
        "output": execution.output,
        "usage": _usage(execution.usage),
        "nodes": [_node(node) | {"output": node.output} for node in execution.nodes.values()],
    }


def snapshot_document(snapshot: Snapshot) -> dict[str, Any]:
    """Give the JSON form of a snapshot: only the nodes that changed."""
    return status_document(snapshot.status) | {
        "nodes": [_node(snapshot.nodes[node_id]) for node_id in snapshot.changed],
        "tokens": [
            {"node_id": chunk.node_id, "attempt": chunk.attempt, "text": chunk.text} for chunk in snapshot.tokens
        ],
        "tokens_dropped": snapshot.tokens_dropped,
    }


def workflow_document(workflow: Workflow) -> dict[str, Any]:
    """Give the JSON form of a stored workflow, without its definition."""
    return {
        "workflow_id": workflow.workflow_id,
        "version": workflow.version,
        "create_time": _time(workflow.create_time),
    }


def node_type_document(node_type: NodeType) -> dict[str, Any]:
    """Give the JSON form of a node type."""
    return {
        "name": node_type.name,
        "description": node_type.description,
        "effect": node_type.effect,
        "config_schema": dict(node_type.config_schema),
    }


def entry_document(entry: LogEntry) -> dict[str, Any]:
    """Give the JSON form of a log entry."""
    return {
        "sequence": entry.sequence,
        "time": _time(entry.time),
        "level": str(entry.level),
        "node_id": entry.node_id,
        "attempt": entry.attempt,
        "message": entry.message,
        "metadata": dict(entry.metadata),
    }


def info_document(info: ServerInfo) -> dict[str, Any]:
    """Give the JSON form of what a server is."""
    return {
        "version": info.version,
        "start_time": _time(info.start_time),
        "draining": info.draining,
        "capabilities": list(info.capabilities),
        "limits": {field.name: getattr(info.limits, field.name) for field in info.limits.DESCRIPTOR.fields},
    }


def _node(node: NodeRun) -> dict[str, Any]:
    return {
        "node_id": node.node_id,
        "type": node.type,
        "state": str(node.state),
        "attempt": node.attempt,
        "branch": node.branch,
        "start_time": _time(node.start_time),
        "end_time": _time(node.end_time),
        "error": _failure(node.error),
        "usage": _usage(node.usage),
    }


def _failure(failure: ExecutionFailure | None) -> dict[str, Any] | None:
    if failure is None:
        return None
    return {
        "node_id": failure.node_id,
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


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
