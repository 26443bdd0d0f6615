"""Log entries in SQLite: kept as the bytes that are sent, beside what filters ask for.

Up to step 0003 of the schema each fact of an entry had a column. Such entries stay as they are for as long as their
executions do, so that an upgrade takes no time however long the logs are; they are encoded as they are read.
"""

from __future__ import annotations

import sqlite3
from typing import Final

from execsvc.encoding.log_entries import encoded_entry

#: The bytes of an entry; for connections that were told ``knows_entries``.
ENTRY: Final = "coalesce(entry, encoded_entry(sequence, time, level, node_id, attempt, message, metadata))"


def knows_entries(db: sqlite3.Connection) -> None:
    """Let statements of a connection use ``ENTRY``."""
    db.create_function("encoded_entry", 7, encoded_entry, deterministic=True)
