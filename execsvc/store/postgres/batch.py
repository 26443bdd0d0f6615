"""Apply a batch of changes: read the rows they touch, decide in order, write in sets.

A batch takes two round trips. No row is locked between them: the writes go through only where the rows are still as
they were read, which their revision says; otherwise the batch ends with a conflict and is to be decided anew.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from execsvc.store.decisions import Change, Decisions, Outcome, cuts, key_of, workflow_key_of
from execsvc.store.draft import Draft
from execsvc.store.postgres import statements as sql
from execsvc.store.postgres.connections import Connection
from execsvc.store.postgres.jobs import Jobs
from execsvc.store.postgres.labels import label_columns
from execsvc.store.postgres.migrations import DEFINITION_LOCK, WORKFLOW_LOCK
from execsvc.store.postgres.numbers import Numbers
from execsvc.store.protocol import Commit, CreateExecution, PutWorkflow, UpdateExecution

_FIRST_REVISION = 1

#: With its arguments.
_Statement = tuple[bytes, tuple[Any, ...]]


class Batch:
    """Decides a list of changes against one database and writes what comes of them.

    ``find``, ``decide`` each change in order, ``prepare``, then ``write``; an exception from any of them leaves the
    transaction open, to be rolled back.
    """

    def __init__(
        self, db: Connection, changes: Sequence[Change], numbers: Numbers, jobs: Jobs, mark: tuple[str, int]
    ) -> None:
        self._db = db
        self._changes = changes
        self._numbers = numbers
        self._jobs = jobs
        #: Its writer's name and its number there.
        self.mark = mark
        self._decisions = Decisions(numbers.take, encode=False)
        self._revisions: dict[int, int] = {}
        self._statements: list[_Statement] = []
        #: Number of the transaction, once it has begun.
        self.transaction = ""
        #: Digests of definitions that may have lost their last user.
        self.unused: set[str] = set()

    async def find(self) -> None:
        """Begin the transaction and read what the changes touch, in one round trip."""
        changes, db = self._changes, self._db
        keys = list({key_of(change): None for change in changes if not isinstance(change, PutWorkflow)})
        puts = [workflow_key_of(change) for change in changes if isinstance(change, PutWorkflow)]
        updates = [change for change in changes if isinstance(change, UpdateExecution)]
        requests = [(*key_of(change), change.request_id) for change in updates if change.request_id]
        cutting = list({key_of(change): None for change in updates if cuts(change)})
        more = self._numbers.short_of(sum(isinstance(change, CreateExecution) for change in changes))
        async with db.pipeline():
            await db.execute(sql.BEGIN)
            begun = await db.execute(sql.PREPARE)
            numbers = await db.execute(sql.NEXT_PKS) if more else None
            if puts:
                # Two servers that put versions of one workflow must agree on the newest.
                await db.execute(sql.LOCK, (WORKFLOW_LOCK,))
            workflows = await db.execute(sql.FIND_WORKFLOWS, (_json(puts),)) if puts else None
            rows = await db.execute(sql.FIND, (_json(keys),)) if keys else None
            repeated = await db.execute(sql.FIND_REQUESTS, (_json(requests),)) if requests else None
            unfinished = await db.execute(sql.FIND_UNFINISHED, (_json(cutting),)) if cutting else None
        self.transaction = str((await begun.fetchall())[0][0])
        if numbers is not None:
            self._numbers.add((await numbers.fetchall())[0][0])
        found = self._decisions
        if workflows is not None:
            found.find_workflows(await workflows.fetchall())
        if rows is not None:
            columns = await rows.fetchall()
            self._revisions = {row[1]: row[0] for row in columns}
            found.find_rows(row[1:] for row in columns)
        if repeated is not None:
            found.find_requests(row for row in await repeated.fetchall() if row[0] in self._revisions)
        if unfinished is not None:
            # What came into being since the rows were read is met by their revisions.
            found.find_unfinished(row for row in await unfinished.fetchall() if row[0] in self._revisions)

    def decide(self, change: Change) -> Outcome:
        """See ``Decisions.decide``."""
        return self._decisions.decide(change)

    def commits(self) -> list[Commit]:
        """See ``Decisions.commits``."""
        return self._decisions.commits()

    def prepare(self) -> None:
        """Put what was decided into statements; an exception says that a change was malformed."""
        decided = self._decisions
        decided.settle()
        self.unused.update(row.new[0] for row in decided.deleted if row.new is not None)
        self._statements = [
            *self._updates(),
            *self._deletes(),
            *self._inserts(),
            *self._jobs.writes(decided.touched, decided.deleted),
            (sql.MARK, self.mark),
        ]

    async def write(self) -> None:
        """Write everything that was prepared and commit it, in one round trip."""
        digests = None
        async with self._db.pipeline():
            for statement, arguments in self._statements:
                answer = await self._db.execute(statement, arguments)
                if statement is sql.DELETE_EXECUTIONS:
                    digests = answer
            await self._db.execute(sql.COMMIT)
        if digests is not None:
            self.unused.update((await digests.fetchall())[0][1] or ())

    def _deletes(self) -> list[_Statement]:
        deleted = [row for row in self._decisions.deleted if row.new is None]
        if not deleted:
            return []
        pks = _json([(row.pk,) for row in deleted])
        rows = [(row.pk, self._revisions[row.pk]) for row in deleted]
        owned = [(statement, (pks,)) for statement in (sql.DELETE_LABELS, *sql.DELETE_OWNED)]
        return [*owned, (sql.DELETE_EXECUTIONS, (_json(rows), len(rows)))]

    def _updates(self) -> list[_Statement]:
        # In order, so that two servers that change the same rows do not wait for each other in a ring.
        old = sorted((row for row in self._decisions.touched if row.new is None), key=lambda row: row.pk)
        rows = [[*row.updated, self._revisions[row.pk]] for row in old]
        outputs = [(row.pk, row.output) for row in old if row.output is not None]
        inputs = [(row.pk, row.input) for row in old if row.input is not None]
        return [
            *([(sql.UPDATE_EXECUTIONS, (_json(rows), len(rows)))] if rows else []),
            *([(sql.UPDATE_OUTPUTS, (_json(outputs),))] if outputs else []),
            *([(sql.UPDATE_INPUTS, (_json(inputs),))] if inputs else []),
        ]

    def _inserts(self) -> list[_Statement]:
        decided = self._decisions
        touched = decided.touched
        new = sorted((row for row in touched if row.new is not None), key=lambda row: row.status.execution_id)
        given = dict(decided.data)
        data = [(row.pk, given[row.pk] if row.input is None else row.input, row.output) for row in new]
        newest = list({key[:2]: key[:3] for key in decided.new_workflows}.values())
        inserts: list[tuple[bytes, Sequence[Any]]] = [
            (sql.INSERT_DEFINITIONS, sorted(decided.definitions.items())),
            (sql.INSERT_EXECUTIONS, [_inserted(row) for row in new]),
            (sql.INSERT_DATA, data),
            (sql.INSERT_LABELS, decided.labels),
            (sql.INSERT_WORKFLOWS, decided.new_workflows),
            (sql.SUPERSEDE_WORKFLOWS, newest),
            (sql.UPSERT_NODES, [columns for row in touched for columns in row.nodes.values()]),
            (sql.INSERT_ENTRIES, decided.entries),
            (sql.INSERT_REQUESTS, decided.new_requests),
            (sql.INSERT_AUDIT, decided.audit),
        ]
        # Whoever removes definitions waits for those who are about to use one.
        lock = [(sql.LOCK_SHARED, (DEFINITION_LOCK,))] if decided.definitions else []
        return [*lock, *((statement, (_json(rows),)) for statement, rows in inserts if rows)]


def _inserted(row: Draft) -> list[Any]:
    *columns, digest, given, priority, timeout, concurrency_key, retry = row.inserted
    labels, exact = label_columns(given)
    return [*columns, digest, labels, priority, timeout, concurrency_key, retry, exact, _FIRST_REVISION]


def _json(rows: object) -> str:
    return orjson.dumps(rows).decode()
