"""The databases of the lab's services: how each is made, kept from being written, and removed."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable
from pathlib import Path
from threading import Lock
from typing import Final, Protocol, TypeVar

from execsvc.store import PostgresDatabase, Tokens
from execsvc.store import opened_tokens as sqlite_tokens
from execsvc.store.postgres import opened_tokens as postgres_tokens
from tests.servers.postgres import PostgresServer

T = TypeVar("T")

#: For those that share a server of Postgres: threads of the lab make and remove them.
_MAKING: Final = Lock()


class LabDatabase(Protocol):
    """A database that a service keeps however often it is started again."""

    #: What ``serve`` is told: a file, or a URL.
    place: Path | str

    def with_tokens(self, act: Callable[[Tokens], Awaitable[T]]) -> T:
        """Do something to its API tokens, as another process does."""
        ...

    def lock(self) -> None:
        """Let nobody write to it; it can be read."""
        ...

    def unlock(self) -> None:
        """Let it be written; does nothing where it may be."""
        ...

    def remove(self) -> None:
        """Let go of it, once nobody serves."""
        ...


class SqliteFile:
    """A file in the folder of its service."""

    def __init__(self, folder: Path) -> None:
        self.place: Path | str = folder / "server.db"
        self._writer: sqlite3.Connection | None = None

    def with_tokens(self, act: Callable[[Tokens], Awaitable[T]]) -> T:
        """See ``LabDatabase.with_tokens``."""

        async def do() -> T:
            return await act(tokens)

        with sqlite_tokens(Path(self.place)) as tokens:
            return asyncio.run(do())

    def lock(self) -> None:
        """Hold its write lock, as another process may."""
        if self._writer is None:
            self._writer = sqlite3.connect(self.place, isolation_level=None, check_same_thread=False, timeout=30)
            self._writer.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        """See ``LabDatabase.unlock``."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def remove(self) -> None:
        """See ``LabDatabase.remove``: it goes with the lab's folder."""


class PostgresOfServer:
    """A database of a Postgres server."""

    def __init__(self, server: PostgresServer) -> None:
        self._server = server
        with _MAKING:
            self._url = server.migrated()
        self.place: Path | str = self._url
        self._name = self._url.rpartition("/")[2]
        self._locked = False

    def with_tokens(self, act: Callable[[Tokens], Awaitable[T]]) -> T:
        """See ``LabDatabase.with_tokens``."""

        async def do() -> T:
            async with postgres_tokens(PostgresDatabase(url=self._url)) as tokens:
                return await act(tokens)

        return asyncio.run(do())

    def lock(self) -> None:
        """Make it one that can only be read, as after a failover to a standby."""
        self._make("SET default_transaction_read_only = on")
        self._locked = True

    def unlock(self) -> None:
        """See ``LabDatabase.unlock``."""
        if self._locked:
            self._make("RESET default_transaction_read_only")
            self._locked = False

    def _make(self, change: str) -> None:
        self._server.execute(f"ALTER DATABASE {self._name} {change}")
        # Of the connections that there are it holds only once they are opened anew.
        self._server.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{self._name}'")

    def remove(self) -> None:
        """See ``LabDatabase.remove``."""
        with _MAKING:
            self._server.give_back(self._url)
