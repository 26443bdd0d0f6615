"""Opens connections to Postgres: how a server connects, and what it leaves to the operator's URL."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from typing import Any, Final, TypeVar

import psycopg
from psycopg import AsyncConnection, conninfo
from psycopg_pool import AsyncConnectionPool

from execsvc.errors import StorageUnavailable
from execsvc.store.address import PostgresDatabase
from execsvc.store.postgres.failures import Failure, translated

T = TypeVar("T")

Connection = AsyncConnection[tuple[Any, ...]]
Pool = AsyncConnectionPool[Connection]

#: What holds where the URL says nothing else. A peer that is gone without a word is noticed after some 15 s.
_DEFAULTS: Final = {
    "connect_timeout": 5,
    "keepalives_idle": 5,
    "keepalives_interval": 5,
    "keepalives_count": 2,
    "tcp_user_timeout": 15_000,
}
#: Seconds that a read waits for a free connection.
POOL_TIMEOUT: Final = 3.0
#: Seconds that a read or a sign of life may take: a connection that is silent for longer is taken for dead.
ANSWER: Final = 20.0
#: Seconds after which a connection for reads that nobody needs is closed.
IDLE: Final = 60.0


def application_name() -> str:
    """What this process is called in pg_stat_activity."""
    return f"execsvc {socket.gethostname()}/{os.getpid()}"


class Connections:
    """Knows the way to one database.

    Raises:
        StorageUnavailable: a URL is none.
    """

    def __init__(self, database: PostgresDatabase) -> None:
        self._info = _read(database.url)
        self._direct = self._info if database.direct_url is None else _read(database.direct_url)
        #: Whether statements are prepared: a proxy gives each transaction another connection, which knows none of them.
        self._prepare = 5 if database.direct_url is None else None
        self._readers = max(1, database.connections - 2)

    @property
    def shown(self) -> str:
        """Where the database is, without anything secret."""
        host = str(self._info.get("host") or os.environ.get("PGHOST") or "localhost")
        port, name = self._info.get("port"), self._info.get("dbname")
        return f"postgresql://{host}{f':{port}' if port else ''}/{name or ''}"

    async def connect(self) -> Connection:
        """Open a connection for whole transactions; it keeps no session. Raises psycopg.Error."""
        return await AsyncConnection.connect(autocommit=True, prepare_threshold=self._prepare, **self._info)

    async def connect_directly(self) -> Connection:
        """Open a connection that keeps its session. Raises psycopg.Error."""
        return await AsyncConnection.connect(autocommit=True, prepare_threshold=None, **self._direct)

    def pool(self) -> Pool:
        """Make the pool for reads; it is to be opened and closed."""
        return AsyncConnectionPool(
            kwargs={"autocommit": True, "prepare_threshold": self._prepare, **self._info},
            min_size=1,
            max_size=self._readers,
            timeout=POOL_TIMEOUT,
            max_idle=IDLE,
            open=False,
            name="execsvc-reads",
        )


async def over(pool: Pool, doing: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    """Work over a connection of a pool; one that turns out to be dead is replaced.

    Args:
        doing: what cannot be done where the database fails, as for ``translated``.

    Raises:
        StorageUnavailable: the database fails.
    """
    # All that the pool holds may be dead, as after a restart of the database.
    left = pool.max_size + 1
    while True:
        left -= 1
        db: Connection | None = None
        try:
            async with asyncio.timeout(ANSWER), pool.connection() as db:
                return await work(db)
        except TimeoutError:
            raise StorageUnavailable(f"the database cannot be {doing}: it does not answer") from None
        except Failure as error:
            if left and db is not None and db.closed:
                continue
            raise translated(error, doing) from error


def _read(url: str) -> dict[str, Any]:
    try:
        given = conninfo.conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        # Its text may hold the password.
        raise StorageUnavailable(
            "the URL of the database cannot be read; write postgresql://user:password@host:port/database, and "
            "percent-encode what is special in user and password"
        ) from None
    return {**_DEFAULTS, "application_name": application_name(), **given, "client_encoding": "utf8"}
