"""Backups are consistent while others write, appear whole or not at all, and restore keeps what it replaces."""

from __future__ import annotations

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import pytest

from execsvc.errors import DatabaseLocked, StorageUnavailable
from execsvc.store import BackupUnusable, SqliteStore, back_up, check_database, restore
from execsvc.store.sqlite.lock import DatabaseLock
from tests.support.changes import create, entries


async def filled(path: Path, *names: str) -> None:
    """Make a database with these executions."""
    store = await SqliteStore.open(path)
    await asyncio.gather(*(store.create(create(name, log=entries("queued"))) for name in names))
    await store.close()


def listed(folder: Path, pattern: str) -> list[str]:
    """Names of the files there."""
    return sorted(file.name for file in folder.glob(pattern))


def names_in(path: Path) -> set[str]:
    """Ids of the executions in a file."""
    db = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return {row[0] for row in db.execute("SELECT execution_id FROM executions")}
    finally:
        db.close()


async def test_a_backup_is_of_the_moment_it_began_however_much_is_written_meanwhile(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    store = await SqliteStore.open(path)
    large = entries(*["x" * 4000] * 20)
    await asyncio.gather(*(store.create(create(f"before-{i}", log=large)) for i in range(150)))
    loop = asyncio.get_running_loop()
    steps: list[int] = []

    def step(done: int, total: int) -> None:
        # Another transaction is committed between any two steps: none makes it begin anew, and none waits for it.
        steps.append(done)
        name = f"after-{len(steps)}"
        asyncio.run_coroutine_threadsafe(_created(store, name), loop).result(30)

    copied = await asyncio.to_thread(back_up, path, copy, progress=step)
    await store.close()

    assert len(steps) > 2
    assert steps == sorted(set(steps))
    assert names_in(copy) == {f"before-{i}" for i in range(150)}
    assert (copied.executions, copied.unfinished, copied.size) == (150, 150, copy.stat().st_size)
    assert check_database(copy) == []
    assert listed(tmp_path, "*copy*") == ["copy.db"]


async def _created(store: SqliteStore, name: str) -> None:
    await store.create(create(name, log=entries("queued")))


async def test_a_file_that_is_there_is_replaced_only_when_asked_to(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    copy.write_text("precious")

    with pytest.raises(FileExistsError):
        back_up(path, copy)
    assert copy.read_text() == "precious"

    back_up(path, copy, force=True)
    assert names_in(copy) == {"one"}


async def test_a_file_made_meanwhile_is_not_replaced_either(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")

    with pytest.raises(FileExistsError):
        back_up(path, copy, progress=lambda *_: copy.write_text("precious") and None)

    assert copy.read_text() == "precious"
    assert listed(tmp_path, ".*.part*") == []


async def test_a_backup_that_is_cut_off_leaves_nothing(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    await filled(path, "one")

    def interrupt(*_: int) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        back_up(path, tmp_path / "copy.db", progress=interrupt)

    assert listed(tmp_path, "*copy*") == []


async def test_a_backup_is_as_private_as_its_database(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    path.chmod(0o600)

    back_up(path, copy)

    assert copy.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("content", [None, b"", b"buy milk\n" * 200])
def test_what_is_no_database_of_ours_is_refused(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "a.db"
    if content is not None:
        path.write_bytes(content)

    for refused in (
        lambda: back_up(path, tmp_path / "copy.db"),
        lambda: restore(path, tmp_path / "other.db"),
        lambda: check_database(path),
    ):
        with pytest.raises(StorageUnavailable, match=r"cannot open .*a\.db"):
            refused()
    assert not (tmp_path / "copy.db").exists()
    assert not (tmp_path / "other.db").exists()


async def test_restore_puts_the_backup_in_place_and_keeps_what_was_there(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    back_up(path, copy)
    await filled(path, "two")

    restored = restore(copy, path)

    assert names_in(path) == {"one"}
    assert restored.replaced is not None
    assert names_in(restored.replaced) == {"one", "two"}
    store = await SqliteStore.open(path)
    assert [item.execution_id for item in await store.unfinished()] == ["one"]
    await store.close()


async def test_restore_keeps_what_a_crash_left_in_the_log_of_the_old_database(tmp_path: Path) -> None:
    path, copy, crashed = tmp_path / "a.db", tmp_path / "copy.db", tmp_path / "crashed.db"
    await filled(path, "one")
    back_up(path, copy)
    store = await SqliteStore.open(path)
    await store.create(create("two", log=entries("queued")))
    for suffix in ("", "-wal", "-shm"):
        # What kill -9 leaves behind.
        (tmp_path / f"crashed.db{suffix}").write_bytes((tmp_path / f"a.db{suffix}").read_bytes())
    await store.close()

    back_up(crashed, tmp_path / "of-crashed.db")
    assert check_database(crashed) == []
    restored = restore(copy, crashed)

    assert names_in(tmp_path / "of-crashed.db") == {"one", "two"}
    assert names_in(crashed) == {"one"}
    assert restored.replaced is not None
    assert names_in(restored.replaced) == {"one", "two"}


async def test_a_restore_that_cannot_be_finished_leaves_everything_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    back_up(path, copy)
    await filled(path, "two")

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("execsvc.store.sqlite.files.os.replace", full)
    with pytest.raises(OSError, match="No space left"):
        restore(copy, path)

    assert listed(tmp_path, "*") == ["a.db", "a.db.lock", "copy.db"]
    assert names_in(path) == {"one", "two"}


async def test_restore_refuses_while_a_server_holds_the_database(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    back_up(path, copy)
    lock = DatabaseLock(path)
    try:
        with pytest.raises(DatabaseLocked):
            restore(copy, path)
    finally:
        lock.release()
    restore(copy, path)


async def test_restore_where_there_was_no_database_keeps_none(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    back_up(path, copy)

    restored = restore(copy, tmp_path / "new" / "b.db")

    assert restored.replaced is None
    assert names_in(tmp_path / "new" / "b.db") == {"one"}


async def test_a_backup_that_contradicts_itself_is_restored_only_when_forced(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, "one")
    back_up(path, copy)
    planted(copy, "DELETE FROM log_entries")

    with pytest.raises(BackupUnusable) as refused:
        restore(copy, path)
    assert [found.kind for found in refused.value.findings] == ["log"]
    assert names_in(path) == {"one"}
    assert listed(tmp_path, "*replaced*") == []

    restore(copy, path, force=True)


async def test_a_damaged_backup_is_never_restored(tmp_path: Path) -> None:
    path, copy = tmp_path / "a.db", tmp_path / "copy.db"
    await filled(path, *map(str, range(200)))
    back_up(path, copy)
    damaged = bytearray(copy.read_bytes())
    for page in range(4096 * 2, len(damaged), 4096 * 3):
        damaged[page : page + 64] = b"\xff" * 64
    copy.write_bytes(damaged)

    with pytest.raises((BackupUnusable, StorageUnavailable)):
        restore(copy, path, force=True)

    assert len(names_in(path)) == 200


def planted(path: Path, *statements: str, parameters: tuple[Any, ...] = ()) -> None:
    """Change a database behind its back."""
    db = sqlite3.connect(path)
    try:
        for statement in statements:
            db.execute(statement, parameters)
        db.commit()
    finally:
        db.close()
