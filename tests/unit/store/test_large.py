"""What is too large for one text of SQLite is read all the same."""

from __future__ import annotations

import sqlite3

import pytest

from execsvc.model import NodeRun, NodeState
from execsvc.store import SqliteStore
from execsvc.store.sqlite.reader import Reader
from tests.support.changes import NAMESPACE, create, update


async def test_outputs_that_are_too_long_together_are_read_one_by_one(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    nodes = {
        f"n{i}": NodeRun(node_id=f"n{i}", state=NodeState.COMPLETED, attempt=1, output=b'"%s"' % (b"x" * 1000))
        for i in range(10)
    }
    await store.create(create())
    await store.update(update(nodes=tuple(nodes.values())))
    limits: list[int] = []
    connect = Reader._connect

    def limited(reader: Reader) -> sqlite3.Connection:
        db = connect(reader)
        limits.append(db.setlimit(sqlite3.SQLITE_LIMIT_LENGTH, 5000))
        return db

    monkeypatch.setattr(Reader, "_connect", limited)
    record = await store.execution(NAMESPACE, "e1", full=True)
    assert limits, "or the test shows nothing"
    assert record.nodes == nodes
