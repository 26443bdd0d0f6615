"""Group commit when the database refuses: a full disk, a lock held elsewhere, a broken constraint."""

# ruff: noqa: ASYNC220
# Nothing else runs on the loop of these tests.

from __future__ import annotations

import asyncio
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, closing
from pathlib import Path
from typing import Any

import pytest

from execsvc.errors import ExecutionNotFound, LeaseLost, StorageFull, StorageUnavailable
from execsvc.model import NodeRun, NodeState
from execsvc.store import Created, SqliteStore, Updated
from execsvc.store.sqlite import writer
from tests.support.changes import NAMESPACE, claim, create, entries, update
from tests.support.stored_logs import entries_of

Hold = Callable[[], AbstractContextManager[None]]


async def outcomes(futures: list[asyncio.Future[Any]]) -> list[Any]:
    return await asyncio.gather(*futures, return_exceptions=True)


class Transactions:
    """Statements that a connection runs, a list for each transaction."""

    def __init__(self, db: sqlite3.Connection) -> None:
        self.all: list[list[str]] = []
        db.set_trace_callback(self._note)

    def _note(self, sql: str) -> None:
        words = " ".join(sql.split()[:4])
        if words.startswith("BEGIN"):
            self.all.append([])
        self.all[-1].append(words)


def together(store: SqliteStore, hold: Hold, hand_in: Callable[[], list[asyncio.Future[Any]]]) -> list[Any]:
    """Hand changes in while the writer waits for the lock with another one; so they meet in the next batch."""
    with hold():
        first = store.update(update("nobody"))
        first.add_done_callback(lambda done: done.exception())
        return hand_in()


async def test_what_waits_shares_a_transaction(
    store: SqliteStore, writing: sqlite3.Connection, held_lock: Hold
) -> None:
    seen = Transactions(writing)
    futures = together(store, held_lock, lambda: [store.create(create(f"e{i}")) for i in range(100)])
    assert all(isinstance(outcome, Created) for outcome in await outcomes(futures))
    assert len(seen.all) <= 2


async def test_batches_are_bounded_by_number(
    store: SqliteStore, writing: sqlite3.Connection, held_lock: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_BATCH", 10)
    seen = Transactions(writing)
    futures = together(store, held_lock, lambda: [store.create(create(f"e{i}")) for i in range(100)])
    await outcomes(futures)
    assert 10 <= len(seen.all) <= 11


async def test_batches_are_bounded_by_bytes(
    store: SqliteStore, writing: sqlite3.Connection, held_lock: Hold, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "MAX_BATCH_BYTES", 100_000)
    seen = Transactions(writing)
    node = NodeRun(node_id="n", state=NodeState.COMPLETED, output=b'"%s"' % (b"x" * 50_000))

    def hand_in() -> list[asyncio.Future[Any]]:
        created: list[asyncio.Future[Any]] = [store.create(create(f"e{i}")) for i in range(10)]
        return created + [store.update(update(f"e{i}", nodes=(node,))) for i in range(10)]

    await outcomes(together(store, held_lock, hand_in))
    assert 5 <= len(seen.all) <= 7


@pytest.mark.parametrize("poison", range(0, 20, 7))
async def test_change_the_database_refuses_does_not_fail_its_neighbours(
    store: SqliteStore, path: Path, held_lock: Hold, poison: int
) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "CREATE TRIGGER poison BEFORE INSERT ON node_runs WHEN new.node_id = 'poison' "
            "BEGIN SELECT raise(ABORT, 'poisoned'); END"
        )
        db.commit()
    await store.create(create())
    await store.update(claim())

    def hand_in() -> list[asyncio.Future[Any]]:
        return [
            store.update(
                update(
                    epoch=9 if i == 3 else 1,
                    nodes=(NodeRun(node_id="poison" if i == poison else f"n{i}", state=NodeState.COMPLETED),),
                    entries=entries(f"entry {i}"),
                )
            )
            for i in range(20)
        ]

    for i, outcome in enumerate(await outcomes(together(store, held_lock, hand_in))):
        expected: type = StorageUnavailable if i == poison else LeaseLost if i == 3 else Updated
        assert isinstance(outcome, expected)
        assert ("poisoned" in str(outcome)) is (i == poison)
    good = [i for i in range(20) if i not in (3, poison)]
    page = await store.log_page(NAMESPACE, "e1", after=2, limit=100)
    assert [entry.message for entry in entries_of(page)] == [f"entry {i}" for i in good]
    assert [entry.sequence for entry in entries_of(page)] == list(range(3, 3 + len(good)))


async def test_full_disk_is_told_and_the_store_goes_on_once_there_is_space(
    store: SqliteStore, writing: sqlite3.Connection
) -> None:
    await store.create(create("before"))
    (pages,) = writing.execute("PRAGMA page_count").fetchone()
    writing.execute(f"PRAGMA max_page_count = {pages + 4}")
    large = b'"%s"' % (b"x" * 200_000)
    refused = await outcomes([store.create(create(f"e{i}", input=large)) for i in range(5)])
    assert {type(outcome) for outcome in refused} == {StorageFull}
    assert len({id(outcome) for outcome in refused}) == 5
    assert not writing.in_transaction
    # What fits still goes through, and nothing of what failed is there.
    assert (await store.create(create("small"))).created
    with pytest.raises(ExecutionNotFound):
        await store.status(NAMESPACE, "e0")
    writing.execute("PRAGMA max_page_count = 1000000")
    assert all(
        outcome.created for outcome in await outcomes([store.create(create(f"e{i}", input=large)) for i in range(5)])
    )
    assert {item.execution_id for item in await store.unfinished()} == {"before", "small", *(f"e{i}" for i in range(5))}


LIMITED = """
import asyncio, resource, signal, sys
from execsvc.errors import StorageUnavailable
from execsvc.store import SqliteStore
from tests.support.changes import create

async def main():
    store = await SqliteStore.open(sys.argv[1])
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, hard))
    large = b'"%s"' % (b"x" * 300_000)
    creating = [store.create(create(f"e{i}", input=large)) for i in range(20)]
    done = await asyncio.gather(*creating, return_exceptions=True)
    failed = [i for i, outcome in enumerate(done) if isinstance(outcome, StorageUnavailable)]
    assert failed, done
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    for i in failed:
        assert (await store.create(create(f"e{i}", input=large))).created
    assert len(await store.unfinished()) == 20
    await store.close()

asyncio.run(main())
"""


def test_store_goes_on_after_the_system_refused_its_writes(path: Path) -> None:
    """A limit on the size of files stands in for a disk that fails below SQLite."""
    subprocess.run([sys.executable, "-c", LIMITED, str(path)], check=True)
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


HOLDS_LOCK = """
import sqlite3, sys
db = sqlite3.connect(sys.argv[1], isolation_level=None)
db.execute("BEGIN IMMEDIATE")
print("locked", flush=True)
sys.stdin.read()
"""


async def test_lock_held_by_another_process_is_told_and_the_store_goes_on_once_it_is_free(
    store: SqliteStore, writing: sqlite3.Connection, path: Path
) -> None:
    await store.create(create())
    writing.execute("PRAGMA busy_timeout = 20")
    command = [sys.executable, "-c", HOLDS_LOCK, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"locked\n"
        refused = await outcomes([store.update(claim()), store.create(create("e2"))])
        assert {type(outcome) for outcome in refused} == {StorageUnavailable}
        assert "locked" in refused[0].message
        # Reads do not wait for writers.
        assert (await store.status(NAMESPACE, "e1")).epoch == 0
        assert len(entries_of(await store.log_page(NAMESPACE, "e1", after=0, limit=9))) == 1
        process.communicate()
    assert (await store.update(claim())).status.epoch == 1
    assert (await store.create(create("e2"))).created


async def test_transaction_that_was_left_open_is_rolled_back(store: SqliteStore, writing: sqlite3.Connection) -> None:
    await store.create(create())
    writing.execute("BEGIN")
    with pytest.raises(StorageUnavailable):
        await store.update(claim())
    assert (await store.update(claim())).status.epoch == 1


async def test_change_is_kept_although_the_loop_that_waited_is_gone(path: Path) -> None:
    """As when a program ends by an exception."""

    async def hand_in(locked: sqlite3.Connection) -> SqliteStore:
        store = await SqliteStore.open(path)
        locked.execute("BEGIN IMMEDIATE")
        store.create(create("last"))
        return store

    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as locked:
        store = await asyncio.to_thread(lambda: asyncio.run(hand_in(locked)))
        locked.execute("ROLLBACK")
    await store.close()
    again = await SqliteStore.open(path)
    assert [item.execution_id for item in await again.unfinished()] == ["last"]
    await again.close()
