"""API tokens in the Postgres database, which may be changed beside the servers that read them."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Final

from execsvc.model import Actor, ApiToken, AuditAction
from execsvc.store.postgres.reader import Reader
from execsvc.store.rows import AUDIT_COLUMNS, TOKEN_COLUMNS, audit_row, token_of, token_row

_FIND: Final = f"SELECT {TOKEN_COLUMNS} FROM execsvc.api_tokens WHERE token_id = %s".encode()
_ALL: Final = f"SELECT {TOKEN_COLUMNS} FROM execsvc.api_tokens ORDER BY create_time DESC, token_id".encode()
_RECORD: Final = f"({', '.join(['%s'] * (AUDIT_COLUMNS.count(',') + 1))})"
# Whether a connection broke before or after, the same again does no harm.
_ADD: Final = f"""
WITH added AS (
    INSERT INTO execsvc.api_tokens ({TOKEN_COLUMNS}) VALUES (%s, %s, %s, %s, %s, %s, %s, %s)
    ON CONFLICT DO NOTHING RETURNING token_id
)
INSERT INTO execsvc.audit ({AUDIT_COLUMNS})
SELECT r.* FROM (VALUES {_RECORD}) AS r WHERE EXISTS (SELECT FROM added) RETURNING number
""".encode()
_REVOKE: Final = f"""
WITH revoked AS (
    UPDATE execsvc.api_tokens SET revoke_time = %s WHERE token_id = %s AND revoke_time IS NULL RETURNING token_id
)
INSERT INTO execsvc.audit ({AUDIT_COLUMNS})
SELECT r.* FROM (VALUES {_RECORD}) AS r WHERE EXISTS (SELECT FROM revoked) RETURNING number
""".encode()
#: Seconds that a token which was found is taken to be as it was.
FRESH: Final = 1.0
#: Tokens of which that is remembered.
REMEMBERED: Final = 10_000


class PostgresTokens:
    """Implements ``Tokens``. What another process changed counts after ``FRESH`` seconds at most.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, reader: Reader, clock: Callable[[], float] = time.monotonic) -> None:
        self._reader = reader
        self._clock = clock
        #: Tokens that are there, and when that was read; those that are not there take no memory.
        self._found: OrderedDict[str, tuple[float, ApiToken]] = OrderedDict()

    async def find(self, token_id: str) -> ApiToken | None:
        """See ``Tokens.find``."""
        known = self._found.get(token_id)
        now = self._clock()
        if known is not None and now - known[0] < FRESH:
            return known[1]
        self._found.pop(token_id, None)
        (rows,) = await self._reader.rows((_FIND, (token_id,)))
        if not rows:
            return None
        token = token_of(rows[0])
        # As of before it was asked for: it may have been changed since.
        self._found[token_id] = (now, token)
        if len(self._found) > REMEMBERED:
            self._found.popitem(last=False)
        return token

    async def all(self) -> Sequence[ApiToken]:
        """See ``Tokens.all``."""
        (rows,) = await self._reader.rows((_ALL, ()))
        return [token_of(row) for row in rows]

    async def add(self, token: ApiToken, by: Actor) -> None:
        """See ``Tokens.add``."""
        note = audit_row(
            token.create_time, token.namespace, by, AuditAction.CREATE_TOKEN, token.token_id, "", "CREATED"
        )
        await self._reader.rows((_ADD, (*token_row(token), *note)))

    async def revoke(self, token_id: str, time: int, by: Actor) -> ApiToken | None:
        """See ``Tokens.revoke``."""
        # Of its namespace, which never changes, the record tells as well.
        (before,) = await self._reader.rows((_FIND, (token_id,)))
        if not before:
            return None
        note = audit_row(time, token_of(before[0]).namespace, by, AuditAction.REVOKE_TOKEN, token_id, "", "REVOKED")
        await self._reader.rows((_REVOKE, (time, token_id, *note)))
        self._found.pop(token_id, None)
        (after,) = await self._reader.rows((_FIND, (token_id,)))
        return token_of(after[0])
