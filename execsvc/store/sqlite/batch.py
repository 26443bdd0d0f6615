"""Apply a batch of changes inside one transaction: read the rows they touch, decide in order, write in sets.

Every statement here is executed once a batch and gives one row at most. A call into SQLite gives up the interpreter
lock and has to win it back, which under a busy loop costs more than the statement; JSON arrays as parameters keep
the number of calls constant however large the batch is.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from typing import Any

import orjson

from execsvc.store.decisions import Change, Decisions, Outcome, cuts, key_of, label_rows, workflow_key_of
from execsvc.store.protocol import Commit, PutWorkflow, UpdateExecution
from execsvc.store.sqlite import statements as sql


class Batch:
    """Decides a list of changes against one database and collects what to write.

    Use it inside a transaction that holds the write lock: ``decide`` each change in order, then ``write`` once.

    Args:
        new_pk: see ``Decisions``.
    """

    def __init__(self, db: sqlite3.Connection, changes: Sequence[Change], *, new_pk: Callable[[], int]) -> None:
        self._db = db
        self._decisions = Decisions(new_pk, encode=True)
        #: Digests of definitions that may have lost their last user.
        self._unused: set[str] = set()
        self._find(changes)

    def _find(self, changes: Sequence[Change]) -> None:
        found = self._decisions
        keys = list({key_of(change): None for change in changes if not isinstance(change, PutWorkflow)})
        puts = [workflow_key_of(change) for change in changes if isinstance(change, PutWorkflow)]
        if puts:
            found.find_workflows(self._one(sql.FIND_WORKFLOWS, puts))
        found.find_rows(self._one(sql.FIND, keys))
        wanted = [
            (found.rows[key].pk, change.request_id)
            for change in changes
            if isinstance(change, UpdateExecution) and change.request_id and (key := key_of(change)) in found.rows
        ]
        if wanted:
            found.find_requests(self._one(sql.FIND_REQUESTS, wanted))
        cutting = {
            found.rows[key].pk
            for change in changes
            if isinstance(change, UpdateExecution) and cuts(change) and (key := key_of(change)) in found.rows
        }
        if cutting:
            found.find_unfinished(self._one(sql.FIND_UNFINISHED, list(cutting)))

    def _one(self, statement: str, parameter: object) -> list[Any]:
        (text,) = self._db.execute(statement, (_json(parameter),)).fetchone()
        rows: list[Any] = orjson.loads(text)
        return rows

    def decide(self, change: Change) -> Outcome:
        """See ``Decisions.decide``."""
        return self._decisions.decide(change)

    def commits(self) -> list[Commit]:
        """See ``Decisions.commits``."""
        return self._decisions.commits()

    def _write_deletes(self) -> None:
        deleted = self._decisions.deleted
        if not deleted:
            return
        pks = _json([row.pk for row in deleted])
        names = {row.pk: (row.namespace, row.status.create_time) for row in deleted}
        owned = self._one(sql.OWNED, [row.pk for row in deleted])
        labels = [
            label for pk, _, text in owned for label in label_rows(names[pk][0], orjson.loads(text), names[pk][1], pk)
        ]
        if labels:
            self._db.execute(sql.DELETE_LABELS, (_json(labels),))
        for statement in sql.DELETE:
            self._db.execute(statement, (pks,))
        self._unused.update(digest for _, digest, _ in owned)
        self._unused.update(row.new[0] for row in deleted if row.new is not None)

    def write(self) -> None:
        """Write everything that was decided."""
        self._write_deletes()
        decided = self._decisions
        decided.settle()
        touched = decided.touched
        new = [row for row in touched if row.new is not None]
        old = [row for row in touched if row.new is None]
        entries, entry_bytes = _entries(decided.entries)
        rows: dict[str, Sequence[object]] = {
            "definitions": list(decided.definitions.items()),
            "executions": [row.inserted for row in new],
            "data": decided.data,
            "labels": decided.labels,
            "workflows": decided.new_workflows,
            "superseded": list({key[:2]: key for key in decided.new_workflows}.values()),
            "updates": [row.updated for row in old],
            "outputs": [(row.pk, row.output) for row in touched if row.output is not None],
            "inputs": [(row.pk, row.input) for row in touched if row.input is not None],
            "nodes": [columns for row in touched for columns in row.nodes.values()],
            "entries": entries,
            "requests": decided.new_requests,
            "audit": decided.audit,
            "unused": sorted(self._unused),
        }
        arrays = {name: _json(of) if of else None for name, of in rows.items()}
        self._db.execute(sql.WRITE, arrays | {"entry_bytes": entry_bytes})


def _entries(rows: Sequence[tuple[Any, ...]]) -> tuple[list[tuple[Any, ...]], bytes]:
    """Give log entries by where their bytes stand among those of all, counted from 1."""
    parts: list[bytes] = []
    placed = []
    place = 1
    for execution, sequence, level, node_id, encoded in rows:
        size = len(encoded)
        placed.append((execution, sequence, level, node_id, place, size))
        parts.append(encoded)
        place += size
    return placed, b"".join(parts)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
