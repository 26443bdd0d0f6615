"""The audit trail in the Postgres database, which may be read beside the servers that write it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from execsvc.model import AuditFilter, AuditRecord
from execsvc.store.postgres.lists import POSTGRES
from execsvc.store.postgres.reader import Reader
from execsvc.store.rows import audit_record_of
from execsvc.store.trail import delete_audit, select_audit

_REMOVE: Final = f"""
WITH removed AS ({delete_audit(POSTGRES)} RETURNING number) SELECT count(*) FROM removed
""".encode()


class PostgresTrail:
    """Implements ``AuditTrail``."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    async def page(self, wanted: AuditFilter, *, after: tuple[int, int] | None, limit: int) -> Sequence[AuditRecord]:
        """See ``AuditTrail.page``."""
        sql, arguments = select_audit(POSTGRES, wanted, after, limit)
        return [audit_record_of(row) for row in await self._reader.listed((sql.encode(), arguments))]

    async def remove(self, before: int, *, limit: int) -> int:
        """See ``AuditTrail.remove``."""
        (((removed,),),) = await self._reader.rows((_REMOVE, (before, limit)))
        return int(removed)
