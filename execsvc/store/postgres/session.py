"""The connection that keeps its session: it holds the database's lock, hears notifications and gives signs of life."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable
from typing import Final, Protocol

from psycopg.errors import LockNotAvailable

from execsvc import cancellation
from execsvc.errors import DatabaseLocked
from execsvc.store.members import HEARTBEAT
from execsvc.store.postgres.connections import ANSWER, Connection, Connections, application_name
from execsvc.store.postgres.failures import Failure
from execsvc.store.postgres.migrations import SERVER_LOCK

logger = logging.getLogger(__name__)

#: Seconds that a start waits for the lock: that of a server that was killed is free once Postgres has noticed.
PATIENCE: Final = 2.0
#: Seconds until a connection that was lost, or could not be opened, is opened again.
REOPEN: Final = 0.2

_WITHIN: Final = b"SELECT set_config('lock_timeout', %s, true)"
#: It outlives the transaction that takes it.
_TAKE: Final = b"SELECT pg_advisory_lock_shared(%s)"
_TRY: Final = b"SELECT pg_try_advisory_lock_shared(%s)"
_LET_GO: Final = b"SELECT pg_advisory_unlock_shared(%s)"
_HOLDER: Final = b"""
SELECT a.application_name, a.pid FROM pg_locks AS l JOIN pg_stat_activity AS a USING (pid)
WHERE l.locktype = 'advisory' AND l.granted AND l.objsubid = 1
  AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.classid = (%s::bigint >> 32)::bigint::oid AND l.objid = (%s::bigint & 4294967295)::oid
"""


class Member(Protocol):
    """Whoever lives on the session."""

    async def beat(self, db: Connection, *, anew: bool) -> None:
        """Give a sign of life; ``anew`` over a new connection, on which nothing is listened to yet."""
        ...

    def heard(self, channel: str, payload: str) -> None:
        """Take note of a notification."""
        ...


class Session:
    """Shares the lock with the other servers of the database for as long as it is open.

    Whoever needs the database alone, as to copy another one there, takes it for themselves and keeps servers off.

    Where the connection is lost, as when the database is restarted, it is opened again and the lock taken anew. Should
    somebody have taken the database for themselves meanwhile, ``taken_over`` is called.
    """

    def __init__(self, connections: Connections, db: Connection, taken_over: Callable[[], None]) -> None:
        self._connections = connections
        self._db: Connection | None = db
        self._taken_over = taken_over
        self._task: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, connections: Connections, taken_over: Callable[[], None]) -> Session:
        """Take the lock.

        Raises:
            DatabaseLocked: somebody has it for themselves.
            psycopg.Error: the database cannot be reached.
        """
        db = await connections.connect_directly()
        try:
            try:
                async with db.transaction():
                    await db.execute(_WITHIN, (f"{round(1000 * PATIENCE)}ms",))
                    await db.execute(_TAKE, (SERVER_LOCK,))
            except LockNotAvailable:
                owner = await _holder(db)
                raise DatabaseLocked(
                    connections.shown, f" ({owner})" if owner else "", "stop it, or name another database with --store"
                ) from None
            return cls(connections, db, taken_over)
        except BaseException:
            await db.close()
            raise

    async def join(self, member: Member) -> None:
        """Let a member live on the session; returns after its first sign of life. Raises psycopg.Error."""
        assert self._db is not None
        await member.beat(self._db, anew=True)
        self._task = asyncio.create_task(self._keep(member), name="execsvc-session")

    async def close(self) -> None:
        """Let go of the lock."""
        if self._task is not None:
            await cancellation.end(self._task)
        if self._db is not None:
            # Postgres learns a little later than we that a connection is closed.
            with contextlib.suppress(Failure):
                await self._db.execute(_LET_GO, (SERVER_LOCK,))
        await self._drop()

    async def _keep(self, member: Member) -> None:
        while True:
            try:
                if self._db is None:
                    await self._take_anew(member)
                else:
                    await _hear(member, self._db)
                    async with asyncio.timeout(ANSWER):
                        await member.beat(self._db, anew=False)
            except (Failure, TimeoutError) as error:
                if self._db is not None:
                    logger.warning("the connection over which servers hear of each other is lost: %s", error)
                await self._drop()
                await asyncio.sleep(REOPEN)
            except Exception:
                # A bug, but no reason to be silent, by which the others would take this server for gone.
                logger.exception("a sign of life failed")
                await self._drop()
                await asyncio.sleep(REOPEN)

    async def _take_anew(self, member: Member) -> None:
        db = await self._connections.connect_directly()
        try:
            if await _locked(db):
                async with asyncio.timeout(ANSWER):
                    await member.beat(db, anew=True)
                self._db = db
                logger.info("the connection over which servers hear of each other is there again")
                return
            owner = await _holder(db)
        except BaseException:
            await db.close()
            raise
        await db.close()
        # Its own server process may live on for a while where the network broke.
        if owner and owner != application_name():
            logger.error("%s has taken the database for itself; this server ends", owner)
            self._taken_over()
        await asyncio.sleep(REOPEN)

    async def _drop(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Failure):
                await db.close()


async def _hear(member: Member, db: Connection) -> None:
    """Hand on notifications until the next sign of life is due."""
    async with contextlib.aclosing(db.notifies(timeout=HEARTBEAT)) as notifications:
        async for told in notifications:
            member.heard(told.channel, told.payload)


async def _locked(db: Connection) -> bool:
    ((locked,),) = await (await db.execute(_TRY, (SERVER_LOCK,))).fetchall()
    return bool(locked)


async def _holder(db: Connection) -> str:
    rows = await (await db.execute(_HOLDER, (SERVER_LOCK, SERVER_LOCK))).fetchall()
    return str(rows[0][0] or f"process {rows[0][1]} of the database") if rows else ""
