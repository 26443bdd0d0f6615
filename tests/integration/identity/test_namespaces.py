"""What each namespace may use: its own slots, line, keys, record, rate and retention, and nothing of the others'."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from execsvc.model import NamespaceLimits, Namespaces, Role
from execsvc.service import history, quotas
from execsvc_client import AsyncExecutionClient, NotFound, ResourceExhausted
from tests.integration.conftest import StartServer
from tests.support.clocks import HandClock
from tests.support.nodes import Gates
from tests.support.tokens import DAY, NOW
from tests.support.workflows import ECHO, chain


@asynccontextmanager
async def teams(
    start_server: StartServer, limits: Mapping[str, NamespaceLimits], **settings: Any
) -> AsyncIterator[tuple[AsyncExecutionClient, AsyncExecutionClient]]:
    """Clients of the namespaces ``a`` and ``b``, administrators both."""
    tokens = [await start_server.token(namespace=name, role=Role.ADMIN) for name in "ab"]
    given = {"auth": "token", "grace": 0.0, "namespaces": Namespaces(overrides=limits), **settings}
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(start_server(**given))
        first, second = [
            await stack.enter_async_context(AsyncExecutionClient(start_server.address, token=token)) for token in tokens
        ]
        yield first, second


async def waits(client: AsyncExecutionClient, name: str) -> str:
    """What an execution waits for."""
    return (await client.status(name)).message


@pytest.mark.every_store
async def test_a_namespace_runs_as_many_as_its_slots_and_another_overtakes_what_that_holds_back(
    start_server: StartServer, gates: Gates
) -> None:
    async with teams(start_server, {"a": NamespaceLimits(slots=1)}, max_concurrent=3) as (a, b):
        await a.execute(chain("first"), execution_id="first")
        await gates.entered("first")
        for number in range(3):
            await a.execute(chain("more"), execution_id=f"more{number}", priority=1000)
        assert await waits(a, "more2") == "waiting for a slot of its namespace (limit 1), place 3 of 3"
        for number in range(2):
            await b.execute(chain(f"b{number}"), execution_id=f"b{number}")
            await gates.entered(f"b{number}")
        assert gates.entries["more"] == 0
        gates.open("first", "more")
        for name in ("first", "more0", "more1", "more2"):
            assert (await a.wait(name)).state == "COMPLETED"
        gates.open("b0", "b1")


@pytest.mark.every_store
async def test_a_slot_comes_back_whatever_becomes_of_the_run(start_server: StartServer, gates: Gates) -> None:
    async with teams(start_server, {"a": NamespaceLimits(slots=1)}) as (a, _):
        await a.execute(chain("x"), execution_id="x")
        await gates.entered("x")
        await a.execute(chain("y"), execution_id="y")
        await a.stop("x")
        await gates.entered("y")
        await a.execute(chain("z"), execution_id="z")
        await a.pause("y")
        gates.open("y")
        await gates.entered("z")
        await a.resume("y")
        assert "a slot of its namespace" in await waits(a, "y") or (await a.status("y")).state == "PENDING"
        gates.open("z")
        assert (await a.wait("y")).state == "COMPLETED"


@pytest.mark.every_store
async def test_the_same_key_in_two_namespaces_is_two_keys(start_server: StartServer, gates: Gates) -> None:
    async with teams(start_server, {}, key_limit=1) as (a, b):
        for client, name in ((a, "mine"), (b, "theirs")):
            await client.execute(chain(name), execution_id=name, concurrency_key="k")
            await gates.entered(name)
        await a.execute(chain("mine"), execution_id="next", concurrency_key="k")
        assert await waits(a, "next") == "waiting for concurrency key 'k' (limit 1), place 1 of 1"
        gates.open("mine")
        assert (await a.wait("next")).state == "COMPLETED"
        gates.open("theirs")


@pytest.mark.every_store
async def test_a_namespace_whose_line_is_full_is_refused_and_another_is_not(
    start_server: StartServer, gates: Gates
) -> None:
    async with teams(start_server, {"a": NamespaceLimits(slots=1, queued=2)}, max_concurrent=2) as (a, b):
        await a.execute(chain("first"), execution_id="first")
        await gates.entered("first")
        for number in range(2):
            await a.execute(ECHO, {"n": 1}, execution_id=f"waits{number}")
        with pytest.raises(ResourceExhausted) as refused:
            await a.execute(ECHO, {"n": 1}, execution_id="more")
        assert refused.value.reason == "QUEUE_FULL"
        assert "2 executions of this namespace wait already" in str(refused.value)
        # Who repeats a request that was taken is answered as before.
        assert (await a.execute(ECHO, {"n": 1}, execution_id="waits1")).state == "PENDING"
        await b.execute(ECHO, {"n": 1}, execution_id="other")
        assert (await b.wait("other")).state == "COMPLETED"
        await a.stop("waits0")
        await a.execute(ECHO, {"n": 1}, execution_id="more")
        with pytest.raises(ResourceExhausted):
            await a.retry("waits0")
        gates.open("first")
        assert (await a.wait("more")).state == "COMPLETED"


@pytest.mark.every_store
async def test_a_namespace_has_as_many_on_record_as_it_may_until_some_are_deleted(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quotas, "FULL", 0.0)
    async with teams(start_server, {"a": NamespaceLimits(stored=2)}) as (a, b):
        for name in ("x", "y"):
            await a.execute(ECHO, {"n": 1}, execution_id=name)
            await a.wait(name)
            await b.execute(ECHO, {"n": 1}, execution_id=name)
        with pytest.raises(ResourceExhausted) as refused:
            await a.execute(ECHO, {"n": 1}, execution_id="z")
        assert refused.value.reason == "NAMESPACE_FULL"
        assert (await a.execute(ECHO, {"n": 1}, execution_id="x")).state == "COMPLETED"
        await b.execute(ECHO, {"n": 1}, execution_id="z")
        await a.delete("x")
        await a.execute(ECHO, {"n": 1}, execution_id="z")


async def test_a_namespace_makes_as_many_calls_as_it_may_and_another_as_many_as_it_likes(
    start_server: StartServer,
) -> None:
    async with teams(start_server, {"a": NamespaceLimits(rate=2)}) as (a, b):
        outcomes = await asyncio.gather(*(a.server_info() for _ in range(20)), return_exceptions=True)
        refused = [one for one in outcomes if isinstance(one, ResourceExhausted)]
        assert len(refused) >= 17
        assert {one.reason for one in refused} == {"RATE_LIMITED"}
        for _ in range(20):
            await b.server_info()


@pytest.mark.every_store
async def test_each_namespace_keeps_executions_as_long_as_it_says(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PRUNE_INTERVAL", 0.05)
    clock = HandClock(NOW)
    limits = {"a": NamespaceLimits(retention=DAY), "b": NamespaceLimits(retention=100 * DAY)}
    other = await start_server.token(namespace="c")
    async with (
        teams(start_server, limits, clock=clock, retention=10 * DAY) as (a, b),
        AsyncExecutionClient(start_server.address, token=other) as c,
    ):
        for client in (a, b, c):
            await client.execute(ECHO, {"n": 1}, execution_id="e")
            await client.wait("e")
        clock.advance(2 * DAY / 1e6)
        await gone(a)
        assert (await c.status("e")).state == "COMPLETED"
        clock.advance(9 * DAY / 1e6)
        await gone(c)
        assert (await b.status("e")).state == "COMPLETED"


async def gone(client: AsyncExecutionClient) -> None:
    """Wait until the execution ``e`` was removed."""
    async with asyncio.timeout(30):
        while True:
            try:
                await client.status("e")
            except NotFound:
                return
            await asyncio.sleep(0.02)


@pytest.mark.every_store
async def test_an_id_of_another_namespace_is_looked_for_as_one_that_never_was(
    start_server: StartServer, store_class: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same questions to the store, in the same order: nothing differs that could take another time."""
    asked: list[tuple[str, tuple[Any, ...], dict[str, Any]]] = []

    def listened(name: str) -> Any:
        method = getattr(store_class, name)

        def call(store: Any, *arguments: Any, **more: Any) -> Any:
            asked.append((name, arguments, more))
            return method(store, *arguments, **more)

        return call

    for name in ("status", "execution", "log_page", "log_tail", "request_digest", "update", "delete", "workflow"):
        monkeypatch.setattr(store_class, name, listened(name))
    async with teams(start_server, {}) as (a, b):
        await a.execute(ECHO, {"n": 1}, execution_id="theirs")
        await a.wait("theirs")
        await a.create_workflow("theirs", ECHO)
        found: dict[str, list[Any]] = {}
        for name in ("theirs", "nobody"):
            asked.clear()
            for attempt in (
                lambda name=name: b.status(name),
                lambda name=name: b.get(name),
                lambda name=name: b.pause(name),
                lambda name=name: b.stop(name),
                lambda name=name: b.retry(name),
                lambda name=name: b.delete(name),
                lambda name=name: b.get_workflow(name),
                lambda name=name: read_log(b, name),
            ):
                with pytest.raises(NotFound):
                    await attempt()
            found[name] = [repr(one).replace(name, "?") for one in asked]
        assert [one.split("time=")[0] for one in found["theirs"]] == [one.split("time=")[0] for one in found["nobody"]]
        assert len(found["theirs"]) >= 8


async def read_log(client: AsyncExecutionClient, name: str) -> None:
    """Read a log to its end."""
    async with client.logs(name) as entries:
        async for _ in entries:
            pass
