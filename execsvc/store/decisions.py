"""Decides a batch of changes in the order in which they came, against the rows they touch, and collects what to write.

Every store decides here; each finds the rows and writes the outcome in its own way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
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
from execsvc.model import TERMINAL, Actor, AuditAction, ExecutionState, ExecutionStatus, NewLogEntry, StoredWorkflow
from execsvc.store.draft import CUTTING, Draft, moved
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
from execsvc.store.rows import (
    audit_row,
    encoded_row,
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
#: Namespace and execution id.
Key = tuple[str, str]
#: Namespace, workflow id and version.
WorkflowKey = tuple[str, str, str]


class Decisions:
    """What a batch of changes does.

    Tell it first what was found: the rows of every ``key_of`` and ``workflow_key_of``, the requests with the ids that
    changes carry, the unfinished journal rows of executions that one ``cuts``. Then let it ``decide`` each change in
    order and ``settle``, and write what it has collected.

    Args:
        new_pk: gives the pk of an execution to be stored.
        encode: whether log entries are written as the bytes that are sent.
    """

    def __init__(self, new_pk: Callable[[], int], *, encode: bool) -> None:
        self._new_pk = new_pk
        self._encode = encode
        self.rows: dict[Key, Draft] = {}
        #: Requests that were carried out, by pk and request id: their action and what was answered.
        self.requests: dict[tuple[int, str], tuple[str, ExecutionStatus]] = {}
        #: Creation times of versions of workflows that are there.
        self.workflows: dict[WorkflowKey, int] = {}
        self.definitions: dict[str, str] = {}
        self.data: list[tuple[int, str]] = []
        #: As ``entry_row`` makes them, or ``encoded_row``.
        self.entries: list[tuple[Any, ...]] = []
        self.new_requests: list[tuple[int, str, str, str]] = []
        self.labels: list[tuple[Any, ...]] = []
        self.deleted: list[Draft] = []
        self.new_workflows: list[tuple[str, str, str, int]] = []
        #: Records for the audit trail: AUDIT_COLUMNS.
        self.audit: list[tuple[Any, ...]] = []

    @property
    def touched(self) -> list[Draft]:
        """Executions to write."""
        return [row for row in self.rows.values() if row.touched]

    def find_rows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take note of executions that are there, as ``Draft`` takes them."""
        for columns in rows:
            row = Draft(columns)
            self.rows[row.namespace, row.status.execution_id] = row

    def find_requests(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take note of requests that were carried out: (pk, request_id, action, status)."""
        for pk, request_id, action, status in rows:
            self.requests[pk, request_id] = (action, status_of(orjson.loads(status)))

    def find_unfinished(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take note of journal rows that a change of state may touch: (pk, NODE_COLUMNS)."""
        by_pk = {row.pk: row for row in self.rows.values()}
        for pk, *columns in rows:
            run = node_of(columns, None)
            by_pk[pk].unfinished[run.node_id] = run

    def find_workflows(self, rows: Iterable[Sequence[Any]]) -> None:
        """Take note of versions of workflows that are there: (namespace, workflow_id, version, create_time)."""
        for namespace, workflow_id, version, create_time in rows:
            self.workflows[namespace, workflow_id, version] = create_time

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

    def settle(self) -> None:
        """Leave out what the batch made of executions that it deletes. Call it once all is decided."""
        gone = {row.pk for row in self.deleted}
        if gone:
            self.entries = [columns for columns in self.entries if columns[0] not in gone]
            self.new_requests = [columns for columns in self.new_requests if columns[0] not in gone]
            self.data = [columns for columns in self.data if columns[0] not in gone]
            self.labels = [columns for columns in self.labels if columns[-1] not in gone]

    def commits(self) -> list[Commit]:
        """What this batch does to each execution it changes, as after the whole batch."""
        deleted = [Commit(namespace=row.namespace, status=row.status, deleted=True) for row in self.deleted]
        return deleted + [
            Commit(
                namespace=row.namespace,
                status=row.status,
                entries=row.appended,
                encoded=row.encoded,
                nodes=list(row.runs.values()),
            )
            for row in self.rows.values()
            if row.touched
        ]

    def _create(self, change: CreateExecution) -> Created:
        request = change.request
        row = self.rows.get(key_of(change))
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
        row = Draft([self._new_pk(), change.namespace, request.request_digest, "", 0, None, *status_row(status)])
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
        appended = [storable_entry(entry) for entry in change.entries]
        self._append(row, appended, self._entry_rows(row.pk, 0, appended))
        self.definitions[request.definition_digest] = definition
        self.data.append((row.pk, given))
        self.labels.extend(label_rows(row.namespace, request.labels, change.time, row.pk))
        self.rows[key_of(change)] = row
        if change.by is not None:
            self._note(change.time, row, change.by, AuditAction.EXECUTE, status.state)
        return Created(status=status, created=True)

    def _update(self, change: UpdateExecution) -> Updated:
        row = self.rows.get(key_of(change))
        if row is None or (change.uid is not None and change.uid != row.status.uid):
            raise ExecutionNotFound(change.execution_id)
        before = row.status
        if change.request_id and (repeated := self.requests.get((row.pk, change.request_id))):
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
        after = moved(before, change)
        appended = [storable_entry(entry) for entry in change.entries]
        entries = self._entry_rows(row.pk, before.last_sequence, appended)
        error = row.error if change.error is None else error_text(change.error)
        output = row.output if change.output is None else change.output.decode()
        given = row.input if change.input is None else change.input.decode()
        answer = orjson.dumps(status_row(after)).decode() if change.request_id else ""
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
        self._append(row, appended, entries)
        row.nodes.update(nodes)
        row.runs.update((node.node_id, node) for node in change.nodes)
        if after.state in CUTTING:
            row.cancel(change.time)
        if change.request_id:
            self.requests[row.pk, change.request_id] = (change.action, after)
            self.new_requests.append((row.pk, change.request_id, change.action, answer))
        if change.by is not None:
            self._note(change.time, row, change.by, change.action, after.state)
        return Updated(status=after, repeated=False)

    def _entry_rows(self, pk: int, last: int, entries: Sequence[NewLogEntry]) -> list[tuple[Any, ...]]:
        make = encoded_row if self._encode else entry_row
        return [make(pk, sequence, entry) for sequence, entry in enumerate(entries, start=last + 1)]

    def _append(self, row: Draft, entries: Sequence[NewLogEntry], rows: Sequence[tuple[Any, ...]]) -> None:
        self.entries.extend(rows)
        row.appended.extend(entries)
        if self._encode:
            row.encoded.extend([columns[-1] for columns in rows])

    def _note(self, time: int, row: Draft, by: Actor, action: str, outcome: str) -> None:
        status = row.status
        self.audit.append(audit_row(time, row.namespace, by, action, status.execution_id, status.uid, outcome))

    def _delete(self, change: DeleteExecution) -> ExecutionStatus:
        row = self.rows.get(key_of(change))
        if row is None or (change.uid is not None and change.uid != row.status.uid):
            raise ExecutionNotFound(change.execution_id)
        if not row.status.state.terminal:
            raise IllegalTransition(
                execution_id=change.execution_id,
                action="delete",
                state=row.status.state,
                allowed_from=sorted(TERMINAL),
            )
        del self.rows[key_of(change)]
        self.deleted.append(row)
        if change.by is not None:
            self._note(change.time, row, change.by, AuditAction.DELETE, "DELETED")
        return row.status

    def _put(self, change: PutWorkflow) -> WorkflowPut:
        key = workflow_key_of(change)
        known = self.workflows.get(key)
        if known is None:
            definition = change.definition.decode()
            self.workflows[key] = change.time
            self.new_workflows.append((*key, change.time))
            self.definitions[change.version] = definition
            if change.by is not None:
                self.audit.append(
                    audit_row(
                        change.time,
                        change.namespace,
                        change.by,
                        AuditAction.CREATE_WORKFLOW,
                        change.workflow_id,
                        change.version,
                        "CREATED",
                    )
                )
        workflow = StoredWorkflow(
            workflow_id=change.workflow_id,
            version=change.version,
            create_time=change.time if known is None else known,
            definition=None,
        )
        return WorkflowPut(workflow=workflow, created=known is None)


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


def key_of(change: CreateExecution | UpdateExecution | DeleteExecution) -> Key:
    """Say which execution a change is of."""
    if isinstance(change, CreateExecution):
        return change.namespace, change.request.execution_id
    return change.namespace, change.execution_id


def workflow_key_of(change: PutWorkflow) -> WorkflowKey:
    """Say which version of a workflow is put."""
    return change.namespace, change.workflow_id, change.version


def cuts(change: Change) -> bool:
    """Whether a change may touch journal rows that it does not name."""
    return isinstance(change, UpdateExecution) and (change.restart or change.to_state in CUTTING)


def label_rows(
    namespace: str, labels: Mapping[str, str], create_time: int, pk: int
) -> list[tuple[str, str, str, int, int]]:
    """The rows by which an execution is found by its labels."""
    return [(namespace, key, storable(value), create_time, pk) for key, value in labels.items()]
