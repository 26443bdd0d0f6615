"""An execution while a batch is decided: as it was found, and what the batch makes of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import orjson

from execsvc.model import MOVES, ExecutionState, ExecutionStatus, NewLogEntry, NodeRun, NodeState
from execsvc.store.protocol import UpdateExecution
from execsvc.store.rows import node_row, status_of, status_row, storable

#: States in which nothing runs although not every node has finished.
CUTTING = frozenset({ExecutionState.FAILED, ExecutionState.STOPPED})


class Draft:
    """An execution's row.

    Args:
        columns: pk, namespace, request_digest, owner, ran_for, error, and STATUS_COLUMNS.
    """

    __slots__ = (
        "appended",
        "encoded",
        "error",
        "input",
        "namespace",
        "new",
        "nodes",
        "output",
        "owner",
        "pk",
        "ran_for",
        "request_digest",
        "runs",
        "status",
        "touched",
        "unfinished",
        "was",
    )

    def __init__(self, columns: Sequence[Any]) -> None:
        self.pk: int = columns[0]
        self.namespace: str = columns[1]
        self.request_digest: str = columns[2]
        self.owner: str = columns[3]
        self.ran_for: int = columns[4]
        self.error: str | None = columns[5]
        self.status: ExecutionStatus = status_of(columns[6:])
        #: As it was found; an execution this batch creates is as it begins.
        self.was: ExecutionStatus = self.status
        #: The rest of the columns of an execution this batch creates.
        self.new: list[Any] | None = None
        self.touched = False
        #: Log entries to write.
        self.appended: list[NewLogEntry] = []
        #: Their bytes, where they are written so.
        self.encoded: list[bytes] = []
        self.output: str | None = None
        self.input: str | None = None
        #: Journal rows that have changed, by node id, and their columns.
        self.runs: dict[str, NodeRun] = {}
        self.nodes: dict[str, list[Any]] = {}
        #: Journal rows of before this batch that a change of state may touch, by node id.
        self.unfinished: dict[str, NodeRun] = {}

    def _journal(self) -> list[NodeRun]:
        return list((self.unfinished | self.runs).values())

    def _put(self, run: NodeRun) -> None:
        self.runs[run.node_id] = run
        self.nodes[run.node_id] = node_row(self.pk, run)

    def cancel(self, time: int) -> None:
        """Cancel the nodes that run now; those this batch starts later are not meant."""
        for run in self._journal():
            if run.state is NodeState.RUNNING:
                self._put(replace(run, state=NodeState.CANCELLED, end_time=max(time, run.start_time or time)))

    def restart(self) -> None:
        """Let nodes that failed or were cut off begin anew."""
        for run in self._journal():
            if run.state in (NodeState.FAILED, NodeState.CANCELLED, NodeState.PENDING):
                anew = replace(run, state=NodeState.PENDING, end_time=None, retry_time=None, error=None)
                self._put(replace(anew, attempts_before=run.attempt))

    @property
    def inserted(self) -> list[Any]:
        """The columns of the row, if this batch creates it: those given, then those of ``new``."""
        assert self.new is not None
        head = [self.pk, self.namespace, self.request_digest, self.owner, self.ran_for, self.error]
        return [*head, *status_row(self.status), *self.new]

    @property
    def updated(self) -> list[Any]:
        """The pk and the columns that a change may change."""
        status = self.status
        return [
            self.pk,
            status.state,
            status.current_node,
            orjson.dumps(status.running_nodes).decode(),
            status.nodes_done,
            status.message,
            status.start_time,
            status.end_time,
            status.last_sequence,
            status.epoch,
            self.owner,
            self.ran_for,
            self.error,
        ]


def moved(before: ExecutionStatus, change: UpdateExecution) -> ExecutionStatus:
    """Say where a change brings an execution."""
    state = change.to_state or before.state
    if state is not before.state and state not in MOVES[before.state]:
        raise AssertionError(f"no move from {before.state} to {state}")
    started = before.start_time is None and state is ExecutionState.RUNNING
    if state.terminal:
        # The clock may have been set back since, by a restart on another machine for one.
        earliest = before.create_time if before.start_time is None else before.start_time
        end_time = max(change.time, earliest) if state is not before.state else before.end_time
    else:
        end_time = None
    # Written out: ``replace`` takes three times as long, and each write comes by here.
    return ExecutionStatus(
        execution_id=before.execution_id,
        uid=before.uid,
        workflow_id=before.workflow_id,
        state=state,
        nodes_total=before.nodes_total,
        create_time=before.create_time,
        message=before.message if change.message is None else storable(change.message),
        current_node=before.current_node if change.current_node is None else change.current_node,
        running_nodes=()
        if state.terminal
        else before.running_nodes
        if change.running_nodes is None
        else change.running_nodes,
        nodes_done=max(before.nodes_done, change.nodes_done or 0),
        start_time=max(change.time, before.create_time) if started else before.start_time,
        end_time=end_time,
        last_sequence=before.last_sequence + len(change.entries),
        epoch=before.epoch + (change.claim_owner is not None),
    )
