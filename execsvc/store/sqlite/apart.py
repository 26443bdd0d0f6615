"""Changes beside the writer of a server: in a thread, over a connection of their own that waits for it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from execsvc.errors import StorageFull, StorageUnavailable

_T = TypeVar("_T")

#: Seconds that a change waits for the writer of a server.
PATIENCE: Final = 5.0


async def apart(path: Path, work: Callable[[sqlite3.Connection], _T]) -> _T:
    """Work on a database in one transaction: what fails in the middle has changed nothing.

    Raises:
        StorageUnavailable: the database cannot be used.
    """

    def call() -> _T:
        with closing(sqlite3.connect(path, isolation_level=None, timeout=PATIENCE)) as db:
            db.execute("PRAGMA synchronous = FULL")
            db.execute("BEGIN IMMEDIATE")
            done = work(db)
            db.execute("COMMIT")
            return done

    try:
        return await asyncio.to_thread(call)
    except sqlite3.Error as error:
        full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
        raise (StorageFull() if full else StorageUnavailable(f"the database cannot be used: {error}")) from error
