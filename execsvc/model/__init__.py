"""The service's own vocabulary: frozen records, states, and the table of allowed moves."""

from execsvc.model.audit import RETENTION, SOMEBODY, Actor, AuditAction, AuditFilter, AuditRecord, actor_of
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
from execsvc.model.identity import ANYBODY, DEFAULT_NAMESPACE, ActorKind, ApiToken, Principal, Role
from execsvc.model.logs import EncodedEntries
from execsvc.model.namespaces import UNLIMITED, NamespaceLimits, Namespaces
from execsvc.model.states import CONTROL, MOVES, TERMINAL, ControlAction, ExecutionState, LogLevel, NodeState

__all__ = [
    "ANYBODY",
    "CONTROL",
    "DEFAULT_NAMESPACE",
    "MOVES",
    "RETENTION",
    "SOMEBODY",
    "TERMINAL",
    "UNLIMITED",
    "Actor",
    "ActorKind",
    "ApiToken",
    "AuditAction",
    "AuditFilter",
    "AuditRecord",
    "ControlAction",
    "EncodedEntries",
    "ErrorInfo",
    "Execution",
    "ExecutionRequest",
    "ExecutionState",
    "ExecutionStatus",
    "LogEntry",
    "LogLevel",
    "NamespaceLimits",
    "Namespaces",
    "NewLogEntry",
    "NodeRun",
    "NodeState",
    "Principal",
    "Role",
    "StoredWorkflow",
    "TokenUsage",
    "actor_of",
]
