"""Log entries in SQLite: those of earlier versions, in columns, are read as those that are kept as bytes."""

from __future__ import annotations

import sqlite3

import pytest

from execsvc.encoding.log_entries import encoded_as
from execsvc.model import LogLevel, NewLogEntry
from execsvc.store import Commit, SqliteStore
from tests.conformance.reads import running, whole_log
from tests.support.changes import NAMESPACE, NOW, create, entries, update
from tests.support.old_entries import write_as_before
from tests.support.stored_logs import entries_of


def said(number: int) -> NewLogEntry:
    """An entry that differs from its neighbours in all there is."""
    facts = {"event": f"e{number}", "n": number, "nested": {"list": [number, None, True, "x"]}}
    return NewLogEntry(
        time=NOW + 7_777_777 * number,
        level=list(LogLevel)[number % 4],
        node_id=f"n{number % 3}" if number % 3 else "",
        attempt=number % 2,
        message=f"ü {number}" * (number % 4),
        metadata=facts if number % 5 else {},
    )


@pytest.mark.parametrize("which", ["true", "sequence <= 20", "sequence % 2", "sequence > 20"])
async def test_entries_in_columns_and_in_bytes_are_one_log(
    store: SqliteStore, writing: sqlite3.Connection, which: str
) -> None:
    await running(store)
    for number in range(0, 40, 4):
        await store.update(update(entries=tuple(said(number + i) for i in range(4))))
    before = await whole_log(store)
    filters = [(LogLevel.DEBUG, "n1"), (LogLevel.WARNING, ""), (LogLevel.INFO, "n2")]

    async def filtered() -> list[object]:
        return [
            (
                await store.log_tail(NAMESPACE, "e1", count=3, min_level=level, node_id=node_id),
                entries_of(
                    await store.log_page(
                        NAMESPACE, "e1", after=5, limit=7, max_bytes=500, min_level=level, node_id=node_id
                    )
                ),
            )
            for level, node_id in filters
        ]

    wanted = await filtered()
    assert write_as_before(writing, which) > 0

    for page in (1, 7, 1000):
        assert await whole_log(store, page=page) == before
    assert await filtered() == wanted
    # And it goes on in bytes.
    await store.update(update(entries=(said(99),)))
    assert (await whole_log(store))[:-1] == before


async def test_followers_are_handed_the_bytes_that_were_stored(store: SqliteStore, writing: sqlite3.Connection) -> None:
    commits: list[Commit] = []
    store.listen(commits.append)
    await store.create(create(log=(said(1), said(2))))
    # What cannot be stored as it is, is encoded as it was stored.
    odd = entries("a\0b \ud800", "plain")
    await store.update(update(entries=odd))

    stored = [entry for (entry,) in writing.execute("SELECT entry FROM log_entries ORDER BY sequence")]
    assert [encoded for commit in commits for encoded in commit.encoded] == stored
    published = [entry for commit in commits for entry in commit.entries]
    assert [encoded_as(sequence, entry) for sequence, entry in enumerate(published, start=1)] == stored
    assert [entry.message for entry in await whole_log(store)][2:] == ["a\N{SYMBOL FOR NULL}b ?", "plain"]


async def test_nothing_is_kept_of_an_entry_but_its_bytes_and_what_filters_ask_for(
    store: SqliteStore, writing: sqlite3.Connection
) -> None:
    await store.create(create(log=(said(1),)))
    rows = writing.execute("SELECT time, level, node_id, attempt, message, metadata FROM log_entries").fetchall()
    assert rows == [(0, said(1).level.rank, "n1", 0, "", "")]
