"""Talk to an execsvc server: run workflows durably, follow their logs, control them."""

from execsvc_client import v1
from execsvc_client._async_client import AsyncExecutionClient
from execsvc_client._calls import Page
from execsvc_client._definition import DefinitionLike, to_definition
from execsvc_client._errors import (
    Aborted,
    AlreadyExists,
    Cancelled,
    DeadlineExceeded,
    DefinitionError,
    ExecsvcError,
    FailedPrecondition,
    InternalError,
    InvalidArgument,
    NotFound,
    OutOfRange,
    PermissionDenied,
    ResourceExhausted,
    Unauthenticated,
    Unavailable,
    Unimplemented,
)
from execsvc_client._logs import AsyncLogStream, LogStream
from execsvc_client._models import (
    Execution,
    ExecutionFailure,
    ExecutionState,
    ExecutionStatus,
    LogEntry,
    LogLevel,
    NodeRun,
    NodeState,
    NodeType,
    RetryPolicy,
    ServerInfo,
    TokenUsage,
    Validation,
    Workflow,
)
from execsvc_client._snapshots import Snapshot, TokenChunk
from execsvc_client._status_details import Resource, Violation
from execsvc_client._sync_client import ExecutionClient
from execsvc_client._tls import TLS
from execsvc_client._values import Problem
from execsvc_client._watches import AsyncWatchStream, WatchStream

__all__ = [
    "TLS",
    "Aborted",
    "AlreadyExists",
    "AsyncExecutionClient",
    "AsyncLogStream",
    "AsyncWatchStream",
    "Cancelled",
    "DeadlineExceeded",
    "DefinitionError",
    "DefinitionLike",
    "ExecsvcError",
    "Execution",
    "ExecutionClient",
    "ExecutionFailure",
    "ExecutionState",
    "ExecutionStatus",
    "FailedPrecondition",
    "InternalError",
    "InvalidArgument",
    "LogEntry",
    "LogLevel",
    "LogStream",
    "NodeRun",
    "NodeState",
    "NodeType",
    "NotFound",
    "OutOfRange",
    "Page",
    "PermissionDenied",
    "Problem",
    "Resource",
    "ResourceExhausted",
    "RetryPolicy",
    "ServerInfo",
    "Snapshot",
    "TokenChunk",
    "TokenUsage",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "Validation",
    "Violation",
    "WatchStream",
    "Workflow",
    "to_definition",
    "v1",
]
