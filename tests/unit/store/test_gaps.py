"""A log that was damaged, and has a gap, is read to its end all the same; ``check`` is who tells of the gap."""

from __future__ import annotations

import sqlite3

from execsvc.store import SqliteStore
from tests.conformance.reads import whole_log
from tests.support.changes import create, entries, update


async def test_a_gap_longer_than_a_page_hides_nothing_after_it(store: SqliteStore, writing: sqlite3.Connection) -> None:
    await store.create(create())
    await store.update(update(entries=entries(*(f"m{number}" for number in range(20)))))
    before = await whole_log(store)
    writing.execute("DELETE FROM log_entries WHERE sequence BETWEEN 4 AND 15")

    left = [entry for entry in before if not 4 <= entry.sequence <= 15]
    assert len(left) == len(before) - 12
    for page in (1, 3, 5, 100):
        assert await whole_log(store, page=page) == left
