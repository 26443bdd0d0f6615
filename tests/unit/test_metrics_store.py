"""What a store tells its observer of batches and failed reads."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from execsvc.errors import ExecsvcError, StorageUnavailable
from execsvc.model import ExecutionState
from execsvc.store import BatchDone, SqliteStore
from tests.support.changes import NAMESPACE, claim, create, entries, move, update


class Observer:
    """Keeps what it is told."""

    def __init__(self) -> None:
        self.batches: list[BatchDone] = []
        self.failed_reads: list[str] = []

    def batch_done(self, batch: BatchDone) -> None:
        self.batches.append(batch)

    def read_failed(self, error: StorageUnavailable) -> None:
        self.failed_reads.append(error.reason)

    @property
    def ended(self) -> list[ExecutionState]:
        return [state for batch in self.batches for state in batch.ended]


@pytest.fixture
def observer() -> Observer:
    return Observer()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "execsvc.db"


@pytest.fixture
async def store(path: Path, observer: Observer) -> AsyncIterator[SqliteStore]:
    store = await SqliteStore.open(path, observer)
    yield store
    await store.close()


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the write lock, so that what is handed in waits."""
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("BEGIN IMMEDIATE")
        yield
        db.execute("ROLLBACK")


async def test_what_shares_a_commit_is_one_batch(store: SqliteStore, observer: Observer, path: Path) -> None:
    with locked(path):
        changes = [store.create(create(f"e{i}", log=entries("a", "b"))) for i in range(6)]
    await asyncio.gather(*changes)

    # The writer waits for the lock with the first of them; those handed in after that meet behind it.
    assert len(observer.batches) <= 2
    assert sum(batch.changes for batch in observer.batches) == 6
    assert all((batch.created, batch.entries) == (batch.changes, 2 * batch.changes) for batch in observer.batches)
    assert all(batch.wait >= batch.duration > 0 for batch in observer.batches)


async def test_moves_to_a_final_state_count_even_within_one_batch(
    store: SqliteStore, observer: Observer, path: Path
) -> None:
    with locked(path):
        changes = [
            store.create(create("e")),
            store.update(claim("e")),
            store.update(move("e", ExecutionState.FAILED)),
            store.update(move("e", ExecutionState.PENDING, restart=True)),
            store.update(move("e", ExecutionState.STOPPED)),
        ]
    await asyncio.gather(*changes)

    assert observer.ended == [ExecutionState.FAILED, ExecutionState.STOPPED]
    assert sum(batch.created for batch in observer.batches) == 1
    assert sum(batch.entries for batch in observer.batches) == (await store.status(NAMESPACE, "e")).last_sequence


async def test_repeats_and_refusals_count_as_nothing(store: SqliteStore, observer: Observer) -> None:
    await store.create(create("e"))
    await store.update(move("e", ExecutionState.STOPPED, request_id="r"))
    observer.batches.clear()
    await store.create(create("e"))
    assert (await store.update(move("e", ExecutionState.STOPPED, request_id="r"))).repeated
    with pytest.raises(ExecsvcError):
        await store.create(create("e", priority=1))
    with pytest.raises(ExecsvcError):
        await store.update(move("e", ExecutionState.STOPPED, from_states=(ExecutionState.RUNNING,)))

    assert observer.ended == []
    assert [(batch.changes, batch.created, batch.entries, batch.failures) for batch in observer.batches] == [
        (1, 0, 0, [])
    ] * 4


async def test_a_full_disk_is_a_failure_of_each_change(store: SqliteStore, observer: Observer) -> None:
    await store.create(create("e"))
    (pages,) = store._db.execute("PRAGMA page_count").fetchone()
    store._db.execute(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StorageUnavailable):
        await store.create(create("large", input=b'"%s"' % (b"x" * 200_000)))

    assert observer.batches[-1].failures == ["STORAGE_FULL"]
    assert observer.batches[-1].created == observer.batches[-1].entries == 0


async def test_a_change_that_is_malformed_is_a_bug(store: SqliteStore, observer: Observer) -> None:
    await store.create(create("e"))
    with pytest.raises(AssertionError, match="no move"):
        await store.update(update("e", to_state=ExecutionState.COMPLETED))

    assert observer.batches[-1].failures == ["INTERNAL"]
    assert observer.ended == []


async def test_reads_that_fail_are_told_of(store: SqliteStore, observer: Observer) -> None:
    await store.create(create("e"))
    store._reader._inline.close()
    with pytest.raises(StorageUnavailable):
        await store.status(NAMESPACE, "e")

    assert observer.failed_reads == ["STORAGE_UNAVAILABLE"]
