"""API tokens in the SQLite file, which may be changed beside the server that reads them."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Final, TypeVar

from execsvc.errors import StorageFull, StorageUnavailable
from execsvc.model import ApiToken
from execsvc.store.observer import StoreObserver
from execsvc.store.rows import TOKEN_COLUMNS, token_of, token_row

_T = TypeVar("_T")

_FIND: Final = f"SELECT {TOKEN_COLUMNS} FROM api_tokens WHERE token_id = ?"
_ALL: Final = f"SELECT {TOKEN_COLUMNS} FROM api_tokens ORDER BY create_time DESC, token_id"
_ADD: Final = f"INSERT OR IGNORE INTO api_tokens ({TOKEN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REVOKE: Final = f"""
UPDATE api_tokens SET revoke_time = coalesce(revoke_time, ?) WHERE token_id = ? RETURNING {TOKEN_COLUMNS}
"""
#: Seconds that a change waits for the writer of a server.
PATIENCE: Final = 5.0


class SqliteTokens:
    """Implements ``Tokens``. What another process changed counts from the next call on.

    Args:
        path: a database that is up to date.
        observer: told of reads that the database refused.
    """

    def __init__(self, path: Path, observer: StoreObserver | None = None) -> None:
        self._path = path
        self._observer = observer
        self._db = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, check_same_thread=False
        )

    async def find(self, token_id: str) -> ApiToken | None:
        """See ``Tokens.find``. One seek on the calling thread, in microseconds."""
        try:
            row = self._db.execute(_FIND, (token_id,)).fetchone()
        except sqlite3.Error as error:
            failure = StorageUnavailable(f"the database cannot be read: {error}")
            if self._observer is not None:
                self._observer.read_failed(failure)
            raise failure from error
        return None if row is None else token_of(row)

    async def all(self) -> Sequence[ApiToken]:
        """See ``Tokens.all``."""
        return [token_of(row) for row in await self._apart(lambda db: db.execute(_ALL).fetchall())]

    async def add(self, token: ApiToken) -> None:
        """See ``Tokens.add``."""
        await self._apart(lambda db: db.execute(_ADD, token_row(token)))

    async def revoke(self, token_id: str, time: int) -> ApiToken | None:
        """See ``Tokens.revoke``."""
        rows = await self._apart(lambda db: db.execute(_REVOKE, (time, token_id)).fetchall())
        return token_of(rows[0]) if rows else None

    async def _apart(self, work: Callable[[sqlite3.Connection], _T]) -> _T:
        """Work in a thread, on a connection of its own: it may have to wait for the server's writer."""

        def call() -> _T:
            with closing(sqlite3.connect(self._path, isolation_level=None, timeout=PATIENCE)) as db:
                db.execute("PRAGMA synchronous = FULL")
                return work(db)

        try:
            return await asyncio.to_thread(call)
        except sqlite3.Error as error:
            full = getattr(error, "sqlite_errorcode", None) == sqlite3.SQLITE_FULL
            raise (StorageFull() if full else StorageUnavailable(f"the database cannot be used: {error}")) from error

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()
