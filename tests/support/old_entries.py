"""Log entries as SQLite kept them up to step 0003 of its schema: a column for each fact."""

from __future__ import annotations

import sqlite3

from execsvc.encoding.log_entries import decoded_entries
from execsvc.store.rows import entry_row


def write_as_before(db: sqlite3.Connection, which: str = "true") -> int:
    """Rewrite entries; answers how many.

    Args:
        which: condition on ``log_entries``, in SQL.
    """
    found = db.execute(f"SELECT execution, entry FROM log_entries WHERE entry IS NOT NULL AND {which}").fetchall()
    for execution, encoded in found:
        (entry,) = decoded_entries(encoded)
        row = entry_row(execution, entry.sequence, entry)
        db.execute("REPLACE INTO log_entries VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", row)
    return len(found)
