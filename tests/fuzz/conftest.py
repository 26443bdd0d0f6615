"""One server for all of fuzzing, in an event loop of its own, with executions in every kind of state."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest

from execsvc.app import Settings, running
from execsvc.service import Changes
from execsvc_client import AsyncExecutionClient
from tests.support.nodes import Gates, types_and_executors
from tests.support.workflows import ECHO, chain, output, transform, workflow

T = TypeVar("T")


class Target:
    """The server."""

    def __init__(self, directory: Path) -> None:
        self._runner = asyncio.Runner()
        node_types, executors = types_and_executors(Gates())
        self._settings = Settings(
            address="127.0.0.1:0",
            database=directory / "execsvc.db",
            max_concurrent=500,
            grace=0.0,
            heartbeat=0.05,
            # Whatever a fuzzed retry policy asks for, nothing runs on for long.
            max_timeout=5_000_000,
            node_types=node_types,
            executors=executors,
        )
        self._open = AsyncExitStack()
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the loop turn until something is done."""
        return self._runner.run(work)

    async def _start(self) -> None:
        server = await self._open.enter_async_context(running(self._settings))
        self.client = await self._open.enter_async_context(AsyncExecutionClient(server.address))
        self.channel = await self._open.enter_async_context(grpc.aio.insecure_channel(server.address))
        failing = workflow("a > out", a=transform("[1][5]"), out=output())
        await self.make_done()
        await self.client.execute(failing, execution_id="failed", workflow_id="w")
        await self.client.execute(chain("never"), execution_id="waits", timeout="5s")
        await self.client.wait("failed")

    async def make_done(self) -> None:
        """See that the execution ``done`` is there: fuzzing may have removed it, and making it shows that all works."""
        await self.client.execute(ECHO, {"n": 1}, execution_id="done", labels={"a": "b"})
        assert (await self.client.wait("done")).output == {"n": 1}

    def close(self) -> None:
        """End everything."""
        self.run(self._open.aclose())
        self._runner.close()


@pytest.fixture(scope="session")
def made() -> Iterator[list[Changes]]:
    """The change feeds of the servers that are made."""
    feeds: list[Changes] = []

    def make() -> Changes:
        feeds.append(Changes())
        return feeds[-1]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("execsvc.app.composition.Changes", make)
        yield feeds


@pytest.fixture(scope="session")
def target(tmp_path_factory: pytest.TempPathFactory, made: list[Changes]) -> Iterator[Target]:
    """The server."""
    target = Target(tmp_path_factory.mktemp("fuzz"))
    yield target
    target.close()
