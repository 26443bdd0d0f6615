"""States of executions and nodes, and the table of allowed moves (DESIGN "States")."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class ExecutionState(StrEnum):
    """Where an execution stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    PAUSED = "PAUSED"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    STOPPED = "STOPPED"

    @property
    def terminal(self) -> bool:
        """Whether the engine is done with it."""
        return self in TERMINAL


class NodeState(StrEnum):
    """Where a node of an execution stands."""

    PENDING = "PENDING"
    RUNNING = "RUNNING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    SKIPPED = "SKIPPED"
    CANCELLED = "CANCELLED"


class LogLevel(StrEnum):
    """How much a log entry matters, least first."""

    DEBUG = "DEBUG"
    INFO = "INFO"
    WARNING = "WARNING"
    ERROR = "ERROR"

    @property
    def rank(self) -> int:
        """1 for DEBUG to 4 for ERROR; what the store keeps and filters by."""
        return _RANKS[self]


_RANKS = {level: rank for rank, level in enumerate(LogLevel, start=1)}


class ControlAction(StrEnum):
    """What a client may ask of an execution."""

    PAUSE = "pause"
    RESUME = "resume"
    STOP = "stop"
    RETRY = "retry"


TERMINAL = frozenset({ExecutionState.COMPLETED, ExecutionState.FAILED, ExecutionState.STOPPED})

#: Allowed moves of an execution. Staying in a state is not a move.
MOVES: Mapping[ExecutionState, frozenset[ExecutionState]] = MappingProxyType(
    {
        ExecutionState.PENDING: frozenset({ExecutionState.RUNNING, ExecutionState.STOPPED}),
        ExecutionState.RUNNING: frozenset(
            {
                ExecutionState.PAUSED,
                ExecutionState.COMPLETED,
                ExecutionState.FAILED,
                ExecutionState.STOPPED,
            }
        ),
        ExecutionState.PAUSED: frozenset({ExecutionState.PENDING, ExecutionState.RUNNING, ExecutionState.STOPPED}),
        ExecutionState.COMPLETED: frozenset(),
        ExecutionState.FAILED: frozenset({ExecutionState.PENDING}),
        ExecutionState.STOPPED: frozenset({ExecutionState.PENDING}),
    }
)

#: From which states each action is possible, and the state it leads to.
CONTROL: Mapping[ControlAction, tuple[tuple[ExecutionState, ...], ExecutionState]] = MappingProxyType(
    {
        ControlAction.PAUSE: ((ExecutionState.RUNNING,), ExecutionState.PAUSED),
        ControlAction.RESUME: ((ExecutionState.PAUSED,), ExecutionState.PENDING),
        ControlAction.STOP: (
            (ExecutionState.PENDING, ExecutionState.RUNNING, ExecutionState.PAUSED),
            ExecutionState.STOPPED,
        ),
        ControlAction.RETRY: ((ExecutionState.FAILED, ExecutionState.STOPPED), ExecutionState.PENDING),
    }
)
