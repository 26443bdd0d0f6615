"""Postgres goes away under load, also in the middle of commits: clients are told to come back, and nothing is lost."""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import grpc
import pytest

from execsvc import app
from execsvc.app import Settings
from execsvc.store import PostgresDatabase
from execsvc_client import AsyncExecutionClient, to_definition, v1
from tests.integration.conftest import Stubs
from tests.servers.postgres import FAST, IMMEDIATE, PostgresServer
from tests.support.logs import story
from tests.support.nodes import Gates
from tests.support.statuses import read
from tests.support.workflows import chain

#: Times that Postgres is restarted, most of them without a word.
ROUNDS = 20 if os.environ.get("EXECSVC_NIGHTLY") else 4
#: Clients at work, and executions acknowledged in each round before the next one goes on.
CLIENTS = 16
EACH = 40

#: What the log of one tells.
TOLD = (
    "queued",
    "running",
    *("a:started", "a:completed", "b:started", "b:completed"),
    "out:completed",
    "completed",
)


@pytest.fixture
def postgres() -> Iterator[PostgresServer]:
    """A server to be shut down, which writes to disk as it should."""
    with PostgresServer(fsync=True) as server:
        yield server


@dataclass
class Load:
    """Clients that ask for executions and for what became of them, and repeat no call by themselves."""

    stubs: Stubs
    acknowledged: list[str] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    progress: asyncio.Event = field(default_factory=asyncio.Event)
    enough: bool = False

    async def run(self, number: int) -> None:
        asked = 0
        while not self.enough:
            asked += 1
            execution_id = f"e{number}.{asked}"
            request = v1.ExecuteRequest(execution_id=execution_id, definition=to_definition(chain("a", "b")))
            await self.insist(self.stubs.executions.Execute, request)
            self.acknowledged.append(execution_id)
            self.progress.set()
            await self.insist(self.stubs.executions.GetStatus, v1.GetStatusRequest(execution_id=execution_id))
            await self.insist(
                self.stubs.executions.ListExecutions, v1.ListExecutionsRequest(page_size=5, filter='state = "RUNNING"')
            )

    async def insist(self, method: Any, request: Any) -> None:
        while True:
            try:
                await method(request)
                return
            except grpc.aio.AioRpcError as error:
                refusal = read(error)
                assert refusal.code is grpc.StatusCode.UNAVAILABLE, refusal
                assert refusal.by_kind["RetryInfo"].retry_delay.ToMilliseconds() > 0
                self.refused[refusal.message] += 1
                # Sooner than it says: the sooner, the more calls meet the outage.
                await asyncio.sleep(0.02)

    async def until(self, count: int) -> None:
        while len(self.acknowledged) < count:
            self.progress.clear()
            await self.progress.wait()


@pytest.mark.timeout(600)
async def test_restarts_of_postgres_under_load_lose_nothing_and_repeat_nothing(
    postgres: PostgresServer, settings: Settings, gates: Gates
) -> None:
    gates.open("a", "b")
    database = PostgresDatabase(url=postgres.database())
    async with (
        app.running(replace(settings, postgres=database)) as server,
        grpc.aio.insecure_channel(server.address) as channel,
        AsyncExecutionClient(server.address) as client,
    ):
        load = Load(Stubs(channel))
        clients = [asyncio.create_task(load.run(number)) for number in range(CLIENTS)]
        for number in range(ROUNDS):
            await load.until((number + 1) * EACH)
            await asyncio.to_thread(postgres.shut, FAST if number % 4 == 3 else IMMEDIATE)
            await asyncio.to_thread(postgres.start)
        await load.until((ROUNDS + 1) * EACH)
        load.enough = True
        await asyncio.gather(*clients)
        print(f"{len(load.acknowledged)} executions, refused meanwhile: {dict(load.refused)}")
        assert load.refused
        for execution_id in load.acknowledged:
            assert (await client.wait(execution_id)).state == "COMPLETED"
            told = await story(client, execution_id)
            # A note that the database would not take comes later than what happened since.
            assert Counter(told) == Counter(TOLD)
        assert max(Counter(gates.keys).values()) == 1
        assert gates.entries == {name: len(load.acknowledged) for name in ("a", "b")}
