"""What clients ask for, as the wire layer hands it in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from execsvc.model import ControlAction, ExecutionState, LogLevel
from execsvc.record import record


@record(frozen=True, slots=True, kw_only=True)
class Definition:
    """A definition as it came in, read only if it is not known yet."""

    #: The same for the same definition; a cache key, no digest.
    key: bytes
    #: Makes the JSON form that ``parse_definition`` takes.
    load: Callable[[], Mapping[str, Any]]


@record(frozen=True, slots=True, kw_only=True)
class ExecuteCommand:
    """Ask for a workflow to be run."""

    execution_id: str
    workflow_id: str
    #: None: the one stored under ``workflow_id``.
    definition: Definition | None
    #: Version of the stored workflow; empty: the newest.
    workflow_version: str
    input: dict[str, Any]
    labels: Mapping[str, str]
    priority: int
    #: Microseconds; None: no limit.
    timeout: int | None
    concurrency_key: str
    validate_only: bool
    #: JSON form of the retry policy of nodes with effects that have none.
    retry: Mapping[str, Any] | None


@record(frozen=True, slots=True, kw_only=True)
class ControlCommand:
    """Ask for a change of an execution's state."""

    execution_id: str
    #: None: the client named none.
    action: ControlAction | None
    reason: str
    request_id: str
    expected_state: ExecutionState | None
    #: With RETRY: replaces the input; None keeps it.
    input: dict[str, Any] | None = None


def said_by(name: str) -> Mapping[str, str]:
    """Give what the log says of whoever asked; nothing where nobody knows."""
    return {"by": name} if name else {}


@record(frozen=True, slots=True, kw_only=True)
class LogFilter:
    """Which entries of a log."""

    min_level: LogLevel = LogLevel.DEBUG
    #: Empty: of all nodes.
    node_id: str = ""
