"""Work of commands on the database itself, beside a server that runs on it or without one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from execsvc.cli.configured import postgres_database, server_settings
from execsvc.cli.stores import postgres_installed

if TYPE_CHECKING:
    from execsvc.store.address import PostgresDatabase

_T = TypeVar("_T")
_R = TypeVar("_R")


def on_database(
    work: Callable[[_T], Awaitable[_R]],
    *,
    sqlite: Callable[[Path], AbstractContextManager[_T]],
    postgres: Callable[[PostgresDatabase], AbstractAsyncContextManager[_T]],
    db: str | None,
    store: str | None,
    store_direct: str | None,
) -> _R:
    """Open a part of the database that flags and settings name, and work with it. Raises CliError.

    Args:
        sqlite, postgres: open the part, importing what that takes.
    """
    loaded = server_settings(db=db, store=store, store_direct=store_direct)
    database = postgres_database(loaded)

    @asynccontextmanager
    async def opened() -> AsyncIterator[_T]:
        if database is None:
            with sqlite(loaded.settings.db) as part:
                yield part
        else:
            with postgres_installed():
                opening = postgres(database)
            async with opening as part:
                yield part

    async def call() -> _R:
        async with opened() as part:
            return await work(part)

    return asyncio.run(call())
