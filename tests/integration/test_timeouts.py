"""Deadlines of nodes and executions: counted while RUNNING, standing still while PAUSED, kept across restarts."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from execsvc.engine import deadline
from execsvc.store import SqliteStore, UpdateExecution
from execsvc_client import AsyncExecutionClient, Execution, v1
from tests.integration.conftest import StartServer, Stubs
from tests.support.clocks import HandClock
from tests.support.logs import entries, story, until_logged
from tests.support.nodes import Gates
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, chain, gate, output, transform, workflow

SECOND = 1_000_000
LONG = {"max_attempts": 3, "initial_backoff": "3600s", "max_backoff": "3600s"}


def late(execution: Execution) -> tuple[str, str, str]:
    """State, error type and node of an execution that should be late."""
    assert execution.error is not None
    return str(execution.state), execution.error.type, execution.error.node_id


async def nudge(client: AsyncExecutionClient, execution_id: str) -> None:
    """Let the server look at the clock that was moved by hand."""
    await client.pause(execution_id)
    await client.resume(execution_id)


# Nodes


async def test_a_nodes_timeout_is_for_each_attempt_and_a_failure_like_any_other(client: AsyncExecutionClient) -> None:
    retry = {"max_attempts": 2, "initial_backoff": "0.001s"}
    on_error = {"action": "continue", "fallback": "gave up"}
    definition = workflow("a > out", a=gate("a", timeout="0.01s", retry=retry, on_error=on_error), out=output())
    await client.execute(definition, execution_id="e")
    execution = await client.wait("e")
    assert (execution.state, execution.output) == ("COMPLETED", "gave up")
    run = execution.nodes["a"]
    assert run.error is not None
    assert (run.error.type, run.error.attempt, run.error.retryable) == ("NODE_TIMEOUT", 2, True)
    assert (await story(client, "e")).count("a:started") == 2


async def test_a_node_timeout_can_be_excluded_from_being_repeated(client: AsyncExecutionClient) -> None:
    retry = {"max_attempts": 3, "non_retryable": ["NODE_TIMEOUT"]}
    definition = workflow("a > out", a=gate("a", timeout="0.01s", retry=retry), out=output())
    await client.execute(definition, execution_id="e")
    execution = await client.wait("e")
    assert late(execution) == ("FAILED", "NODE_TIMEOUT", "a")
    assert execution.nodes["a"].attempt == 1


async def test_a_nodes_timeout_runs_on_while_its_execution_is_paused(client: AsyncExecutionClient) -> None:
    """A node under way at the pause is let finish, within its own time."""
    definition = workflow("a > out", a=gate("a", timeout="1s"), out=output())
    await client.execute(definition, execution_id="e")
    await until_logged(client, "e", "node_started")
    await client.pause("e")
    await until_logged(client, "e", "node_failed")
    execution = await client.get("e")
    assert (execution.state, execution.nodes["a"].state, execution.error) == ("PAUSED", "FAILED", None)
    await client.resume("e")
    assert late(await client.wait("e")) == ("FAILED", "NODE_TIMEOUT", "a")


# Executions


async def test_a_late_execution_fails_names_its_node_and_cancels_what_is_under_way(
    start_server: StartServer, gates: Gates
) -> None:
    clock = HandClock()
    gates.open("a")
    async with start_server(clock=clock) as client:
        await client.execute(chain("a", "b", "c"), execution_id="e", timeout=60)
        await gates.entered("b")
        clock.advance(61)
        await nudge(client, "e")
        execution = await client.wait("e")
        assert late(execution) == ("FAILED", "DEADLINE_EXCEEDED", "b")
        assert execution.error is not None
        assert execution.error.message == "not done within the execution's timeout of 60 s at node b"
        assert execution.status.message == f"DEADLINE_EXCEEDED: {execution.error.message}"
        assert [execution.nodes[node_id].state for node_id in "abc"] == ["COMPLETED", "CANCELLED", "PENDING"]
        last = (await entries(client, "e"))[-1]
        assert (last.level, last.metadata["event"]) == ("ERROR", "execution_failed")
        assert last.metadata["error_type"] == "DEADLINE_EXCEEDED"
        async with asyncio.timeout(20):
            while not gates.cancelled["b"]:
                await client.status("e")


async def test_nothing_has_to_happen_for_a_deadline_to_pass(client: AsyncExecutionClient) -> None:
    await client.execute(chain("a"), execution_id="e", timeout=0.05)
    assert late(await client.wait("e")) == ("FAILED", "DEADLINE_EXCEEDED", "a")


async def test_a_node_between_two_attempts_is_named_too(start_server: StartServer, gates: Gates) -> None:
    clock = HandClock()
    gates.open("a")
    definition = workflow("a > out", a=gate("a", fail_with="FLAKY", failures=9, retry=LONG), out=output())
    async with start_server(clock=clock) as client:
        await client.execute(definition, execution_id="e", timeout=60)
        await until_logged(client, "e", "node_retry")
        clock.advance(61)
        await nudge(client, "e")
        assert late(await client.wait("e")) == ("FAILED", "DEADLINE_EXCEEDED", "a")
        assert gates.entries["a"] == 1


async def test_neither_on_error_nor_retries_go_on_past_the_executions_deadline(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    definition = workflow("a > out", a=gate("a", on_error={"action": "continue"}, retry=LONG), out=output())
    await client.execute(definition, execution_id="e", timeout=0.05)
    assert late(await client.wait("e")) == ("FAILED", "DEADLINE_EXCEEDED", "a")


async def test_what_is_done_in_time_is_not_late(client: AsyncExecutionClient) -> None:
    await client.execute(ECHO, {"n": 1}, execution_id="e", timeout=3600)
    assert (await client.wait("e")).state == "COMPLETED"


async def test_waiting_for_a_slot_does_not_count(start_server: StartServer, gates: Gates) -> None:
    clock = HandClock()
    async with start_server(clock=clock, max_concurrent=1) as client:
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        await client.execute(chain("a"), execution_id="e", timeout=60)
        clock.advance(1_000)
        gates.open("blocker")
        await gates.entered("a")
        clock.advance(59)
        await nudge(client, "e")
        assert (await client.status("e")).state == "RUNNING"
        gates.open("a")
        assert (await client.wait("e")).state == "COMPLETED"


async def test_pauses_do_not_count_however_many(start_server: StartServer, gates: Gates) -> None:
    clock = HandClock()
    async with start_server(clock=clock) as client:
        await client.execute(chain("a"), execution_id="e", timeout=60)
        await gates.entered("a")
        for _ in range(5):
            clock.advance(11)
            await client.pause("e")
            clock.advance(1_000)
            await client.resume("e")
        assert (await client.status("e")).state == "RUNNING"
        clock.advance(6)
        await nudge(client, "e")
        assert late(await client.wait("e")) == ("FAILED", "DEADLINE_EXCEEDED", "a")


@pytest.mark.parametrize("paused", [False, True], ids=["running", "paused"])
async def test_what_ran_before_a_restart_counts_and_the_time_between_does_not(
    start_server: StartServer, gates: Gates, paused: bool
) -> None:
    """Although its one node outlasts every server and so is never recorded."""
    clock = HandClock()
    async with start_server(clock=clock, grace=0.01) as client:
        await client.execute(chain("a"), execution_id="e", timeout=60)
        await gates.entered("a")
    for round in range(3):
        clock.advance(10_000)
        async with start_server(clock=clock, grace=0.01) as client:
            if paused and round:
                await client.resume("e")
            async with asyncio.timeout(20):
                while gates.entries["a"] < round + 2:
                    assert (await client.status("e")).state == "RUNNING"
            clock.advance(19)
            if paused:
                await client.pause("e")
    async with start_server(clock=clock, grace=0.01) as client:
        if paused:
            await client.resume("e")
        async with asyncio.timeout(20):
            while gates.entries["a"] < 5:
                assert (await client.status("e")).state == "RUNNING"
        clock.advance(4)
        await nudge(client, "e")
        assert late(await client.wait("e")) == ("FAILED", "DEADLINE_EXCEEDED", "a")


async def test_a_long_node_does_not_keep_a_crash_from_counting(
    start_server: StartServer, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    """How long it ran is written every few seconds: what a crash forgets is bounded."""
    monkeypatch.setattr(deadline, "CHECKPOINT", 0.01)
    written: list[int] = []
    update = SqliteStore.update

    def noted(self: SqliteStore, change: UpdateExecution) -> Any:
        if change.ran_for is not None:
            written.append(change.ran_for)
        return update(self, change)

    monkeypatch.setattr(SqliteStore, "update", noted)
    clock = HandClock()
    async with start_server(clock=clock) as client:
        await client.execute(chain("a"), execution_id="e", timeout=60)
        await until_logged(client, "e", "node_started")
        clock.advance(50)
        async with asyncio.timeout(20):
            while not written or written[-1] < 50 * SECOND:
                await client.status("e")
        # And no more than that: a checkpoint is no entry in the log.
        assert await story(client, "e") == ["queued", "running", "a:started"]
        gates.open("a")
        assert (await client.wait("e")).state == "COMPLETED"


async def test_a_retry_of_what_was_late_has_all_its_time_again(start_server: StartServer, gates: Gates) -> None:
    clock = HandClock()
    async with start_server(clock=clock) as client:
        await client.execute(chain("a"), execution_id="e", timeout=60)
        await gates.entered("a")
        clock.advance(61)
        await nudge(client, "e")
        assert (await client.wait("e")).state == "FAILED"
        await client.retry("e")
        async with asyncio.timeout(20):
            while gates.entries["a"] < 2:
                await client.status("e")
        clock.advance(59)
        await nudge(client, "e")
        assert (await client.status("e")).state == "RUNNING"
        gates.open("a")
        assert (await client.wait("e")).state == "COMPLETED"


# Limits of the server


@pytest.mark.parametrize(
    ("own", "default", "most", "given"),
    [
        (None, None, None, None),
        (5, None, None, 5),
        (None, 60, None, 60),
        (5, 60, None, 5),
        (600, 60, None, 600),
        (None, None, 3600, 3600),
        (None, 60, 3600, 60),
        (3600, 60, 3600, 3600),
        (None, 7200, 3600, 3600),
    ],
)
async def test_the_servers_default_is_for_requests_without_a_timeout_and_never_above_its_maximum(
    start_server: StartServer, own: int | None, default: int | None, most: int | None, given: int | None
) -> None:
    limits = {"default_timeout": default and default * SECOND, "max_timeout": most and most * SECOND}
    async with start_server(**limits) as client:
        await client.execute(ECHO, execution_id="e", timeout=own)
        timeout = (await client.get("e")).timeout
        assert (timeout and timeout.total_seconds()) == given
        # The same request is the same, whatever the server fills in.
        await client.execute(ECHO, execution_id="e", timeout=own)
    async with start_server() as client:
        await client.execute(ECHO, execution_id="e", timeout=own)


async def test_the_default_takes_effect(start_server: StartServer) -> None:
    async with start_server(default_timeout=SECOND // 20) as client:
        await client.execute(chain("a"), execution_id="e")
        assert late(await client.wait("e")) == ("FAILED", "DEADLINE_EXCEEDED", "a")


@pytest.mark.parametrize(
    ("seconds", "why"),
    [(3601, "longer than the 3600 s that this server allows"), (0, "at least 1 ms"), (-1, "at least 1 ms")],
)
async def test_a_timeout_beyond_what_is_allowed_is_refused_and_nothing_is_stored(
    start_server: StartServer, seconds: int, why: str
) -> None:
    from execsvc_client import to_definition

    async with start_server(max_timeout=3600 * SECOND):
        channel = grpc.aio.insecure_channel(start_server.address)
        stubs = Stubs(channel)
        request = v1.ExecuteRequest(execution_id="e", definition=to_definition(workflow(a=transform("1"))))
        request.definition.nodes[0].output.SetInParent()
        request.timeout.FromSeconds(seconds)
        found = await refusal(stubs.executions.Execute(request))
        assert found.problems == {"timeout": "OUT_OF_RANGE"}
        assert why in found.message
        missing = await refusal(stubs.executions.GetStatus(v1.GetStatusRequest(execution_id="e")))
        assert missing.code == grpc.StatusCode.NOT_FOUND
        await channel.close()
