"""From request messages to what the service takes."""

from __future__ import annotations

from typing import Final

from execsvc.encoding.values import micros_of, plain_object
from execsvc.errors import FieldProblem, InvalidRequest
from execsvc.model import ControlAction, ExecutionState, LogLevel
from execsvc.service import ControlCommand, Definition, ExecuteCommand, LogFilter
from execsvc.wire.definitions import definition_json, retry_json
from execsvc_client import v1

_STATES: Final = {getattr(v1, f"EXECUTION_STATE_{state.name}"): state for state in ExecutionState}
_LEVELS: Final = {getattr(v1, f"LOG_LEVEL_{level.name}"): level for level in LogLevel}


def definition_of(request: v1.ExecuteRequest | v1.ValidateWorkflowRequest | v1.CreateWorkflowRequest) -> Definition:
    """Take the definition of a request. Raises InvalidRequest if there is none."""
    if not request.HasField("definition"):
        message = "is required: a workflow with at least one output node"
        raise InvalidRequest([FieldProblem(path="definition", reason="REQUIRED", message=message)])
    definition = request.definition
    return Definition(key=definition.SerializeToString(deterministic=True), load=lambda: definition_json(definition))


def execute_command(request: v1.ExecuteRequest) -> ExecuteCommand:
    """Take an ExecuteRequest. Raises InvalidRequest for what cannot be converted."""
    return ExecuteCommand(
        execution_id=request.execution_id,
        workflow_id=request.workflow_id,
        definition=definition_of(request) if request.HasField("definition") else None,
        workflow_version=request.workflow_version,
        input=plain_object(request.input, "input"),
        labels=dict(request.labels),
        priority=request.priority,
        timeout=micros_of(request.timeout) if request.HasField("timeout") else None,
        concurrency_key=request.concurrency_key,
        validate_only=request.validate_only,
        retry=retry_json(request.retry) if request.HasField("retry") else None,
    )


def control_command(request: v1.ControlRequest) -> ControlCommand:
    """Take a ControlRequest. Raises InvalidRequest for a state this server does not know."""
    action = request.WhichOneof("action")
    expected = None
    if request.expected_state:
        expected = _STATES.get(request.expected_state)
        if expected is None:
            raise _unknown_enum("expected_state", request.expected_state)
    return ControlCommand(
        execution_id=request.execution_id,
        action=None if action is None else ControlAction(action),
        reason=request.reason,
        request_id=request.request_id,
        expected_state=expected,
        input=plain_object(request.retry.input, "retry.input") if request.retry.HasField("input") else None,
    )


def log_filter(request: v1.StreamLogsRequest | v1.ListLogsRequest) -> LogFilter:
    """Take the filter of a request. Raises InvalidRequest for a level this server does not know."""
    level = _LEVELS.get(request.min_level or v1.LOG_LEVEL_DEBUG)
    if level is None:
        raise _unknown_enum("min_level", request.min_level)
    return LogFilter(min_level=level, node_id=request.node_id)


def wants_full(request: v1.GetExecutionRequest) -> bool:
    """Whether the FULL view is asked for. Raises InvalidRequest for a view this server does not know."""
    if request.view not in v1.ExecutionView.values():
        raise _unknown_enum("view", request.view)
    return request.view == v1.EXECUTION_VIEW_FULL


def _unknown_enum(path: str, value: int) -> InvalidRequest:
    message = f"{value} is no value this server knows"
    return InvalidRequest([FieldProblem(path=path, reason="UNKNOWN_VALUE", message=message)])
