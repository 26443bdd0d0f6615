"""Postgres gives the number of a transaction that a crash undid to the next one: whose was committed is told apart."""

from __future__ import annotations

import asyncio
from typing import Any

import psycopg
import pytest

from execsvc.store import PostgresDatabase
from execsvc.store.postgres.batch import Batch
from execsvc.store.postgres.connections import Connections
from execsvc.store.postgres.jobs import Jobs
from execsvc.store.postgres.writer import Writer
from tests.servers.postgres import PostgresServer
from tests.support.changes import create


async def test_a_write_is_not_answered_because_another_was_committed_under_its_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    given: list[str] = []
    with PostgresServer() as server:
        url = server.migrated()
        connections = Connections(PostgresDatabase(url=url))
        write = Batch.write

        async def crash(batch: Batch) -> None:
            if given:
                await write(batch)
                return
            await asyncio.to_thread(server.shut)
            await asyncio.to_thread(server.start)
            async with await psycopg.AsyncConnection.connect(url) as other:
                await other.execute("CREATE TABLE public.another ()")
                rows: list[Any] = await (await other.execute("SELECT pg_current_xact_id()::text")).fetchall()
                given.extend((batch.transaction, rows[0][0]))
            await write(batch)

        monkeypatch.setattr(Batch, "write", crash)
        writer = Writer(connections, lambda commits: None, Jobs(connections.pool()))
        await writer.submit(create("e"))
        await writer.close()
        assert given[0] == given[1], "the number was not given again, so that nothing was shown"
        assert server.execute("SELECT execution_id FROM execsvc.executions", url.rpartition("/")[2]) == [("e",)]
