"""The stores that the conformance suite runs on, and what each of them can do."""

from __future__ import annotations

import sqlite3
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, closing
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol

from execsvc.store import AuditTrail, SqliteStore, Store, Tokens
from execsvc.store import opened_tokens as sqlite_tokens
from execsvc.store import opened_trail as sqlite_trail
from execsvc.store.address import PostgresDatabase
from execsvc.store.postgres import PostgresStore
from execsvc.store.postgres import opened_tokens as postgres_tokens
from execsvc.store.postgres import opened_trail as postgres_trail
from tests.servers.postgres import shared_server


class Capability(StrEnum):
    """What not every store need offer."""

    #: What was acknowledged is there after the store was closed and opened again.
    DURABLE = "durable"


class Backend(Protocol):
    """A place where one test keeps its data."""

    capabilities: ClassVar[frozenset[Capability]]

    async def open(self) -> Store:
        """Open the data; again and again the same, each time after the store before was closed."""
        ...

    def tokens(self) -> AbstractAsyncContextManager[Tokens]:
        """Open the API tokens alone, as another process does beside an open store."""
        ...

    def trail(self) -> AbstractAsyncContextManager[tuple[AuditTrail, Tokens]]:
        """Open the audit trail alone, as another process does beside an open store, and the tokens."""
        ...

    async def sql(self, statement: str) -> None:
        """Run a statement on the database, past the store; ``{}`` in it stands before the names of tables."""
        ...

    def remove(self) -> None:
        """Remove the data, once all is closed."""
        ...


class SqliteBackend:
    """One file."""

    capabilities: ClassVar = frozenset({Capability.DURABLE})

    def __init__(self, directory: Path) -> None:
        self._path = directory / "execsvc.db"

    async def open(self) -> Store:
        return await SqliteStore.open(self._path)

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[Tokens]:
        with sqlite_tokens(self._path) as tokens:
            yield tokens

    @asynccontextmanager
    async def trail(self) -> AsyncIterator[tuple[AuditTrail, Tokens]]:
        with sqlite_trail(self._path) as opened:
            yield opened

    async def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self._path, isolation_level=None)) as db:
            db.execute(statement.format(""))

    def remove(self) -> None:
        self._path.unlink(missing_ok=True)


class PostgresBackend:
    """A database on the server that all tests of this process share."""

    capabilities: ClassVar = frozenset({Capability.DURABLE})

    def __init__(self, directory: Path) -> None:
        self._server = shared_server()
        self._url = self._server.migrated()

    async def open(self) -> Store:
        return await PostgresStore.open(PostgresDatabase(url=self._url))

    def tokens(self) -> AbstractAsyncContextManager[Tokens]:
        return postgres_tokens(PostgresDatabase(url=self._url))

    def trail(self) -> AbstractAsyncContextManager[tuple[AuditTrail, Tokens]]:
        return postgres_trail(PostgresDatabase(url=self._url))

    async def sql(self, statement: str) -> None:
        self._server.execute(statement.format("execsvc."), self._url.rpartition("/")[2])

    def remove(self) -> None:
        self._server.give_back(self._url)


#: By name; each is given a directory of its own.
BACKENDS: dict[str, Callable[[Path], Backend]] = {"postgres": PostgresBackend, "sqlite": SqliteBackend}
