"""A store on a file of the test's own, and ways to get at what is behind it."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from execsvc.store import SqliteStore


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where the database is."""
    return tmp_path / "execsvc.db"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store."""
    store = await SqliteStore.open(path)
    yield store
    await store.close()


@pytest.fixture
def writing(store: SqliteStore) -> sqlite3.Connection:
    """The connection that the writer's thread uses; touch it only while nothing is handed in."""
    return store._db


@pytest.fixture
def held_lock(path: Path) -> Callable[[], object]:
    """A context in which somebody else holds the write lock, so that what is handed in meets in one batch."""

    @contextmanager
    def hold() -> Iterator[None]:
        # Made without ``connect``, which a test may have replaced.
        with closing(sqlite3.Connection(path, isolation_level=None)) as db:
            db.execute("BEGIN IMMEDIATE")
            yield
            db.execute("ROLLBACK")

    return hold
