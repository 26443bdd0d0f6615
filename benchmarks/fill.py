"""Fill a database with copies of executions that a server really ran, by SQL; nobody may serve it meanwhile."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from execsvc.encoding.log_entries import decoded_entries
from execsvc.store.rows import encoded_row

#: Microseconds between the creation of one copy and the next.
STEP = 10_000


def copies(database: Path, count: int, *, only: str = "%") -> None:
    """Add copies of the executions that are there, in turn, under the ids ``copy-0`` to ``copy-(count - 1)``.

    Everything an execution owns is copied with it. Copies are older than all there is, each by a step more than the one
    before, so that lists by time mean something.

    Args:
        only: copy executions with ids like this one, in SQL's way.
    """
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA synchronous = OFF")
        db.execute("PRAGMA cache_size = -200000")
        originals = db.execute(
            "SELECT pk, create_time FROM executions WHERE execution_id LIKE ? ORDER BY pk", (only,)
        ).fetchall()
        (first, oldest) = db.execute("SELECT max(pk) + 1, min(create_time) FROM executions").fetchone()
        db.execute(
            "CREATE TEMP TABLE copies (pk INTEGER PRIMARY KEY, original INTEGER NOT NULL, number INTEGER NOT NULL,"
            " shift INTEGER NOT NULL)"
        )
        rows = ((number, *originals[number % len(originals)]) for number in range(count))
        db.executemany(
            "INSERT INTO copies VALUES (?, ?, ?, ?)",
            ((first + number, pk, number, oldest - created - (number + 1) * STEP) for number, pk, created in rows),
        )
        named = {"pk": "c.pk", "execution_id": "'copy-' || c.number", "uid": "t.uid || '-copy-' || c.number"}
        _copy(db, "executions", "t.pk", named)
        for table in ("execution_data", "node_runs", "log_entries", "control_requests", "execution_labels"):
            _copy(db, table, "t.execution", {"execution": "c.pk"})
    db.close()


def long_log(database: Path, execution_id: str, count: int) -> None:
    """Make the log of an execution that has ended ``count`` entries long, by repeating what is between its ends."""
    with sqlite3.connect(database) as db:
        db.execute("PRAGMA synchronous = OFF")
        pk, last = db.execute(
            "SELECT pk, last_sequence FROM executions WHERE execution_id = ?", (execution_id,)
        ).fetchone()
        entries = [
            decoded_entries(entry)[0]
            for (entry,) in db.execute("SELECT entry FROM log_entries WHERE execution = ? ORDER BY sequence", (pk,))
        ]
        middle = entries[1:-1]
        wanted = [entries[0], *(middle[index % len(middle)] for index in range(count - 2)), entries[-1]]
        assert len(entries) == last, "the log has gaps"
        db.execute("DELETE FROM log_entries WHERE execution = ?", (pk,))
        db.executemany(
            "INSERT INTO log_entries (execution, sequence, time, level, node_id, attempt, message, metadata, entry)"
            " VALUES (?, ?, 0, ?, ?, 0, '', '', ?)",
            (encoded_row(pk, sequence, entry) for sequence, entry in enumerate(wanted, 1)),
        )
        db.execute("UPDATE executions SET last_sequence = ? WHERE pk = ?", (count, pk))
    db.close()


def _copy(db: sqlite3.Connection, table: str, owner: str, replaced: dict[str, str]) -> None:
    columns: Sequence[str] = [row[1] for row in db.execute(f"PRAGMA table_info({table})")]
    # Entries of a log say their time in their bytes, and no list is ordered by it.
    times = [column for column in columns if column.endswith("time")] if table != "log_entries" else []
    moved = {column: f"t.{column} + c.shift" for column in times}
    values = ", ".join((moved | replaced).get(column, f"t.{column}") for column in columns)
    # Ordered by the copies' own keys, as a server would have written them.
    db.execute(
        f"INSERT INTO {table} ({', '.join(columns)}) "
        f"SELECT {values} FROM copies AS c CROSS JOIN {table} AS t ON {owner} = c.original ORDER BY c.pk"
    )
