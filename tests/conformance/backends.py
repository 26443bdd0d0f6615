"""The stores that the conformance suite runs on, and what each of them can do."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from enum import StrEnum
from pathlib import Path
from typing import ClassVar, Protocol

from execsvc.store import SqliteStore, Store, Tokens
from execsvc.store import opened_tokens as sqlite_tokens
from execsvc.store.address import PostgresDatabase
from execsvc.store.postgres import PostgresStore
from execsvc.store.postgres import opened_tokens as postgres_tokens
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

    def remove(self) -> None:
        self._server.give_back(self._url)


#: By name; each is given a directory of its own.
BACKENDS: dict[str, Callable[[Path], Backend]] = {"postgres": PostgresBackend, "sqlite": SqliteBackend}
