"""What a store makes of the file it is given."""

# ruff: noqa: ASYNC240
# Nothing else runs on the loop of these tests.

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from execsvc.errors import DatabaseLocked, StorageUnavailable
from execsvc.model import SOMEBODY, AuditFilter
from execsvc.store import SqliteStore, opened_tokens, opened_trail
from execsvc.store.sqlite.lock import DatabaseLock
from execsvc.store.sqlite.migrations import APPLICATION_ID
from tests.support.changes import create
from tests.support.tokens import token


async def opens(path: Path) -> None:
    store = await SqliteStore.open(path)
    assert (await store.create(create())).status.execution_id == "e1"
    await store.close()


async def refusal(path: Path) -> str:
    """Why it is refused; the same each time, so no lock is left behind."""
    messages = set()
    for _ in range(2):
        with pytest.raises(StorageUnavailable) as refused:
            await SqliteStore.open(path)
        messages.add(refused.value.message)
    (message,) = messages
    assert str(path) in message
    return message


def query(path: Path, sql: str) -> object:
    with closing(sqlite3.connect(path)) as db:
        return db.execute(sql).fetchall()


async def test_fresh_file_is_made_with_its_directories_and_marked_as_ours(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b" / "new.db"
    await opens(path)
    assert query(path, "PRAGMA application_id") == [(APPLICATION_ID,)]
    assert query(path, "PRAGMA journal_mode") == [("wal",)]


async def test_empty_file_is_taken(path: Path) -> None:
    path.touch()
    await opens(path)


async def test_our_file_is_opened_again_without_a_step(path: Path) -> None:
    await opens(path)
    before = query(path, "SELECT * FROM _sqlite_migrations")
    await opens(path)
    assert query(path, "SELECT * FROM _sqlite_migrations") == before


async def test_first_start_that_was_cut_off_is_taken_up(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
        db.execute("CREATE TABLE _sqlite_migrations (id INTEGER PRIMARY KEY, migration_set, name, applied_at)")
        db.commit()
    await opens(path)


async def test_commits_survive_a_power_cut(store: SqliteStore, writing: sqlite3.Connection) -> None:
    """In WAL mode only FULL (2) syncs each commit."""
    assert writing.execute("PRAGMA synchronous").fetchone() == (2,)
    assert writing.execute("PRAGMA journal_mode").fetchone() == ("wal",)


async def test_file_of_a_later_version_is_refused_and_left_alone(path: Path) -> None:
    await opens(path)
    with closing(sqlite3.connect(path)) as db:
        db.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('execsvc', '9999_later', '')"
        )
        db.commit()
    before = path.read_bytes()
    message = await refusal(path)
    assert "later version" in message
    assert "9999_later" in message
    assert path.read_bytes() == before


@pytest.mark.parametrize("application_id", [0, 0x12345678])
async def test_database_of_another_application_is_refused_and_left_alone(path: Path, application_id: int) -> None:
    with closing(sqlite3.connect(path)) as db:
        db.execute(f"PRAGMA application_id = {application_id}")
        db.execute("CREATE TABLE theirs (x)")
        db.commit()
    before = path.read_bytes()
    assert "another application" in await refusal(path)
    assert path.read_bytes() == before


@pytest.mark.parametrize("garbage", [b"x" * 10_000, b"SQLite format 3\0" + b"\xff" * 5000, bytes(4096)])
async def test_what_is_no_database_is_refused(path: Path, garbage: bytes) -> None:
    path.write_bytes(garbage)
    await refusal(path)
    assert path.read_bytes() == garbage


async def test_directory_is_refused(path: Path) -> None:
    path.mkdir()
    await refusal(path)


async def test_place_below_a_file_is_refused(path: Path) -> None:
    path.touch()
    await refusal(path / "below.db")


#: What each step but the first added, newest first.
ADDED = {"0003_audit": "audit", "0002_api_tokens": "api_tokens"}


def made_older(path: Path, since: str = "0002_api_tokens") -> None:
    """Take back what a step did, and those after it."""
    with closing(sqlite3.connect(path)) as db:
        for step, table in ADDED.items():
            db.execute(f"DROP TABLE {table}")
            db.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (step,))
            if step == since:
                break
        db.commit()


async def test_file_without_api_tokens_gains_them_and_loses_nothing(path: Path) -> None:
    await opens(path)
    made_older(path)

    store = await SqliteStore.open(path)
    assert await store.tokens.all() == []
    assert (await store.status("default", "e1")).execution_id == "e1"
    await store.close()


async def test_file_without_an_audit_trail_gains_one_and_keeps_its_tokens(path: Path) -> None:
    await opens(path)
    _, made = token()
    with opened_tokens(path) as tokens:
        await tokens.add(made, SOMEBODY)
    made_older(path, "0003_audit")

    with opened_trail(path) as (trail, tokens):
        assert await trail.page(AuditFilter(), after=None, limit=9) == []
        assert await tokens.all() == [made]
        await tokens.revoke(made.token_id, 1, SOMEBODY)
        assert [one.action for one in await trail.page(AuditFilter(), after=None, limit=9)] == ["revoke_token"]


async def test_a_trail_that_is_not_there_is_not_made(path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="no such file"), opened_trail(path):
        pass
    assert not path.exists()


async def test_tokens_are_not_added_under_a_server_of_an_earlier_version(path: Path) -> None:
    await opens(path)
    made_older(path)
    lock = DatabaseLock(path.resolve())
    try:
        with pytest.raises(DatabaseLocked), opened_tokens(path):
            pass
        assert query(path, "SELECT count(*) FROM sqlite_master WHERE name = 'api_tokens'") == [(0,)]
    finally:
        lock.release()
    with opened_tokens(path) as tokens:
        assert await tokens.all() == []
