"""Every server answers for every execution, whichever of them runs it. No sign of life comes: all of it is told."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any

import pytest

from execsvc.service import elsewhere
from execsvc.store.postgres.jobs import Jobs
from execsvc_client import AsyncExecutionClient, FailedPrecondition, NotFound
from tests.integration.cluster.conftest import Replicas
from tests.support.logs import story, told
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, gate, node, output, workflow

pytestmark = pytest.mark.usefixtures("silent")


async def in_state(client: AsyncExecutionClient, execution_id: str, state: str) -> None:
    """Wait until an execution is in a state, or has been."""
    async with asyncio.timeout(20), client.watch(execution_id) as snapshots:
        async for snapshot in snapshots:
            if snapshot.status.state == state:
                return
    raise AssertionError(f"{execution_id} was never {state}")


async def test_what_is_stored_through_one_server_is_read_through_another(replicas: Replicas, gates: Gates) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        assert (await b.status("e")).state == "RUNNING"
        gates.open("g")
        assert (await b.wait("e")).output == "g"
        assert await story(a, "e") == await story(b, "e")
        # And the same request again is the same execution.
        assert (await b.execute(chain("g"), execution_id="e")).state == "COMPLETED"
        await b.delete("e")
        with pytest.raises(NotFound):
            await a.status("e")


async def test_a_follower_sees_the_log_grow_and_end_on_another_server(replicas: Replicas, gates: Gates) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(chain("g", "h"), execution_id="e")
        seen = []
        async with asyncio.timeout(20), b.logs("e", follow=True) as log:
            async for entry in log:
                seen.append(entry.sequence)
                gate_of = {"g": "g", "h": "h"}.get(entry.node_id)
                if gate_of is not None and entry.metadata.get("event") == "node_started":
                    gates.open(gate_of)
        assert seen == list(range(1, len(seen) + 1))
        assert len(seen) == len(await story(a, "e"))


async def test_a_log_goes_on_where_an_execution_that_ended_here_was_retried_elsewhere(
    replicas: Replicas, gates: Gates
) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        await a.stop("e")
        last = len(await story(a, "e"))
        gates.open("g")
        await b.retry("e")
        async with asyncio.timeout(20), a.logs("e", after_sequence=last, follow=True) as log:
            seen = [told(entry) async for entry in log]
        assert (seen[0], seen[-1]) == ("retried", "completed")


async def test_a_log_is_of_the_execution_that_has_the_id_now_where_another_server_gave_it_away(
    replicas: Replicas, gates: Gates
) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(ECHO, {"n": 1}, execution_id="e")
        await b.wait("e")
        await b.delete("e")
        await b.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        async with asyncio.timeout(20), a.logs("e", follow=True) as log, a.watch("e") as snapshots:
            seen = [told(await anext(log))]
            assert (await anext(snapshots)).status.state == "RUNNING"
            gates.open("g")
            seen += [told(entry) async for entry in log]
            assert [snapshot.status.state async for snapshot in snapshots][-1] == "COMPLETED"
        assert "g:completed" in seen


async def test_a_watcher_on_another_server_sees_each_node_change_and_the_end(replicas: Replicas, gates: Gates) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        states = {}
        async with asyncio.timeout(20), b.watch("e") as snapshots:
            async for snapshot in snapshots:
                gates.open("g", "h")
                states |= {node_id: run.state for node_id, run in snapshot.nodes.items()}
                last = snapshot.status
        assert last.state == "COMPLETED"
        assert states == {"g": "COMPLETED", "h": "COMPLETED", "out": "COMPLETED"}


async def test_a_stop_through_another_server_cancels_what_is_in_flight(replicas: Replicas, gates: Gates) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        assert (await b.stop("e", "enough")).state == "STOPPED"
        async with asyncio.timeout(20):
            while not gates.cancelled["g"]:
                await a.status("e")
        assert (await a.status("e")).message == "stopped: enough"
        with pytest.raises(FailedPrecondition):
            await a.pause("e")


async def test_a_pause_and_a_resume_through_another_server_go_on_in_place(replicas: Replicas, gates: Gates) -> None:
    both = workflow("g > after > out", g=gate("g"), after=gate("after"), out=output("nodes.after"))
    async with replicas() as a, replicas() as b:
        await a.execute(both, execution_id="e")
        await gates.entered("g")
        await b.pause("e")
        await in_state(a, "e", "PAUSED")
        # Its run has not ended: what is in flight is not begun again, whether the run hears of the resume in time and
        # goes on, or ends with the node and another one follows.
        assert (await b.resume("e")).state == "RUNNING"
        gates.open("g", "after")
        assert (await b.wait("e")).state == "COMPLETED"
        assert (gates.entries["g"], gates.entries["after"]) == (1, 1)
        told = [event for event in await story(b, "e") if ":" not in event and event != "running"]
        assert told == ["queued", "paused", "resumed", "completed"]


async def test_while_paused_through_another_server_no_node_starts_and_its_slot_is_free(
    replicas: Replicas, gates: Gates
) -> None:
    async with replicas(max_concurrent=1) as a, replicas(max_concurrent=1) as b:
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        await b.pause("e")
        gates.open("g")
        # Only a slot that has come free lets them all run.
        for number in range(3):
            await a.execute(ECHO, execution_id=f"other{number}")
            assert (await a.wait(f"other{number}")).state == "COMPLETED"
        assert gates.entries["h"] == 0
        gates.open("h")
        assert (await b.resume("e")).state in ("RUNNING", "PENDING")
        assert (await a.wait("e")).state == "COMPLETED"
        assert gates.entries["g"] == 1


async def test_what_failed_on_one_server_is_retried_through_another(replicas: Replicas, gates: Gates) -> None:
    fails = workflow("f > out", f=gate("f", fail_with="ODD", failures=1), out=output())
    gates.open("f")
    async with replicas() as a, replicas() as b:
        await a.execute(fails, execution_id="e")
        assert (await b.wait("e")).state == "FAILED"
        assert (await b.retry("e")).state == "PENDING"
        assert (await a.wait("e")).state == "COMPLETED"


async def test_who_follows_an_execution_that_is_deleted_elsewhere_is_told(replicas: Replicas, gates: Gates) -> None:
    async with replicas() as a, replicas() as b:
        await a.execute(chain("g"), execution_id="e")
        await gates.entered("g")
        await a.pause("e")

        async def follow() -> None:
            async with b.watch("e") as snapshots:
                async for _ in snapshots:
                    following.set()

        following = asyncio.Event()
        follower = asyncio.create_task(follow())
        await following.wait()
        await a.stop("e")
        await a.delete("e")
        async with asyncio.timeout(20):
            # Either it saw the end first, or that there is no such execution.
            await asyncio.wait([follower])
        assert follower.exception() is None or isinstance(follower.exception(), NotFound)


async def test_pieces_of_answers_stay_on_their_server_and_a_watcher_elsewhere_is_told_so(
    replicas: Replicas, gates: Gates
) -> None:
    definition = workflow(
        "g > say > out", g=gate("g"), say=node("llm", model="echo:", prompt="one two three"), out=output("nodes.say")
    )
    async with AsyncExitStack() as servers:
        a = await servers.enter_async_context(replicas())
        await a.execute(definition, execution_id="e")
        await gates.entered("g")
        b = await servers.enter_async_context(replicas())

        async def watched(client: AsyncExecutionClient) -> tuple[str, bool]:
            said, dropped = "", False
            async with asyncio.timeout(20), client.watch("e", include_tokens=True) as snapshots:
                async for snapshot in snapshots:
                    watching[client].set()
                    said += "".join(chunk.text for chunk in snapshot.tokens)
                    dropped = dropped or snapshot.tokens_dropped
            return said, dropped

        watching = {a: asyncio.Event(), b: asyncio.Event()}
        there, afar = asyncio.create_task(watched(a)), asyncio.create_task(watched(b))
        for event in watching.values():
            await event.wait()
        gates.open("g")
        assert await there == ("one two three", False)
        assert await afar == ("", True)


async def test_a_pause_is_answered_once_the_server_that_runs_it_has_heard(
    replicas: Replicas, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = asyncio.Event(), Jobs.statuses
    reading.set()

    async def statuses(jobs: Jobs, keys: Any) -> Any:
        await reading.wait()
        return await read(jobs, keys)

    monkeypatch.setattr(Jobs, "statuses", statuses)
    monkeypatch.setattr(elsewhere, "HEARTBEAT", 30.0)
    async with AsyncExitStack() as servers:
        a = await servers.enter_async_context(replicas())
        await a.execute(chain("g", "h"), execution_id="e")
        await gates.entered("g")
        b = await servers.enter_async_context(replicas())
        reading.clear()
        pausing = asyncio.create_task(b.pause("e"))
        while (await b.status("e")).state != "PAUSED":
            pass
        for _ in range(50):
            await b.status("e")
        assert not pausing.done()
        reading.set()
        assert (await pausing).state == "PAUSED"
        gates.open("g", "h")
        await gates.left("g")
        assert (await a.status("e")).state == "PAUSED"
        assert gates.entries["h"] == 0


async def test_a_pause_is_heard_where_the_run_writes_something_of_its_own_meanwhile(
    replicas: Replicas, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading, read = asyncio.Event(), Jobs.statuses

    async def statuses(jobs: Jobs, keys: Any) -> Any:
        await reading.wait()
        return await read(jobs, keys)

    monkeypatch.setattr(Jobs, "statuses", statuses)
    monkeypatch.setattr(elsewhere, "HEARTBEAT", 30.0)
    definition = workflow("g > h > out", "k > out", g=gate("g"), h=gate("h"), k=gate("k"), out=output())
    async with AsyncExitStack() as servers:
        a = await servers.enter_async_context(replicas())
        await a.execute(definition, execution_id="e")
        await gates.entered("g")
        await gates.entered("k")
        b = await servers.enter_async_context(replicas())
        pausing = asyncio.create_task(b.pause("e"))
        async with asyncio.timeout(20):
            while (await b.status("e")).state != "PAUSED":
                pass
            gates.open("k")
            while "k:completed" not in await story(b, "e"):
                pass
            reading.set()
            assert (await pausing).state == "PAUSED"
            gates.open("g", "h")
            while "g:completed" not in await story(b, "e"):
                pass
            await b.resume("e")
            assert (await b.wait("e")).state == "COMPLETED"
        told = [event for event in await story(b, "e") if event in ("paused", "resumed", "h:started")]
        assert told == ["paused", "resumed", "h:started"]
