"""API tokens in the SQLite file, which may be changed beside the server that reads them."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from execsvc.errors import StorageUnavailable
from execsvc.model import Actor, ApiToken, AuditAction
from execsvc.store.observer import StoreObserver
from execsvc.store.rows import AUDIT_COLUMNS, TOKEN_COLUMNS, audit_row, token_of, token_row
from execsvc.store.sqlite.apart import apart

_FIND: Final = f"SELECT {TOKEN_COLUMNS} FROM api_tokens WHERE token_id = ?"
_ALL: Final = f"SELECT {TOKEN_COLUMNS} FROM api_tokens ORDER BY create_time DESC, token_id"
_ADD: Final = f"INSERT OR IGNORE INTO api_tokens ({TOKEN_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_REVOKE: Final = "UPDATE api_tokens SET revoke_time = ? WHERE token_id = ? AND revoke_time IS NULL"
_NOTE: Final = f"INSERT INTO audit ({AUDIT_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


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
        return [token_of(row) for row in await apart(self._path, lambda db: db.execute(_ALL).fetchall())]

    async def add(self, token: ApiToken, by: Actor) -> None:
        """See ``Tokens.add``."""

        def work(db: sqlite3.Connection) -> None:
            if db.execute(_ADD, token_row(token)).rowcount:
                _note(db, token.create_time, token, by, AuditAction.CREATE_TOKEN, "CREATED")

        await apart(self._path, work)

    async def revoke(self, token_id: str, time: int, by: Actor) -> ApiToken | None:
        """See ``Tokens.revoke``."""

        def work(db: sqlite3.Connection) -> ApiToken | None:
            revoked = db.execute(_REVOKE, (time, token_id)).rowcount
            row = db.execute(_FIND, (token_id,)).fetchone()
            token = None if row is None else token_of(row)
            if token is not None and revoked:
                _note(db, time, token, by, AuditAction.REVOKE_TOKEN, "REVOKED")
            return token

        return await apart(self._path, work)

    def close(self) -> None:
        """Let go of the file."""
        self._db.close()


def _note(db: sqlite3.Connection, time: int, token: ApiToken, by: Actor, action: str, outcome: str) -> None:
    db.execute(_NOTE, audit_row(time, token.namespace, by, action, token.token_id, "", outcome))
