"""Changes for a store with everything filled in that a test does not care about."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from execsvc.model import ExecutionRequest, ExecutionState, LogLevel, NewLogEntry
from execsvc.store import CreateExecution, UpdateExecution

NAMESPACE = "default"
#: Time of every change that names none.
NOW = 1_700_000_000_000_000
ANY_STATE = tuple(ExecutionState)


def entries(*messages: str, level: LogLevel = LogLevel.INFO, node_id: str = "") -> tuple[NewLogEntry, ...]:
    """Log entries with these messages."""
    return tuple(NewLogEntry(time=NOW, level=level, message=message, node_id=node_id) for message in messages)


def request(execution_id: str = "e1", **fields: Any) -> ExecutionRequest:
    """A request; other fields make another digest."""
    values: dict[str, Any] = {
        "execution_id": execution_id,
        "workflow_id": "w1",
        "definition_digest": "d1",
        "definition": b'{"nodes":[]}',
        "input": b'{"n":1}',
        "labels": {"team": "a"},
        "priority": 0,
        "timeout": None,
        "concurrency_key": "",
        "nodes_total": 3,
        **fields,
    }
    digest = hashlib.sha256(repr(sorted(values.items())).encode()).hexdigest()
    return ExecutionRequest(**{"request_digest": digest, **values})


def create(
    execution_id: str = "e1",
    *,
    namespace: str = NAMESPACE,
    uid: str | None = None,
    time: int = NOW,
    message: str = "waiting for a slot",
    log: Sequence[NewLogEntry] = entries("queued"),
    **fields: Any,
) -> CreateExecution:
    """A change that stores an execution; its uid is made of its id."""
    return CreateExecution(
        namespace=namespace,
        request=request(execution_id, **fields),
        uid=f"uid-{execution_id}" if uid is None else uid,
        time=time,
        message=message,
        entries=tuple(log),
    )


def update(execution_id: str = "e1", **fields: Any) -> UpdateExecution:
    """A change of an execution, possible from every state."""
    values: dict[str, Any] = {
        "namespace": NAMESPACE,
        "time": NOW,
        "action": "run",
        "from_states": ANY_STATE,
        **fields,
    }
    return UpdateExecution(execution_id=execution_id, **values)


def claim(execution_id: str = "e1", **fields: Any) -> UpdateExecution:
    """A change that takes the lease."""
    values: dict[str, Any] = {
        "action": "claim",
        "from_states": (ExecutionState.PENDING, ExecutionState.RUNNING),
        "to_state": ExecutionState.RUNNING,
        "claim_owner": "host/1",
        "entries": entries("running"),
        **fields,
    }
    return update(execution_id, **values)


def move(execution_id: str, to_state: ExecutionState, **fields: Any) -> UpdateExecution:
    """A change of state by a client."""
    values: dict[str, Any] = {"action": "move", "to_state": to_state, "entries": entries(f"now {to_state}"), **fields}
    return update(execution_id, **values)
