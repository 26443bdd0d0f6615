"""What the client answers, as the JSON documents that ``--json`` prints."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from execsvc_client import Execution, ExecutionFailure, ExecutionStatus, LogEntry, NodeRun, ServerInfo, TokenUsage


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


def execution_document(execution: Execution) -> dict[str, Any]:
    """Give the JSON form of an execution's record."""
    return status_document(execution.status) | {
        "uid": execution.uid,
        "definition_digest": execution.definition_digest,
        "labels": dict(execution.labels),
        "priority": execution.priority,
        "input": execution.input,
        "output": execution.output,
        "error": _failure(execution.error),
        "usage": _usage(execution.usage),
        "nodes": [_node(node) for node in execution.nodes.values()],
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
        "output": node.output,
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
