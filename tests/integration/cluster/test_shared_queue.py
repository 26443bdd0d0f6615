"""One queue for all servers: slots are each server's own; order, keys and the bound are everybody's."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack

import pytest

from execsvc_client import ResourceExhausted
from tests.integration.cluster.conftest import Replicas, Sql
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain


async def jobs(sql: Sql) -> dict[str, str]:
    """The status of each job, by execution id."""
    return dict(await sql("SELECT args ->> 'execution_id', status::text FROM execsvc.procrastinate_jobs"))


@pytest.mark.usefixtures("silent")
async def test_what_one_server_has_no_slot_for_another_takes_at_once(replicas: Replicas, gates: Gates) -> None:
    async with replicas(max_concurrent=1) as a, replicas(max_concurrent=1):
        await a.execute(chain("g"), execution_id="first")
        await a.execute(chain("h"), execution_id="second")
        await gates.entered("g")
        await gates.entered("h")
        gates.open("g", "h")
        for name in ("first", "second"):
            assert (await a.wait(name)).state == "COMPLETED"


async def test_each_unfinished_execution_has_one_job_and_ends_without(
    replicas: Replicas, gates: Gates, sql: Sql
) -> None:
    async with replicas(max_concurrent=1) as a:
        await a.execute(chain("g"), execution_id="runs")
        await gates.entered("g")
        await a.execute(ECHO, execution_id="waits", priority=7)
        await a.execute(ECHO, execution_id="stopped")
        assert await jobs(sql) == {"runs": "doing", "waits": "todo", "stopped": "todo"}
        assert await sql("SELECT priority FROM execsvc.procrastinate_jobs WHERE status = 'todo' ORDER BY 1") == [
            (0,),
            (7,),
        ]
        await a.stop("stopped")
        assert "stopped" not in await jobs(sql)
        gates.open("g")
        for name in ("runs", "waits"):
            assert (await a.wait(name)).state == "COMPLETED"
        assert await jobs(sql) == {}
        assert await sql("SELECT * FROM execsvc.procrastinate_events") == []


@pytest.mark.usefixtures("silent")
async def test_a_key_has_one_limit_on_all_servers_and_its_successor_starts_without_being_polled_for(
    replicas: Replicas, gates: Gates
) -> None:
    async with replicas(key_limit=1) as a, replicas(key_limit=1) as b:
        await a.execute(chain("g"), execution_id="first", concurrency_key="k")
        await gates.entered("g")
        await b.execute(chain("h"), execution_id="second", concurrency_key="k")
        assert (await a.status("second")).message == "waiting for concurrency key 'k' (limit 1), place 1 of 1"
        await b.execute(ECHO, execution_id="other", concurrency_key="other")
        assert (await a.wait("other")).state == "COMPLETED"
        assert gates.entries["h"] == 0
        gates.open("g")
        await gates.entered("h")
        gates.open("h")
        assert (await a.wait("second")).state == "COMPLETED"


@pytest.mark.usefixtures("beating")
async def test_of_many_with_one_key_never_more_than_its_limit_run_at_once(replicas: Replicas, gates: Gates) -> None:
    async with AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(replicas(key_limit=2, max_concurrent=3)) for _ in range(3)]
        names = [f"e{number}" for number in range(24)]
        for number, name in enumerate(names):
            await clients[number % 3].execute(chain("g"), execution_id=name, concurrency_key="k")
        running: set[str] = set()
        most = 0
        gates.open("g")
        async with asyncio.timeout(60):
            while True:
                found = [execution async for execution in clients[0].list_executions(page_size=100)]
                running = {item.execution_id for item in found if item.status.state == "RUNNING"}
                most = max(most, len(running))
                if all(item.status.state == "COMPLETED" for item in found):
                    break
        assert 1 <= most <= 2
        assert gates.entries["g"] == len(names)


@pytest.mark.usefixtures("beating")
async def test_a_queue_that_is_full_is_full_for_every_server(replicas: Replicas, gates: Gates) -> None:
    settings = {"max_concurrent": 1, "max_queued": 2}
    async with replicas(**settings) as a, replicas(**settings) as b:
        for name in ("g", "h"):
            await a.execute(chain(name), execution_id=name)
            await gates.entered(name)
        for number in range(2):
            await a.execute(ECHO, execution_id=f"waits{number}")
        with pytest.raises(ResourceExhausted):
            await a.execute(ECHO, execution_id="more")
        async with asyncio.timeout(20):
            for number in range(1000):
                # As soon as it has counted: until then it lets some in.
                try:
                    await b.execute(ECHO, execution_id=f"more{number}")
                except ResourceExhausted:
                    break
        gates.open("g", "h")
        for number in range(2):
            assert (await b.wait(f"waits{number}")).state == "COMPLETED"


@pytest.mark.usefixtures("silent")
async def test_priority_and_age_hold_whichever_server_it_came_in_by(replicas: Replicas, gates: Gates) -> None:
    async with replicas(max_concurrent=1) as a, replicas(max_concurrent=1) as b:
        for name in ("g", "h"):
            await a.execute(chain(name), execution_id=name)
            await gates.entered(name)
        order = [("old", 0), ("idle", -7), ("new", 0), ("urgent", 1000)]
        for number, (name, priority) in enumerate(order):
            await (a, b)[number % 2].execute(ECHO, execution_id=name, priority=priority)
        assert (await b.status("old")).message == "waiting for a slot, place 2 of 4"
        gates.open("g")
        starts = {name: (await a.wait(name)).status.start_time for name, _ in order}
        assert sorted(starts, key=lambda name: starts[name]) == ["urgent", "old", "new", "idle"]
        gates.open("h")
        await a.wait("h")


async def test_what_was_retried_here_and_taken_elsewhere_no_longer_counts_as_waiting_here(
    replicas: Replicas, gates: Gates
) -> None:
    async with replicas(max_concurrent=1, max_queued=1) as a, replicas(max_concurrent=1, max_queued=1) as b:
        await a.execute(chain("x"), execution_id="again")
        await gates.entered("x")
        await a.stop("again")
        await a.execute(chain("g"), execution_id="here")
        await gates.entered("g")
        await b.execute(chain("h"), execution_id="there")
        await gates.entered("h")
        assert (await a.retry("again")).state == "PENDING"
        gates.open("h")
        await b.wait("there")
        while (await a.status("again")).state == "PENDING":
            pass
        # Both are busy, and nothing waits.
        assert (await a.execute(chain("y"), execution_id="waits")).state == "PENDING"
        with pytest.raises(ResourceExhausted):
            await a.execute(chain("y"), execution_id="one-too-many")
