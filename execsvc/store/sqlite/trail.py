"""The audit trail in the SQLite file, which may be read beside the server that writes it."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from execsvc.errors import StorageUnavailable
from execsvc.model import AuditFilter, AuditRecord
from execsvc.store.rows import audit_record_of
from execsvc.store.sqlite.apart import apart
from execsvc.store.sqlite.lists import SQLITE
from execsvc.store.trail import delete_audit, select_audit

_REMOVE: Final = delete_audit(SQLITE)


class SqliteTrail:
    """Implements ``AuditTrail``.

    Args:
        path: a database that is up to date.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    async def page(self, wanted: AuditFilter, *, after: tuple[int, int] | None, limit: int) -> Sequence[AuditRecord]:
        """See ``AuditTrail.page``."""
        rows = await asyncio.to_thread(self._rows, *select_audit(SQLITE, wanted, after, limit))
        return [audit_record_of(row) for row in rows]

    def _rows(self, sql: str, arguments: Sequence[Any]) -> list[Sequence[Any]]:
        try:
            with closing(sqlite3.connect(f"{self._path.absolute().as_uri()}?mode=ro", uri=True)) as db:
                return db.execute(sql, arguments).fetchall()
        except sqlite3.Error as error:
            raise StorageUnavailable(f"the database cannot be read: {error}") from error

    async def remove(self, before: int, *, limit: int) -> int:
        """See ``AuditTrail.remove``."""
        return await apart(self._path, lambda db: db.execute(_REMOVE, (before, limit)).rowcount)
