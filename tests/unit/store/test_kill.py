"""What was acknowledged is there after kill -9, whenever that comes."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from execsvc.store import SqliteStore
from tests.support.changes import NAMESPACE
from tests.support.stored_logs import entries_of


def write_and_be_killed(path: Path, lines: int) -> list[str]:
    """Run a writer, kill it once it has acknowledged so many changes, and answer all it has acknowledged."""
    command = [sys.executable, "-m", "tests.support.store_writer", str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        process.kill()
        acknowledged += process.stdout.readlines()
    # The last line may be cut off.
    return [line.rstrip("\n") for line in acknowledged if line.endswith("\n")]


@pytest.mark.parametrize("kills", [(1, 9, 33), (2, 150, 1), (700, 20)], ids=str)
async def test_what_was_acknowledged_survives_one_kill_upon_another(path: Path, kills: tuple[int, ...]) -> None:
    acknowledged: list[str] = []
    for lines in kills:
        before = len(acknowledged)
        # The writer opens what the one before it left, which is where SQLite recovers.
        acknowledged += [line for line in write_and_be_killed(path, lines + 1) if line != "opened"]
        assert len(acknowledged) >= before + lines
    store = await SqliteStore.open(path)
    created = {line.split()[1] for line in acknowledged if line.startswith("created")}
    logged = {line.split()[1]: int(line.split()[2]) for line in acknowledged if line.startswith("logged")}
    assert set(logged) <= created
    for execution_id in created:
        record = await store.execution(NAMESPACE, execution_id, full=True)
        page = await store.log_page(NAMESPACE, execution_id, after=0, limit=1000)
        last = record.status.last_sequence
        assert last >= logged.get(execution_id, 1)
        assert [entry.sequence for entry in entries_of(page)] == list(range(1, last + 1))
        # All of a change or nothing of it: two entries for each node, after those of the creation and the claim.
        assert last == 2 * len(record.nodes) + (2 if record.status.epoch else 1)
    await store.close()
    with closing(sqlite3.connect(path)) as db:
        assert db.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
