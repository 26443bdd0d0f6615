"""The database fails for a while: what runs goes on once it is back, and nothing that was recorded is undone."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from execsvc.errors import StorageUnavailable
from execsvc.store import SqliteStore
from tests.integration.conftest import StartServer
from tests.support.logs import story
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain


def _failing(monkeypatch: pytest.MonkeyPatch, fails: Callable[[Any], bool]) -> None:
    """Let writes fail as a full or busy database would; the database itself stays the real one."""
    update = SqliteStore.update

    def failing(self: SqliteStore, change: Any) -> Any:
        if not fails(change):
            return update(self, change)
        future: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        # Answered late, as a write that waits for a lock is.
        asyncio.get_running_loop().call_later(0.05, _refuse, future)
        return future

    def _refuse(future: asyncio.Future[Any]) -> None:
        if not future.done():
            future.set_exception(StorageUnavailable("the disk is away"))

    monkeypatch.setattr(SqliteStore, "update", failing)


async def test_a_late_note_that_failed_does_not_undo_what_was_recorded_after_it(
    start_server: StartServer, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The write of "a started" fails after the write of "a completed" has succeeded."""
    failed: list[Any] = []

    def fails(change: Any) -> bool:
        states = [str(node.state) for node in change.nodes]
        if states == ["RUNNING"] and not failed:
            failed.append(change)
            gates.open("a")
            return True
        return False

    _failing(monkeypatch, fails)
    async with start_server() as client:
        await client.execute(chain("a", "b"), execution_id="e")
        await gates.entered("b")
        async with asyncio.timeout(20):
            while "a:started" not in await story(client, "e"):
                pass
        run = (await client.get("e")).nodes["a"]
        assert (run.state, run.output) == ("COMPLETED", "a")
        gates.open("b")
        execution = await client.wait("e")
    assert failed
    assert execution.state == "COMPLETED"
    assert execution.nodes["a"].output == "a"


async def test_an_execution_goes_on_once_the_database_is_back(
    start_server: StartServer, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = 0

    def fails(change: Any) -> bool:
        nonlocal failures
        if change.action == "run" and failures < 3:
            failures += 1
            return True
        return False

    _failing(monkeypatch, fails)
    gates.open("a", "b")
    async with start_server() as client:
        await client.execute(chain("a", "b"), execution_id="e")
        assert (await client.wait("e")).state == "COMPLETED"
        await story(client, "e")
    assert failures == 3
    assert gates.entries == {"a": 1, "b": 1}


async def test_a_server_goes_down_although_its_database_is_away(
    start_server: StartServer, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    _failing(monkeypatch, lambda change: change.action == "run")
    gates.open("a")
    async with start_server(grace=0.1) as client:
        await client.execute(chain("a"), execution_id="e")
        await client.execute(chain("never"), execution_id="f")
        # Has nothing left to do but to end.
        await client.execute(ECHO, {"n": 1}, execution_id="g")
        await gates.entered("never")
    monkeypatch.undo()
    async with start_server() as client:
        gates.open("never")
        assert (await client.wait("e")).state == "COMPLETED"
        assert (await client.wait("f")).state == "COMPLETED"
        assert (await client.wait("g")).output == {"n": 1}
        await story(client, "g")


async def test_an_execution_that_cannot_be_read_for_a_while_is_not_failed(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, gates: Gates
) -> None:
    async with start_server(grace=0.01) as client:
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
    claimed, failures = SqliteStore.claimed, 0

    async def failing(self: SqliteStore, *arguments: Any) -> Any:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise StorageUnavailable("the disk is away")
        return await claimed(self, *arguments)

    monkeypatch.setattr(SqliteStore, "claimed", failing)
    gates.open("a")
    async with start_server() as client:
        assert (await client.wait("e")).state == "COMPLETED"
    assert failures == 2


async def test_a_pause_or_stop_while_the_record_is_being_read_is_heeded(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, gates: Gates
) -> None:
    async with start_server(grace=0.01) as client:
        for action in ("pause", "stop", "resume"):
            await client.execute(chain(action), execution_id=action)
            await gates.entered(action)
    gates.entries.clear()
    claimed, reading, go_on = SqliteStore.claimed, asyncio.Event(), asyncio.Event()
    waiting = 0

    async def slow(self: SqliteStore, *arguments: Any) -> Any:
        nonlocal waiting
        found = await claimed(self, *arguments)
        waiting += 1
        if waiting == 3:
            reading.set()
        await go_on.wait()
        return found

    monkeypatch.setattr(SqliteStore, "claimed", slow)
    async with start_server() as client:
        await reading.wait()
        await client.pause("pause")
        await client.stop("stop")
        await client.pause("resume")
        await client.resume("resume")
        go_on.set()
        gates.open("pause", "stop", "resume")
        assert (await client.wait("resume")).state == "COMPLETED"
        await client.execute(ECHO, execution_id="other")
        await client.wait("other")
        assert gates.entries == {"resume": 1}
        assert (await client.status("pause")).state == "PAUSED"
        await client.resume("pause")
        assert (await client.wait("pause")).state == "COMPLETED"
        assert gates.entries == {"resume": 1, "pause": 1}
