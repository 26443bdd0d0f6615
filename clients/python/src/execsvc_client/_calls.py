"""The calls of the API as data: which method, which request, what the answer means. Both clients run these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from google.protobuf.message import Message

from execsvc_client import v1
from execsvc_client._definition import DefinitionLike, to_definition
from execsvc_client._errors import invalid
from execsvc_client._fill import fill_message
from execsvc_client._models import Execution, ExecutionState, ExecutionStatus, LogEntry, LogLevel, NodeType, ServerInfo
from execsvc_client._values import Problem, Problems, plain_struct, plain_time

_T = TypeVar("_T")
_M = TypeVar("_M", bound=Message)

#: How much of an execution to answer; ``basic`` leaves out definition, input and outputs.
View: TypeAlias = Literal["full", "basic"]
Action: TypeAlias = Literal["pause", "resume", "stop"]
#: Seconds, a timedelta, or text like ``"1.5s"``, ``"200ms"``, ``"2m"``, ``"1h"``.
DurationLike: TypeAlias = float | timedelta | str


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[_T]):
    """One unary call."""

    service: str
    method: str
    request: Message
    #: Makes the answer out of the response.
    answer: Callable[[Any], _T]
    #: Whether this client repeats it while the server is unavailable: it is safe to, and gRPC does not.
    repeatable: bool = False


def execute(
    definition: DefinitionLike,
    input: Mapping[str, Any] | None,
    *,
    execution_id: str,
    workflow_id: str,
    labels: Mapping[str, str] | None,
    priority: int,
    timeout: DurationLike | None,
    concurrency_key: str,
    validate_only: bool,
) -> Call[ExecutionStatus]:
    """Return the call that starts an execution; ``execution_id`` makes it safe to repeat."""
    request = v1.ExecuteRequest(definition=to_definition(definition))
    fields = {
        "execution_id": execution_id,
        "workflow_id": workflow_id,
        "input": {} if input is None else input,
        "labels": labels,
        "priority": priority,
        "timeout": timeout,
        "concurrency_key": concurrency_key,
        "validate_only": validate_only,
    }
    return Call(
        service="ExecutionService",
        method="Execute",
        request=_filled(request, fields),
        answer=lambda response: ExecutionStatus.from_proto(response.status),
        repeatable=True,
    )


def status(execution_id: str) -> Call[ExecutionStatus]:
    """Return the call that asks where an execution stands."""
    return Call(
        service="ExecutionService",
        method="GetStatus",
        request=_filled(v1.GetStatusRequest(), {"execution_id": execution_id}),
        answer=lambda response: ExecutionStatus.from_proto(response.status),
    )


def get(execution_id: str, view: View) -> Call[Execution]:
    """Return the call that asks for the record of an execution."""
    return Call(
        service="ExecutionService",
        method="GetExecution",
        request=_filled(v1.GetExecutionRequest(), {"execution_id": execution_id, "view": view}),
        answer=lambda response: Execution.from_proto(response.execution),
    )


def control(
    execution_id: str,
    action: Action,
    *,
    reason: str,
    expected_state: ExecutionState | str | None,
    request_id: str,
) -> Call[ExecutionStatus]:
    """Return the call that changes an execution's state; ``request_id`` makes it safe to repeat."""
    fields: dict[str, Any] = {
        "execution_id": execution_id,
        action: {},
        "reason": reason,
        "expected_state": expected_state,
        "request_id": request_id,
    }
    return Call(
        service="ExecutionService",
        method="Control",
        request=_filled(v1.ControlRequest(), fields),
        answer=lambda response: ExecutionStatus.from_proto(response.status),
        repeatable=True,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class LogPage:
    """One page of a log."""

    entries: tuple[LogEntry, ...]
    #: Asks for the next page; empty: this is the last.
    next_token: str


def list_logs(
    execution_id: str, *, min_level: LogLevel | str | None, node_id: str, page_size: int, page_token: str
) -> Call[LogPage]:
    """Return the call that asks for one page of the log."""
    fields = {
        "execution_id": execution_id,
        "min_level": min_level,
        "node_id": node_id,
        "page_size": page_size,
        "page_token": page_token,
    }
    return Call(
        service="ExecutionService",
        method="ListLogs",
        request=_filled(v1.ListLogsRequest(), fields),
        answer=lambda response: LogPage(
            entries=tuple(map(LogEntry.from_proto, response.entries)), next_token=response.next_page_token
        ),
    )


def stream_logs(
    execution_id: str,
    *,
    after_sequence: int,
    tail: int,
    min_level: LogLevel | str | None,
    node_id: str,
    follow: bool,
) -> v1.StreamLogsRequest:
    """Return the request that the first connection of a log stream sends."""
    fields = {
        "execution_id": execution_id,
        "after_sequence": after_sequence,
        "tail": tail,
        "min_level": min_level,
        "node_id": node_id,
        "follow": follow,
    }
    return _filled(v1.StreamLogsRequest(), fields)


def await_end(execution_id: str) -> v1.StreamLogsRequest:
    """Return the request whose stream stays nearly empty and ends with the execution."""
    return stream_logs(execution_id, after_sequence=0, tail=1, min_level=LogLevel.ERROR, node_id="", follow=True)


def validate(definition: DefinitionLike) -> Call[list[Problem]]:
    """Return the call that checks a definition."""
    return Call(
        service="WorkflowService",
        method="ValidateWorkflow",
        request=v1.ValidateWorkflowRequest(definition=to_definition(definition)),
        answer=lambda response: [
            Problem(path=problem.path, reason=problem.reason, message=problem.message) for problem in response.problems
        ],
    )


def node_types() -> Call[list[NodeType]]:
    """Return the call that asks for the node types."""
    return Call(
        service="WorkflowService",
        method="ListNodeTypes",
        request=v1.ListNodeTypesRequest(),
        answer=lambda response: [
            NodeType(
                name=kind.name,
                description=kind.description,
                config_schema=plain_struct(kind.config_schema),
                effect=kind.effect,
            )
            for kind in response.node_types
        ],
    )


def server_info() -> Call[ServerInfo]:
    """Return the call that asks what the server is."""
    return Call(
        service="ServerService",
        method="GetServerInfo",
        request=v1.GetServerInfoRequest(),
        answer=lambda response: ServerInfo(
            version=response.version,
            start_time=plain_time(response, "start_time"),
            capabilities=tuple(response.capabilities),
            draining=response.draining,
            limits=response.limits,
            raw=response,
        ),
    )


def _filled(message: _M, fields: Mapping[str, Any]) -> _M:
    problems = Problems()
    fill_message(message, fields, "", problems)
    if problems.found:
        raise invalid(problems.found)
    return message
