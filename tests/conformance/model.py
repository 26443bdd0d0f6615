"""A store as plain as can be, to compare real ones with: dictionaries in memory, one change after another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from execsvc.errors import (
    ExecsvcError,
    ExecutionExists,
    ExecutionNotFound,
    IllegalTransition,
    LeaseLost,
    RequestIdReused,
    StateChanged,
)
from execsvc.model import (
    ErrorInfo,
    ExecutionRequest,
    ExecutionState,
    ExecutionStatus,
    LogEntry,
    NewLogEntry,
    NodeRun,
    NodeState,
)
from execsvc.store import Created, CreateExecution, DeleteExecution, Updated, UpdateExecution

Change = CreateExecution | UpdateExecution | DeleteExecution


@dataclass(kw_only=True)
class Known:
    """One execution."""

    request: ExecutionRequest
    status: ExecutionStatus
    log: list[LogEntry] = field(default_factory=list)
    nodes: dict[str, NodeRun] = field(default_factory=dict)
    requests: dict[str, tuple[str, ExecutionStatus]] = field(default_factory=dict)
    output: bytes | None = None
    error: ErrorInfo | None = None
    input: bytes = b""
    ran_for: int = 0

    def append(self, entries: tuple[NewLogEntry, ...]) -> None:
        for entry in entries:
            sequence = len(self.log) + 1
            self.log.append(
                LogEntry(
                    sequence=sequence,
                    time=entry.time,
                    level=entry.level,
                    message=entry.message,
                    node_id=entry.node_id,
                    attempt=entry.attempt,
                    metadata=dict(entry.metadata),
                )
            )
        self.status = replace(self.status, last_sequence=len(self.log))


class Model:
    """Executions by id, in one namespace."""

    def __init__(self) -> None:
        self.executions: dict[str, Known] = {}

    @property
    def unfinished(self) -> list[str]:
        """Ids in the order in which they would be run."""
        waiting = [
            known
            for known in self.executions.values()
            if known.status.state in (ExecutionState.PENDING, ExecutionState.RUNNING)
        ]
        waiting.sort(key=lambda known: (-known.request.priority, known.status.create_time))
        return [known.status.execution_id for known in waiting]

    def apply(self, change: Change) -> Created | Updated | ExecutionStatus | ExecsvcError:
        """Carry a change out, if its conditions hold, and answer as a store would."""
        try:
            if isinstance(change, CreateExecution):
                return self._create(change)
            return self._update(change) if isinstance(change, UpdateExecution) else self._delete(change)
        except ExecsvcError as error:
            return error

    def _create(self, change: CreateExecution) -> Created:
        request = change.request
        known = self.executions.get(request.execution_id)
        if known is not None:
            if known.request.request_digest != request.request_digest:
                raise ExecutionExists(execution_id=request.execution_id, state=known.status.state)
            return Created(status=known.status, created=False)
        status = ExecutionStatus(
            execution_id=request.execution_id,
            uid=change.uid,
            workflow_id=request.workflow_id,
            state=ExecutionState.PENDING,
            current_node="",
            running_nodes=(),
            nodes_done=0,
            nodes_total=request.nodes_total,
            message=change.message,
            create_time=change.time,
            start_time=None,
            end_time=None,
            last_sequence=0,
            epoch=0,
        )
        known = self.executions[request.execution_id] = Known(request=request, status=status, input=request.input)
        known.append(change.entries)
        return Created(status=known.status, created=True)

    def _update(self, change: UpdateExecution) -> Updated:
        known = self.executions.get(change.execution_id)
        if known is None or change.uid not in (None, known.status.uid):
            raise ExecutionNotFound(change.execution_id)
        if change.request_id in known.requests:
            action, status = known.requests[change.request_id]
            if action != change.action:
                raise RequestIdReused(change.request_id, action)
            return Updated(status=status, repeated=True)
        before = known.status
        if change.epoch not in (None, before.epoch):
            raise LeaseLost
        if change.expected_state not in (None, before.state):
            raise StateChanged(execution_id="", expected="", state=before.state)
        if before.state not in change.from_states:
            raise IllegalTransition(execution_id="", action="", state=before.state, allowed_from=())
        state = change.to_state or before.state
        given = {
            "message": change.message,
            "current_node": change.current_node,
            "running_nodes": () if state.terminal else change.running_nodes,
            "nodes_done": max(before.nodes_done, change.nodes_done or 0),
            "start_time": _started(before, change) if state is ExecutionState.RUNNING else None,
            "end_time": _ended(before, change) if state is not before.state and state.terminal else None,
            "state": state,
            "epoch": before.epoch + 1 if change.claim_owner else None,
        }
        set_values: Mapping[str, object] = {name: value for name, value in given.items() if value is not None}
        known.status = replace(before, **set_values)  # type: ignore[arg-type]
        if not state.terminal:
            known.status = replace(known.status, end_time=None)
        known.output = known.output if change.output is None else change.output
        known.error = known.error if change.error is None else change.error
        known.input = known.input if change.input is None else change.input
        if change.restart:
            known.error, known.ran_for = None, 0
            for node in known.nodes.values():
                if node.state in (NodeState.FAILED, NodeState.CANCELLED, NodeState.PENDING):
                    known.nodes[node.node_id] = replace(
                        node,
                        state=NodeState.PENDING,
                        attempts_before=node.attempt,
                        retry_time=None,
                        end_time=None,
                        error=None,
                    )
        known.ran_for = known.ran_for if change.ran_for is None else change.ran_for
        known.nodes |= {node.node_id: node for node in change.nodes}
        if state in (ExecutionState.FAILED, ExecutionState.STOPPED):
            for node in known.nodes.values():
                if node.state is NodeState.RUNNING:
                    end_time = max(change.time, node.start_time or change.time)
                    known.nodes[node.node_id] = replace(node, state=NodeState.CANCELLED, end_time=end_time)
        known.append(tuple(change.entries))
        if change.request_id:
            known.requests[change.request_id] = (change.action, known.status)
        return Updated(status=known.status, repeated=False)

    def _delete(self, change: DeleteExecution) -> ExecutionStatus:
        known = self.executions.get(change.execution_id)
        if known is None or change.uid not in (None, known.status.uid):
            raise ExecutionNotFound(change.execution_id)
        if not known.status.state.terminal:
            raise IllegalTransition(execution_id="", action="", state=known.status.state, allowed_from=())
        return self.executions.pop(change.execution_id).status


def _started(before: ExecutionStatus, change: UpdateExecution) -> int:
    return max(change.time, before.create_time) if before.start_time is None else before.start_time


def _ended(before: ExecutionStatus, change: UpdateExecution) -> int:
    return max(change.time, before.start_time or before.create_time)
