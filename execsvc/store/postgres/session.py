"""The one connection that keeps its session: it holds the lock that keeps a second server off the database."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final

from execsvc.errors import DatabaseLocked
from execsvc.store.postgres.connections import Connection, Connections, application_name
from execsvc.store.postgres.failures import Failure
from execsvc.store.postgres.migrations import SERVER_LOCK

logger = logging.getLogger(__name__)

#: Seconds that a start waits for the lock: that of a server that was killed is free once Postgres has noticed.
PATIENCE: Final = 2.0
_STEP: Final = 0.05
#: Seconds between two looks whether the connection, and with it the lock, is still there; and between tries to get it.
LOOK: Final = 1.0

_TRY: Final = b"SELECT pg_try_advisory_lock(%s)"
_LET_GO: Final = b"SELECT pg_advisory_unlock(%s)"
_HOLDER: Final = b"""
SELECT a.application_name, a.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = (%s::bigint >> 32)::bigint::oid AND l.objid = (%s::bigint & 4294967295)::oid
"""


class Session:
    """Keeps a second server off the database for as long as it is open.

    Where the connection is lost, as when the database is restarted, it is opened again and the lock taken anew. Should
    another server have been quicker, ``taken_over`` is called: that one has claimed every execution by then, and what
    this one still writes of them is refused.
    """

    def __init__(self, connections: Connections, db: Connection, taken_over: Callable[[], None]) -> None:
        self._connections = connections
        self._db: Connection | None = db
        self._taken_over = taken_over
        self._task = asyncio.create_task(self._keep(), name="execsvc-session")

    @classmethod
    async def open(cls, connections: Connections, taken_over: Callable[[], None]) -> Session:
        """Take the lock.

        Raises:
            DatabaseLocked: another server has it.
            psycopg.Error: the database cannot be reached.
        """
        db = await connections.connect_directly()
        try:
            for _ in range(round(PATIENCE / _STEP)):
                if await _locked(db):
                    return cls(connections, db, taken_over)
                await asyncio.sleep(_STEP)
            owner = await _holder(db)
            raise DatabaseLocked(
                connections.shown, f" ({owner})" if owner else "", "stop it, or name another database with --store"
            )
        except BaseException:
            await db.close()
            raise

    async def close(self) -> None:
        """Let the next server in."""
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        if self._db is not None:
            # Postgres learns a little later than we that a connection is closed.
            with contextlib.suppress(Failure):
                await self._db.execute(_LET_GO, (SERVER_LOCK,))
        await self._drop()

    async def _keep(self) -> None:
        while True:
            await asyncio.sleep(LOOK)
            try:
                if self._db is None:
                    await self._take_anew()
                else:
                    await self._db.execute(b"SELECT 1")
            except Failure as error:
                if self._db is not None:
                    logger.warning("the connection that keeps other servers off the database is lost: %s", error)
                await self._drop()

    async def _take_anew(self) -> None:
        db = self._db = await self._connections.connect_directly()
        if await _locked(db):
            logger.info("other servers are kept off the database again")
            return
        owner = await _holder(db)
        await self._drop()
        # Its own server process may live on for a while where the network broke.
        if owner and owner != application_name():
            logger.error("another server (%s) has taken the database over; this one ends", owner)
            self._taken_over()

    async def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Failure):
                await db.close()


async def _locked(db: Connection) -> bool:
    ((locked,),) = await (await db.execute(_TRY, (SERVER_LOCK,))).fetchall()
    return bool(locked)


async def _holder(db: Connection) -> str:
    rows = await (await db.execute(_HOLDER, (SERVER_LOCK, SERVER_LOCK))).fetchall()
    return str(rows[0][0] or f"process {rows[0][1]} of the database") if rows else ""
