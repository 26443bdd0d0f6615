"""One server at a time has a database."""

# ruff: noqa: ASYNC220
# Nothing else runs on the loop of these tests.

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from execsvc.errors import DatabaseLocked
from execsvc.store import SqliteStore
from tests.support.changes import create


async def test_second_open_is_refused_and_names_the_process(store: SqliteStore, path: Path) -> None:
    with pytest.raises(DatabaseLocked) as refused:
        await SqliteStore.open(path)
    assert f"(process {os.getpid()})" in refused.value.message
    assert str(path) in refused.value.message
    assert "--db" in refused.value.message
    # The refusal took nothing away from the first.
    assert (await store.create(create())).created


async def test_other_names_of_the_file_lead_to_the_same_lock(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    link = path.with_name("link.db")
    link.symlink_to(path)
    monkeypatch.chdir(path.parent)
    for name in (link, Path(path.name), path.parent / "." / path.name):
        with pytest.raises(DatabaseLocked):
            await SqliteStore.open(name)


async def test_lock_is_free_again_after_close(path: Path) -> None:
    for _ in range(3):
        store = await SqliteStore.open(path)
        await store.close()


async def test_process_that_was_killed_holds_no_lock(path: Path) -> None:
    command = [sys.executable, "-m", "tests.support.store_writer", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"opened\n"
        with pytest.raises(DatabaseLocked) as refused:
            await SqliteStore.open(path)
        assert f"(process {process.pid})" in refused.value.message
        process.kill()
        process.stdout.read()
    store = await SqliteStore.open(path)
    with pytest.raises(DatabaseLocked) as refused:
        await SqliteStore.open(path)
    assert f"(process {os.getpid()})" in refused.value.message
    await store.close()


async def test_owner_that_cannot_be_read_does_not_hide_the_refusal(store: SqliteStore, path: Path) -> None:
    path.with_name(path.name + ".owner").write_bytes(b"\xff\xfe")
    with pytest.raises(DatabaseLocked, match="another server uses"):
        await SqliteStore.open(path)
