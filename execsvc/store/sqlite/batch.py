"""Apply a batch of changes inside one transaction: read the rows they touch, decide in order, write in sets.

Every statement here is executed once a batch and gives one row at most. A call into SQLite gives up the interpreter
lock and has to win it back, which under a busy loop costs more than the statement; JSON arrays as parameters keep
the number of calls constant however large the batch is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import orjson

from execsvc.errors import (
    ExecutionExists,
    ExecutionNotFound,
    IllegalTransition,
    LeaseLost,
    RequestIdReused,
    StateChanged,
)
from execsvc.model import (
    MOVES,
    TERMINAL,
    ExecutionState,
    ExecutionStatus,
    NewLogEntry,
    NodeRun,
    NodeState,
    StoredWorkflow,
)
from execsvc.store.protocol import (
    Commit,
    Created,
    CreateExecution,
    DeleteExecution,
    PutWorkflow,
    Updated,
    UpdateExecution,
    WorkflowPut,
)
from execsvc.store.sqlite import statements as sql
from execsvc.store.sqlite.rows import (
    entry_row,
    error_text,
    node_of,
    node_row,
    status_of,
    status_row,
    storable,
    storable_entry,
)

Change = CreateExecution | UpdateExecution | DeleteExecution | PutWorkflow
#: What comes of a change; an error that is no ExecsvcError says that the change itself was malformed.
Outcome = Created | Updated | ExecutionStatus | WorkflowPut | Exception
Key = tuple[str, str]

#: States in which nothing runs although not every node has finished.
_CUTTING = frozenset({ExecutionState.FAILED, ExecutionState.STOPPED})


class _Row:
    """An execution's row while the batch is decided."""

    __slots__ = (
        "appended",
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
    )

    def __init__(self, columns: Sequence[Any]) -> None:
        self.pk: int = columns[0]
        self.namespace: str = columns[1]
        self.request_digest: str = columns[2]
        self.owner: str = columns[3]
        self.ran_for: int = columns[4]
        self.error: str | None = columns[5]
        self.status: ExecutionStatus = status_of(columns[6:])
        #: The rest of the columns of an execution this batch creates.
        self.new: list[Any] | None = None
        self.touched = False
        #: Log entries to write.
        self.appended: list[NewLogEntry] = []
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


class Batch:
    """Decides a list of changes against one database and collects what to write.

    Use it inside a transaction that holds the write lock: ``decide`` each change in order, then ``write`` once.
    """

    def __init__(self, db: sqlite3.Connection, changes: Sequence[Change], *, next_pk: int) -> None:
        self._db = db
        self.next_pk = next_pk
        self._rows: dict[Key, _Row] = {}
        self._requests: dict[tuple[int, str], tuple[str, ExecutionStatus]] = {}
        self._definitions: dict[str, str] = {}
        self._data: list[tuple[int, str]] = []
        self._entries: list[tuple[Any, ...]] = []
        self._new_requests: list[tuple[int, str, str, str]] = []
        self._labels: list[tuple[Any, ...]] = []
        self._deleted: list[_Row] = []
        #: Digests of definitions that may have lost their last user.
        self._unused: set[str] = set()
        self._workflows: dict[tuple[str, str, str], int] = {}
        self._new_workflows: list[tuple[str, str, str, int]] = []
        self._find(changes)

    def _find(self, changes: Sequence[Change]) -> None:
        keys = list({_key(change): None for change in changes if not isinstance(change, PutWorkflow)})
        puts = [_workflow_key(change) for change in changes if isinstance(change, PutWorkflow)]
        if puts:
            for *key, create_time in self._one(sql.FIND_WORKFLOWS, puts):
                self._workflows[key[0], key[1], key[2]] = create_time
        for columns in self._one(sql.FIND, keys):
            row = _Row(columns)
            self._rows[row.namespace, row.status.execution_id] = row
        wanted = [
            (self._rows[key].pk, change.request_id)
            for change in changes
            if isinstance(change, UpdateExecution) and change.request_id and (key := _key(change)) in self._rows
        ]
        if wanted:
            for pk, request_id, action, status in self._one(sql.FIND_REQUESTS, wanted):
                self._requests[pk, request_id] = (action, status_of(orjson.loads(status)))
        cutting = {
            self._rows[key].pk: self._rows[key]
            for change in changes
            if isinstance(change, UpdateExecution)
            and (change.restart or change.to_state in _CUTTING)
            and (key := _key(change)) in self._rows
        }
        if cutting:
            for pk, *columns in self._one(sql.FIND_UNFINISHED, list(cutting)):
                run = node_of(columns, None)
                cutting[pk].unfinished[run.node_id] = run

    def _one(self, statement: str, parameter: object) -> list[Any]:
        (text,) = self._db.execute(statement, (_json(parameter),)).fetchone()
        rows: list[Any] = orjson.loads(text)
        return rows

    def decide(self, change: Change) -> Outcome:
        """Check a change's conditions and note its writes; an error is an answer, and leaves nothing behind."""
        # Each of these notes nothing before all of it is known to be good.
        try:
            if isinstance(change, UpdateExecution):
                return self._update(change)
            if isinstance(change, CreateExecution):
                return self._create(change)
            return self._delete(change) if isinstance(change, DeleteExecution) else self._put(change)
        except Exception as error:
            return error

    def commits(self) -> list[Commit]:
        """What this batch does to each execution it changes, as after the whole batch."""
        deleted = [Commit(namespace=row.namespace, status=row.status, deleted=True) for row in self._deleted]
        return deleted + [
            Commit(namespace=row.namespace, status=row.status, entries=row.appended, nodes=list(row.runs.values()))
            for row in self._rows.values()
            if row.touched
        ]

    def _create(self, change: CreateExecution) -> Created:
        request = change.request
        row = self._rows.get(_key(change))
        if row is not None:
            if row.request_digest == request.request_digest:
                return Created(status=row.status, created=False)
            raise ExecutionExists(execution_id=request.execution_id, state=row.status.state)
        status = ExecutionStatus(
            execution_id=request.execution_id,
            uid=change.uid,
            workflow_id=request.workflow_id,
            state=ExecutionState.PENDING,
            current_node="",
            running_nodes=(),
            nodes_done=0,
            nodes_total=request.nodes_total,
            message=storable(change.message),
            create_time=change.time,
            start_time=None,
            end_time=None,
            last_sequence=len(change.entries),
            epoch=0,
        )
        row = _Row([self.next_pk, change.namespace, request.request_digest, "", 0, None, *status_row(status)])
        labels = orjson.dumps(dict(request.labels)).decode()
        retry = None if request.retry is None else request.retry.decode()
        row.new = [
            request.definition_digest,
            labels,
            request.priority,
            request.timeout,
            request.concurrency_key,
            retry,
        ]
        row.touched = True
        definition, given = request.definition.decode(), request.input.decode()
        row.appended = [storable_entry(entry) for entry in change.entries]
        self._entries.extend(_entry_rows(row.pk, 0, row.appended))
        self._definitions[request.definition_digest] = definition
        self._data.append((row.pk, given))
        self._labels.extend(_label_rows(row.namespace, request.labels, change.time, row.pk))
        self._rows[_key(change)] = row
        self.next_pk += 1
        return Created(status=status, created=True)

    def _update(self, change: UpdateExecution) -> Updated:
        row = self._rows.get(_key(change))
        if row is None or (change.uid is not None and change.uid != row.status.uid):
            raise ExecutionNotFound(change.execution_id)
        before = row.status
        if change.request_id and (repeated := self._requests.get((row.pk, change.request_id))):
            if repeated[0] == change.action:
                return Updated(status=repeated[1], repeated=True)
            raise RequestIdReused(change.request_id, repeated[0])
        if change.epoch is not None and change.epoch != before.epoch:
            raise LeaseLost
        if change.expected_state is not None and change.expected_state is not before.state:
            raise StateChanged(execution_id=before.execution_id, expected=change.expected_state, state=before.state)
        if before.state not in change.from_states:
            raise IllegalTransition(
                execution_id=before.execution_id,
                action=change.action,
                state=before.state,
                allowed_from=change.from_states,
            )
        after = _moved(before, change)
        appended = [storable_entry(entry) for entry in change.entries]
        entries = _entry_rows(row.pk, before.last_sequence, appended)
        error = row.error if change.error is None else error_text(change.error)
        output = row.output if change.output is None else change.output.decode()
        given = row.input if change.input is None else change.input.decode()
        request = (row.pk, change.request_id, change.action, _json(status_row(after)))
        nodes = {node.node_id: node_row(row.pk, node) for node in change.nodes}
        row.status, row.error, row.output, row.input = after, error, output, given
        row.touched = True
        if change.restart:
            row.error, row.ran_for = None, 0
            row.restart()
        if change.claim_owner is not None:
            row.owner = change.claim_owner
        if change.ran_for is not None:
            row.ran_for = change.ran_for
        self._entries.extend(entries)
        row.appended.extend(appended)
        row.nodes.update(nodes)
        row.runs.update((node.node_id, node) for node in change.nodes)
        if after.state in _CUTTING:
            row.cancel(change.time)
        if change.request_id:
            self._requests[row.pk, change.request_id] = (change.action, after)
            self._new_requests.append(request)
        return Updated(status=after, repeated=False)

    def _delete(self, change: DeleteExecution) -> ExecutionStatus:
        row = self._rows.get(_key(change))
        if row is None or (change.uid is not None and change.uid != row.status.uid):
            raise ExecutionNotFound(change.execution_id)
        if not row.status.state.terminal:
            raise IllegalTransition(
                execution_id=change.execution_id,
                action="delete",
                state=row.status.state,
                allowed_from=sorted(TERMINAL),
            )
        del self._rows[_key(change)]
        self._deleted.append(row)
        return row.status

    def _put(self, change: PutWorkflow) -> WorkflowPut:
        key = _workflow_key(change)
        known = self._workflows.get(key)
        if known is None:
            definition = change.definition.decode()
            self._workflows[key] = change.time
            self._new_workflows.append((*key, change.time))
            self._definitions[change.version] = definition
        workflow = StoredWorkflow(
            workflow_id=change.workflow_id,
            version=change.version,
            create_time=change.time if known is None else known,
            definition=None,
        )
        return WorkflowPut(workflow=workflow, created=known is None)

    def _write_deletes(self) -> None:
        if not self._deleted:
            return
        pks = _json([row.pk for row in self._deleted])
        names = {row.pk: (row.namespace, row.status.create_time) for row in self._deleted}
        owned = self._one(sql.OWNED, [row.pk for row in self._deleted])
        labels = [
            label for pk, _, text in owned for label in _label_rows(names[pk][0], orjson.loads(text), names[pk][1], pk)
        ]
        if labels:
            self._db.execute(sql.DELETE_LABELS, (_json(labels),))
        for statement in sql.DELETE:
            self._db.execute(statement, (pks,))
        self._unused.update(digest for _, digest, _ in owned)
        # What this batch itself made of them.
        gone = set(names)
        self._entries = [columns for columns in self._entries if columns[0] not in gone]
        self._new_requests = [columns for columns in self._new_requests if columns[0] not in gone]
        self._data = [columns for columns in self._data if columns[0] not in gone]
        self._labels = [columns for columns in self._labels if columns[-1] not in gone]
        self._unused.update(row.new[0] for row in self._deleted if row.new is not None)

    def write(self) -> None:
        """Write everything that was decided."""
        self._write_deletes()
        touched = [row for row in self._rows.values() if row.touched]
        new = [row for row in touched if row.new is not None]
        old = [row for row in touched if row.new is None]
        for statement, rows in (
            (sql.INSERT_DEFINITIONS, list(self._definitions.items())),
            (sql.INSERT_EXECUTIONS, [_insert_row(row) for row in new]),
            (sql.INSERT_DATA, self._data),
            (sql.INSERT_LABELS, self._labels),
            (sql.INSERT_WORKFLOWS, self._new_workflows),
            (sql.SUPERSEDE_WORKFLOWS, list({key[:2]: key for key in self._new_workflows}.values())),
            (sql.UPDATE_EXECUTIONS, [_update_row(row) for row in old]),
            (sql.UPDATE_OUTPUTS, [(row.pk, row.output) for row in touched if row.output is not None]),
            (sql.UPDATE_INPUTS, [(row.pk, row.input) for row in touched if row.input is not None]),
            (sql.UPSERT_NODES, [columns for row in touched for columns in row.nodes.values()]),
            (sql.INSERT_ENTRIES, self._entries),
            (sql.INSERT_REQUESTS, self._new_requests),
            (sql.DELETE_DEFINITIONS, sorted(self._unused)),
        ):
            if rows:
                self._db.execute(statement, (_json(rows),))


def _moved(before: ExecutionStatus, change: UpdateExecution) -> ExecutionStatus:
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
    return replace(
        before,
        state=state,
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


def weight(change: Change) -> int:
    """Bytes of what may be large in a change, roughly."""
    if isinstance(change, CreateExecution):
        return len(change.request.definition) + len(change.request.input)
    if isinstance(change, DeleteExecution):
        return 0
    if isinstance(change, PutWorkflow):
        return len(change.definition)
    size = len(change.output or b"")
    for node in change.nodes:
        size += len(node.output or b"")
    for entry in change.entries:
        size += len(entry.message)
    return size


def _workflow_key(change: PutWorkflow) -> tuple[str, str, str]:
    return change.namespace, change.workflow_id, change.version


def _label_rows(
    namespace: str, labels: Mapping[str, str], create_time: int, pk: int
) -> list[tuple[str, str, str, int, int]]:
    return [(namespace, key, storable(value), create_time, pk) for key, value in labels.items()]


def _key(change: CreateExecution | UpdateExecution | DeleteExecution) -> Key:
    if isinstance(change, CreateExecution):
        return change.namespace, change.request.execution_id
    return change.namespace, change.execution_id


def _json(value: object) -> str:
    return orjson.dumps(value).decode()


def _insert_row(row: _Row) -> list[Any]:
    assert row.new is not None
    head = [row.pk, row.namespace, row.request_digest, row.owner, row.ran_for, row.error]
    return [*head, *status_row(row.status), *row.new]


def _update_row(row: _Row) -> list[Any]:
    status = row.status
    return [
        row.pk,
        status.state,
        status.current_node,
        _json(status.running_nodes),
        status.nodes_done,
        status.message,
        status.start_time,
        status.end_time,
        status.last_sequence,
        status.epoch,
        row.owner,
        row.ran_for,
        row.error,
    ]


def _entry_rows(pk: int, last: int, entries: Sequence[NewLogEntry]) -> list[tuple[Any, ...]]:
    return [entry_row(pk, sequence, entry) for sequence, entry in enumerate(entries, start=last + 1)]
