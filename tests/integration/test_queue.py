"""What waits starts by priority and age, keys share limits, and a full queue says so."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import grpc
import pytest

from execsvc.app import Settings
from execsvc.store import PostgresDatabase, SqliteStore
from execsvc.store.postgres import PostgresStore
from execsvc_client import (
    AsyncExecutionClient,
    ExecutionState,
    ExecutionStatus,
    FailedPrecondition,
    ResourceExhausted,
    v1,
)
from tests.integration.conftest import StartServer, Stubs
from tests.servers.postgres import shared_server
from tests.support.logs import entries, story
from tests.support.nodes import Gates
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, chain, gate, output, transform, workflow

FAILING = workflow("a > out", a=transform("[1][input.n]"), out=output())


def request(execution_id: str, definition: dict[str, Any] = ECHO, **fields: Any) -> v1.ExecuteRequest:
    from execsvc_client import to_definition

    return v1.ExecuteRequest(execution_id=execution_id, definition=to_definition(definition), **fields)


def control(execution_id: str, action: str, **fields: Any) -> v1.ControlRequest:
    message = v1.ControlRequest(execution_id=execution_id, **fields)
    getattr(message, action).SetInParent()
    return message


@pytest.fixture(params=["sqlite", "postgres"])
def settings(request: pytest.FixtureRequest, settings: Settings) -> Iterator[Settings]:
    """What servers start with: the queue of one process, and the queue of many."""
    if request.param == "sqlite":
        yield settings
        return
    url = shared_server().migrated()
    yield replace(settings, postgres=PostgresDatabase(url=url))
    shared_server().give_back(url)


class Connected:
    """A server that runs one execution at a time, occupied by one."""

    def __init__(self, client: AsyncExecutionClient, stubs: Stubs, gates: Gates) -> None:
        self.client, self.stubs, self.gates = client, stubs, gates

    async def occupy(self) -> None:
        await self.client.execute(chain("blocker"), execution_id="blocker")
        await self.gates.entered("blocker")

    def free(self) -> None:
        self.gates.open("blocker")


async def started_in_order(client: AsyncExecutionClient, *execution_ids: str) -> list[str]:
    """Wait for executions to end, and tell in which order they began to run."""
    for execution_id in execution_ids:
        assert (await client.wait(execution_id)).state == "COMPLETED"
    starts = {execution_id: (await client.status(execution_id)).start_time for execution_id in execution_ids}
    return sorted(execution_ids, key=lambda execution_id: starts[execution_id])


async def test_higher_priority_starts_first_and_among_equals_the_oldest(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        for execution_id, priority in (("old", 0), ("idle", -7), ("new", 0), ("urgent", 1000)):
            status = await client.execute(ECHO, execution_id=execution_id, priority=priority)
            assert status.state == "PENDING"
        gates.open("blocker")
        assert await started_in_order(client, "old", "idle", "new", "urgent") == ["urgent", "old", "new", "idle"]


async def test_the_order_is_the_same_after_a_restart(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1, grace=0.01) as client:
        await client.execute(chain("blocker"), execution_id="blocker", priority=1000)
        await gates.entered("blocker")
        for execution_id, priority in (("old", 0), ("idle", -7), ("new", 0), ("urgent", 1)):
            await client.execute(ECHO, execution_id=execution_id, priority=priority)
    gates.open("blocker")
    async with start_server(max_concurrent=1) as client:
        assert start_server.recovered == 5
        assert await started_in_order(client, "old", "idle", "new", "urgent") == ["urgent", "old", "new", "idle"]


async def test_a_key_runs_no_more_than_its_limit_and_holds_back_nobody_else(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(key_limit=1, key_limits={"wide": 2}) as client:
        for number in range(2):
            await client.execute(chain(f"tenant{number}"), execution_id=f"tenant{number}", concurrency_key="tenant")
        for number in range(3):
            await client.execute(chain(f"wide{number}"), execution_id=f"wide{number}", concurrency_key="wide")
        await client.execute(ECHO, execution_id="other", concurrency_key="other")
        await client.execute(ECHO, execution_id="none")
        for execution_id in ("other", "none"):
            assert (await client.wait(execution_id)).state == "COMPLETED"
        for name in ("tenant0", "wide0", "wide1"):
            await gates.entered(name)
        assert gates.entries["tenant1"] == gates.entries["wide2"] == 0
        assert (await client.status("tenant1")).state == "PENDING"
        gates.open("tenant0", "wide1")
        await gates.entered("tenant1")
        await gates.entered("wide2")
        gates.open("tenant1", "wide0", "wide2")
        for execution_id in ("tenant1", "wide0", "wide2"):
            assert (await client.wait(execution_id)).state == "COMPLETED"


async def test_a_higher_priority_overtakes_what_waits_with_the_same_key(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(key_limit=1) as client:
        await client.execute(chain("a"), execution_id="runs", concurrency_key="k")
        await gates.entered("a")
        await client.execute(ECHO, execution_id="waits", concurrency_key="k")
        await client.execute(ECHO, execution_id="urgent", concurrency_key="k", priority=1)
        gates.open("a")
        assert await started_in_order(client, "waits", "urgent") == ["urgent", "waits"]


async def test_while_pending_the_message_says_why_and_where_in_the_line(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=2, key_limit=1) as client:
        await client.execute(chain("a"), execution_id="a", concurrency_key="k")
        # While it waits itself, c overtakes it.
        await gates.entered("a")
        await client.execute(ECHO, execution_id="b", concurrency_key="k")
        await client.execute(ECHO, execution_id="c", concurrency_key="k", priority=1)
        of_key = "waiting for concurrency key 'k' (limit 1), place {} of 2"
        assert (await client.status("b")).message == of_key.format(2)
        assert (await client.status("c")).message == of_key.format(1)
        await client.execute(chain("d"), execution_id="d")
        await gates.entered("d")
        await client.execute(ECHO, execution_id="e")
        await client.execute(ECHO, execution_id="f", priority=1)
        assert (await client.status("e")).message == "waiting for a slot, place 2 of 2"
        assert (await client.status("f")).message == "waiting for a slot, place 1 of 2"
        # The record tells the same.
        assert (await client.get("b", "basic")).status.message == of_key.format(2)
        await client.stop("f")
        assert (await client.status("e")).message == "waiting for a slot, place 1 of 1"
        gates.open("d")
        await client.wait("e")
        assert (await client.status("e")).message == "completed"
        gates.open("a")
        await client.wait("b")


@pytest.fixture
async def full(start_server: StartServer, gates: Gates) -> Any:
    """A server with one slot and room for two that wait, all taken; b and c wait."""
    async with start_server(max_concurrent=1, max_queued=2) as client:
        failed = await client.execute(FAILING, {"n": 7}, execution_id="failed")
        assert (await client.wait(failed.execution_id)).state == "FAILED"
        await client.execute(chain("never"), execution_id="paused")
        await gates.entered("never")
        await client.pause("paused")
        gates.open("never")
        connected = Connected(client, Stubs(grpc.aio.insecure_channel(start_server.address)), gates)
        await connected.occupy()
        for execution_id in "bc":
            await connected.stubs.executions.Execute(request(execution_id))
        yield connected
        connected.free()
        await connected.stubs.channel.close()


async def test_a_full_queue_refuses_more_and_says_when_to_come_again(full: Connected) -> None:
    found = await refusal(full.stubs.executions.Execute(request("d")))
    assert (found.code, found.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert found.info.metadata["capacity"] == "2"
    assert found.by_kind["RetryInfo"].retry_delay.seconds == 5
    assert found.by_kind["QuotaFailure"].violations[0].subject == "queue"
    assert "try again later" in found.message
    # Nothing of it was stored.
    assert (await refusal(full.stubs.executions.GetStatus(v1.GetStatusRequest(execution_id="d")))).code == (
        grpc.StatusCode.NOT_FOUND
    )
    full.free()
    await full.client.wait("c")
    await full.stubs.executions.Execute(request("d"))
    assert (await full.client.wait("d")).state == "COMPLETED"


async def test_a_full_queue_still_answers_repeats_and_all_other_refusals(full: Connected) -> None:
    execute = full.stubs.executions.Execute
    assert (await execute(request("b"))).status.state == v1.EXECUTION_STATE_PENDING
    assert (await execute(request("blocker", chain("blocker")))).status.state == v1.EXECUTION_STATE_RUNNING
    other = await refusal(execute(request("b", priority=7)))
    assert (other.code, other.info.reason) == (grpc.StatusCode.ALREADY_EXISTS, "EXECUTION_EXISTS")
    invalid = await refusal(execute(request("d", workflow(a=transform("1")))))
    assert invalid.code == grpc.StatusCode.INVALID_ARGUMENT
    await execute(request("d", validate_only=True))
    unnamed = await refusal(execute(request("")))
    assert unnamed.info.reason == "QUEUE_FULL"


async def test_a_retry_into_a_full_queue_is_refused_changes_nothing_and_comes_through_later(full: Connected) -> None:
    before = await full.client.get("failed")
    log = await entries(full.client, "failed")
    found = await refusal(full.stubs.executions.Control(control("failed", "retry", request_id="r")))
    assert (found.code, found.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "QUEUE_FULL")
    assert found.by_kind["RetryInfo"].retry_delay.seconds == 5
    assert await full.client.get("failed") == before
    assert await entries(full.client, "failed") == log
    # What is refused for another reason still is for that.
    lost = control("failed", "retry", expected_state=v1.EXECUTION_STATE_STOPPED)
    assert (await refusal(full.stubs.executions.Control(lost))).code == grpc.StatusCode.ABORTED
    illegal = await refusal(full.stubs.executions.Control(control("b", "retry")))
    assert illegal.code == grpc.StatusCode.FAILED_PRECONDITION
    assert illegal.info.metadata["allowed_from"] == "FAILED,STOPPED"
    full.free()
    await full.client.wait("c")
    answered = await full.stubs.executions.Control(control("failed", "retry", request_id="r"))
    assert answered.status.state == v1.EXECUTION_STATE_PENDING
    assert (await full.client.wait("failed")).state == "FAILED"
    assert (await story(full.client, "failed")).count("retried") == 1


async def test_of_many_retries_at_once_no_more_are_let_in_than_may_wait(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1, max_queued=3) as client:
        failed = [f"failed{number}" for number in range(20)]
        for execution_id in failed:
            await client.execute(FAILING, {"n": 7}, execution_id=execution_id)
            assert (await client.wait(execution_id)).state == "FAILED"
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        answers = await asyncio.gather(*map(client.retry, failed), return_exceptions=True)
        assert sum(isinstance(answer, ResourceExhausted) for answer in answers) == len(failed) - 3
        let_in = [answer.execution_id for answer in answers if isinstance(answer, ExecutionStatus)]
        assert len(let_in) == 3
        gates.open("blocker")
        for execution_id in let_in:
            assert (await client.wait(execution_id)).state == "FAILED"
        # No place was lost.
        assert (await client.retry(failed[0])).state == "PENDING"


async def test_a_full_queue_answers_a_repeated_retry_as_the_first(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1, max_queued=1) as client:
        await client.execute(FAILING, {"n": 7}, execution_id="failed")
        await client.wait("failed")
        first = await client.retry("failed", request_id="r")
        assert (await client.wait("failed")).state == "FAILED"
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        await client.execute(ECHO, execution_id="waits")
        assert await client.retry("failed", request_id="r") == first
        assert (await client.status("failed")).state == "FAILED"
        assert (await story(client, "failed")).count("retried") == 1
        gates.open("blocker")
        await client.wait("waits")


async def test_what_waits_may_still_be_stopped_and_what_is_paused_resumed(full: Connected) -> None:
    assert (await full.client.resume("paused")).state == "PENDING"
    assert (await full.client.status("paused")).message == "waiting for a slot, place 1 of 3"
    assert (await full.client.stop("b")).state == "STOPPED"
    with pytest.raises(FailedPrecondition):
        await full.client.pause("c")
    full.free()
    assert (await full.client.wait("paused")).state == "COMPLETED"
    assert (await full.client.wait("c")).state == "COMPLETED"
    assert await story(full.client, "b") == ["queued", "stopped"]


async def test_a_backlog_of_one_key_does_not_fill_the_queue_for_others(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_queued=1, key_limit=1) as client:
        await client.execute(chain("a"), execution_id="a", concurrency_key="k")
        await client.execute(ECHO, execution_id="b", concurrency_key="k")
        await client.execute(ECHO, execution_id="c")
        assert (await client.wait("c")).state == "COMPLETED"
        channel = grpc.aio.insecure_channel(start_server.address)
        refused = await refusal(Stubs(channel).executions.Execute(request("d", concurrency_key="k")))
        assert refused.info.reason == "QUEUE_FULL"
        await channel.close()
        gates.open("a")
        await client.wait("b")


async def test_resume_where_the_key_has_no_room_waits_as_pending(start_server: StartServer, gates: Gates) -> None:
    async with start_server(key_limit=1) as client:
        await client.execute(chain("a", "b"), execution_id="first", concurrency_key="k")
        await gates.entered("a")
        await client.pause("first")
        gates.open("a")
        await client.execute(chain("c"), execution_id="second", concurrency_key="k")
        await gates.entered("c")
        assert (await client.resume("first")).state == "PENDING"
        assert "concurrency key 'k'" in (await client.status("first")).message
        gates.open("b", "c")
        assert (await client.wait("first")).state == "COMPLETED"


async def test_no_slot_is_lost_whatever_becomes_of_executions(
    start_server: StartServer, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ends of every kind, more of each than there are slots and places of the key; then all must still run."""
    crash = workflow("a > out", a={"type": "odd", "config": {"how": "crash"}}, out=output())
    kind = SqliteStore if start_server.settings.postgres is None else PostgresStore
    real, failing = kind.claimed, set[str]()

    async def claimed(self: Any, namespace: str, status: Any) -> Any:
        if status.execution_id in failing:
            raise RuntimeError("the engine cannot begin")
        return await real(self, namespace, status)

    monkeypatch.setattr(kind, "claimed", claimed)
    async with start_server(max_concurrent=2, key_limit=1) as client:
        for number in range(3):
            key = f"k{number % 2}"
            await client.execute(crash, execution_id=f"crash{number}", concurrency_key=key)
            assert (await client.wait(f"crash{number}")).state == "FAILED"
            await client.execute(chain("never"), execution_id=f"stop{number}", concurrency_key=key)
            await client.stop(f"stop{number}")
            await client.execute(chain("slow", timeout="0.01s"), execution_id=f"late{number}", concurrency_key=key)
            assert (await client.wait(f"late{number}")).state == "FAILED"
            await client.execute(chain("never"), execution_id=f"unread{number}", concurrency_key=key)
            await client.stop(f"unread{number}")
            failing.add(f"unread{number}")
            await client.retry(f"unread{number}")
            execution = await client.wait(f"unread{number}")
            assert (execution.state, execution.error and execution.error.type) == ("FAILED", "DEFINITION_UNUSABLE")
        for key in ("k0", "k1"):
            await client.execute(chain("both"), execution_id=key, concurrency_key=key)
        async with asyncio.timeout(20):
            while gates.entries["both"] < 2:
                await client.status("k0")
        gates.open("both")
        for key in ("k0", "k1"):
            assert (await client.wait(key)).state == ExecutionState.COMPLETED


async def test_a_stop_while_it_waits_keeps_it_from_ever_starting(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        await client.execute(workflow("a > out", a=gate("a"), out=output()), execution_id="e")
        await client.stop("e")
        gates.open("blocker")
        await client.wait("blocker")
        await client.execute(ECHO, execution_id="next")
        await client.wait("next")
        assert gates.entries["a"] == 0
        assert await story(client, "e") == ["queued", "stopped"]
