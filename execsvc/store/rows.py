"""Between the model and what stands in columns: JSON text, ranks and tuples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from execsvc.encoding.log_entries import encoded_as
from execsvc.model import (
    Actor,
    ActorKind,
    ApiToken,
    AuditRecord,
    ErrorInfo,
    ExecutionState,
    ExecutionStatus,
    LogEntry,
    NewLogEntry,
    NodeRun,
    NodeState,
    Role,
    TokenUsage,
)

#: Columns that make an ExecutionStatus, in the order ``status_of`` takes them.
STATUS_COLUMNS = (
    "execution_id, uid, workflow_id, state, current_node, running_nodes, nodes_done, nodes_total, message, "
    "create_time, start_time, end_time, last_sequence, epoch"
)
NODE_COLUMNS = "node_id, state, attempt, attempts_before, start_time, end_time, retry_time, branch, usage, error"

#: Columns of an API token, in the order ``token_of`` takes them.
TOKEN_COLUMNS = "token_id, digest, namespace, role, name, create_time, expire_time, revoke_time"

#: Columns of a record of the audit trail, as ``audit_row`` makes them.
AUDIT_COLUMNS = (
    "time, namespace, actor_kind, actor, actor_label, role, action, target, uid, outcome, request_id, address"
)


def audit_row(
    time: int, namespace: str, by: Actor, action: str, target: str, uid: str, outcome: str
) -> tuple[Any, ...]:
    """Make AUDIT_COLUMNS."""
    return (
        time,
        namespace,
        by.kind.value,
        storable(by.name),
        storable(by.label),
        by.role,
        str(action),
        target,
        uid,
        str(outcome),
        storable(by.request_id),
        storable(by.address),
    )


def audit_record_of(row: Sequence[Any]) -> AuditRecord:
    """Make a record of its number and AUDIT_COLUMNS."""
    number, time, namespace, kind, name, label, role, action, target, uid, outcome, request_id, address = row
    return AuditRecord(
        number=number,
        time=time,
        namespace=namespace,
        actor=Actor(kind=ActorKind(kind), name=name, label=label, role=role, address=address, request_id=request_id),
        action=action,
        target=target,
        uid=uid,
        outcome=outcome,
    )


def token_of(row: Sequence[Any]) -> ApiToken:
    """Make an API token of TOKEN_COLUMNS."""
    token_id, digest, namespace, role, name, create_time, expire_time, revoke_time = row
    return ApiToken(
        token_id=token_id,
        digest=digest,
        namespace=namespace,
        role=Role(role),
        name=name,
        create_time=create_time,
        expire_time=expire_time,
        revoke_time=revoke_time,
    )


def token_row(token: ApiToken) -> tuple[Any, ...]:
    """Make TOKEN_COLUMNS of an API token."""
    return (
        token.token_id,
        token.digest,
        token.namespace,
        str(token.role),
        storable(token.name),
        token.create_time,
        token.expire_time,
        token.revoke_time,
    )


def storable(text: str) -> str:
    """Replace what a column of text cannot hold: U+0000, which ends it in SQLite's JSON functions, and surrogates."""
    if "\0" in text:
        text = text.replace("\0", "\N{SYMBOL FOR NULL}")
    return _well_formed(text)


def storable_entry(entry: NewLogEntry) -> NewLogEntry:
    """Make an entry read as it will once it was stored."""
    message = storable(entry.message)
    return entry if message is entry.message else replace(entry, message=message)


def _well_formed(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def status_of(row: Sequence[Any]) -> ExecutionStatus:
    """Make a status of STATUS_COLUMNS."""
    return ExecutionStatus(
        execution_id=row[0],
        uid=row[1],
        workflow_id=row[2],
        state=ExecutionState(row[3]),
        current_node=row[4],
        running_nodes=tuple(orjson.loads(row[5])),
        nodes_done=row[6],
        nodes_total=row[7],
        message=row[8],
        create_time=row[9],
        start_time=row[10],
        end_time=row[11],
        last_sequence=row[12],
        epoch=row[13],
    )


def status_row(status: ExecutionStatus) -> list[Any]:
    """The inverse of ``status_of``."""
    return [
        status.execution_id,
        status.uid,
        status.workflow_id,
        status.state,
        status.current_node,
        orjson.dumps(status.running_nodes).decode(),
        status.nodes_done,
        status.nodes_total,
        status.message,
        status.create_time,
        status.start_time,
        status.end_time,
        status.last_sequence,
        status.epoch,
    ]


def node_of(row: Sequence[Any], output: str | None) -> NodeRun:
    """Make a node's journal row of NODE_COLUMNS and its output."""
    return NodeRun(
        node_id=row[0],
        state=NodeState(row[1]),
        attempt=row[2],
        attempts_before=row[3],
        start_time=row[4],
        end_time=row[5],
        retry_time=row[6],
        branch=row[7],
        usage=usage_of(row[8]),
        error=error_of(row[9]),
        output=None if output is None else output.encode(),
    )


def node_row(execution: int, node: NodeRun) -> list[Any]:
    """The columns of a node's journal row: its execution, NODE_COLUMNS, its output."""
    return [
        execution,
        node.node_id,
        node.state,
        node.attempt,
        node.attempts_before,
        node.start_time,
        node.end_time,
        node.retry_time,
        node.branch,
        usage_text(node.usage),
        error_text(node.error),
        None if node.output is None else node.output.decode(),
    ]


def entry_row(execution: int, sequence: int, entry: NewLogEntry | LogEntry) -> tuple[Any, ...]:
    """The columns of a log entry, where each fact has one."""
    return (
        execution,
        sequence,
        entry.time,
        entry.level.rank,
        entry.node_id,
        entry.attempt,
        entry.message,
        orjson.dumps(dict(entry.metadata)).decode(),
    )


def encoded_row(execution: int, sequence: int, entry: NewLogEntry | LogEntry) -> tuple[int, int, int, str, bytes]:
    """The columns of a log entry, where it is kept as its bytes, beside what filters ask for."""
    return execution, sequence, entry.level.rank, entry.node_id, encoded_as(sequence, entry)


def error_text(error: ErrorInfo | None) -> str | None:
    """JSON text of an error."""
    if error is None:
        return None
    message = _well_formed(error.message)
    return orjson.dumps([error.type, message, error.node_id, error.retryable, error.attempt]).decode()


def error_of(text: str | None) -> ErrorInfo | None:
    """The inverse of ``error_text``."""
    if text is None:
        return None
    kind, message, node_id, retryable, attempt = orjson.loads(text)
    return ErrorInfo(type=kind, message=message, node_id=node_id, retryable=retryable, attempt=attempt)


def usage_text(usage: TokenUsage | None) -> str | None:
    """JSON text of a usage."""
    if usage is None:
        return None
    return orjson.dumps([usage.input_tokens, usage.output_tokens, usage.total_tokens]).decode()


def usage_of(text: str | None) -> TokenUsage | None:
    """The inverse of ``usage_text``."""
    if text is None:
        return None
    given, made, total = orjson.loads(text)
    return TokenUsage(input_tokens=given, output_tokens=made, total_tokens=total)
