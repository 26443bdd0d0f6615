"""The service's own vocabulary: frozen records, states, and the table of allowed moves."""

from execsvc.model.execution import (
    ErrorInfo,
    Execution,
    ExecutionRequest,
    ExecutionStatus,
    LogEntry,
    NewLogEntry,
    NodeRun,
    StoredWorkflow,
    TokenUsage,
)
from execsvc.model.logs import LogColumns
from execsvc.model.states import CONTROL, MOVES, TERMINAL, ControlAction, ExecutionState, LogLevel, NodeState

__all__ = [
    "CONTROL",
    "MOVES",
    "TERMINAL",
    "ControlAction",
    "ErrorInfo",
    "Execution",
    "ExecutionRequest",
    "ExecutionState",
    "ExecutionStatus",
    "LogColumns",
    "LogEntry",
    "LogLevel",
    "NewLogEntry",
    "NodeRun",
    "NodeState",
    "StoredWorkflow",
    "TokenUsage",
]
