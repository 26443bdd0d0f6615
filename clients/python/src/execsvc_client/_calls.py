"""The calls about executions as data: which method, which request, what the answer means. Both clients run these."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any, Generic, Literal, TypeAlias, TypeVar

from google.protobuf.message import Message

from execsvc_client import v1
from execsvc_client._definition import DefinitionLike, to_definition
from execsvc_client._errors import invalid
from execsvc_client._fill import fill_message
from execsvc_client._models import Execution, ExecutionState, ExecutionStatus, LogEntry, LogLevel, RetryPolicy
from execsvc_client._retry import Repeats
from execsvc_client._values import Problems

_T = TypeVar("_T")
_M = TypeVar("_M", bound=Message)

#: How much of an execution to answer; ``basic`` leaves out definition, input and outputs.
View: TypeAlias = Literal["full", "basic"]
Action: TypeAlias = Literal["pause", "resume", "stop", "retry"]
#: Seconds, a timedelta, or text like ``"1.5s"``, ``"200ms"``, ``"2m"``, ``"1h"``.
DurationLike: TypeAlias = float | timedelta | str
#: A policy, its message, or its fields as a mapping, in which waits may be written like any duration.
RetryLike: TypeAlias = RetryPolicy | v1.RetryPolicy | Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[_T]):
    """One unary call."""

    service: str
    method: str
    request: Message
    #: Makes the answer out of the response.
    answer: Callable[[Any], _T]
    #: ``BY_GRPC`` are those that ``_channel.SAFE_METHODS`` names.
    repeats: Repeats = Repeats.BY_GRPC


def execute(
    definition: DefinitionLike | None,
    input: Mapping[str, Any] | None,
    *,
    execution_id: str,
    workflow_id: str,
    workflow_version: str,
    labels: Mapping[str, str] | None,
    priority: int,
    timeout: DurationLike | None,
    concurrency_key: str,
    retry: RetryLike | None,
    validate_only: bool,
) -> Call[ExecutionStatus]:
    """Return the call that starts an execution; ``execution_id`` makes it safe to repeat."""
    request = v1.ExecuteRequest(definition=None if definition is None else to_definition(definition))
    fields = {
        "execution_id": execution_id,
        "workflow_id": workflow_id,
        "workflow_version": workflow_version,
        "input": {} if input is None else input,
        "labels": labels,
        "priority": priority,
        "timeout": timeout,
        "concurrency_key": concurrency_key,
        "retry": asdict(retry) if isinstance(retry, RetryPolicy) else retry,
        "validate_only": validate_only,
    }
    return Call(
        service="ExecutionService",
        method="Execute",
        request=filled(request, fields),
        answer=lambda response: ExecutionStatus.from_proto(response.status),
        repeats=Repeats.BY_CLIENT,
    )


def status(execution_id: str) -> Call[ExecutionStatus]:
    """Return the call that asks where an execution stands."""
    return Call(
        service="ExecutionService",
        method="GetStatus",
        request=filled(v1.GetStatusRequest(), {"execution_id": execution_id}),
        answer=lambda response: ExecutionStatus.from_proto(response.status),
    )


def get(execution_id: str, view: View) -> Call[Execution]:
    """Return the call that asks for the record of an execution."""
    return Call(
        service="ExecutionService",
        method="GetExecution",
        request=filled(v1.GetExecutionRequest(), {"execution_id": execution_id, "view": view}),
        answer=lambda response: Execution.from_proto(response.execution),
    )


def control(
    execution_id: str,
    action: Action,
    *,
    reason: str,
    expected_state: ExecutionState | str | None,
    request_id: str,
    input: Mapping[str, Any] | None = None,
) -> Call[ExecutionStatus]:
    """Return the call that changes an execution's state; ``request_id`` makes it safe to repeat.

    Args:
        input: with ``retry``: replaces the input.
    """
    fields: dict[str, Any] = {
        "execution_id": execution_id,
        action: {} if input is None else {"input": input},
        "reason": reason,
        "expected_state": expected_state,
        "request_id": request_id,
    }
    return Call(
        service="ExecutionService",
        method="Control",
        request=filled(v1.ControlRequest(), fields),
        answer=lambda response: ExecutionStatus.from_proto(response.status),
        repeats=Repeats.BY_CLIENT,
    )


def delete(execution_id: str) -> Call[None]:
    """Return the call that removes an execution.

    It is not repeated: where the first answer was lost, the id may be that of a new execution by now.
    """
    return Call(
        service="ExecutionService",
        method="DeleteExecution",
        request=filled(v1.DeleteExecutionRequest(), {"execution_id": execution_id}),
        answer=lambda response: None,
        repeats=Repeats.NEVER,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Page(Generic[_T]):
    """One page of a list."""

    items: tuple[_T, ...]
    #: Asks for the next page; empty: this is the last.
    next_token: str


def list_executions(filter: str, *, order_by: str, page_size: int, page_token: str) -> Call[Page[Execution]]:
    """Return the call that asks for one page of executions."""
    fields = {"filter": filter, "order_by": order_by, "page_size": page_size, "page_token": page_token}
    return Call(
        service="ExecutionService",
        method="ListExecutions",
        request=filled(v1.ListExecutionsRequest(), fields),
        answer=lambda response: Page(
            items=tuple(map(Execution.from_proto, response.executions)), next_token=response.next_page_token
        ),
    )


def list_logs(
    execution_id: str, *, min_level: LogLevel | str | None, node_id: str, page_size: int, page_token: str
) -> Call[Page[LogEntry]]:
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
        request=filled(v1.ListLogsRequest(), fields),
        answer=lambda response: Page(
            items=tuple(map(LogEntry.from_proto, response.entries)), next_token=response.next_page_token
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
    uid: str = "",
) -> v1.StreamLogsRequest:
    """Return the request that the first connection of a log stream sends."""
    fields = {
        "execution_id": execution_id,
        "after_sequence": after_sequence,
        "tail": tail,
        "min_level": min_level,
        "node_id": node_id,
        "follow": follow,
        "uid": uid,
    }
    return filled(v1.StreamLogsRequest(), fields)


def await_end(execution_id: str) -> v1.StreamLogsRequest:
    """Return the request whose stream stays nearly empty and ends with the execution."""
    return stream_logs(execution_id, after_sequence=0, tail=1, min_level=LogLevel.ERROR, node_id="", follow=True)


def watch(execution_id: str, *, include_tokens: bool) -> v1.WatchExecutionRequest:
    """Return the request that each connection of a watch sends."""
    return filled(v1.WatchExecutionRequest(), {"execution_id": execution_id, "include_tokens": include_tokens})


def filled(message: _M, fields: Mapping[str, Any]) -> _M:
    """Return a request with these fields. Raises InvalidArgument with every problem."""
    problems = Problems()
    fill_message(message, fields, "", problems)
    if problems.found:
        raise invalid(problems.found)
    return message
