"""Attempts of nodes, and executions that begin anew from what failed."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest

from execsvc.service import Limits
from execsvc_client import AlreadyExists, AsyncExecutionClient, Execution, FailedPrecondition, v1
from tests.integration.conftest import StartServer, Stubs
from tests.servers import ChatServer
from tests.support.clocks import HandClock
from tests.support.logs import entries, story, until_logged
from tests.support.nodes import Gates
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, chain, gate, node, output, transform, workflow

QUICK = {"initial_backoff": "0.001s"}
LONG = {"initial_backoff": "3600s", "max_backoff": "3600s"}


def one(name: str = "a", **config: Any) -> dict[str, Any]:
    """A workflow of one gate."""
    return workflow("a > out", a=gate(name, **config), out=output())


def fails(name: str = "a", failures: int = 999, **config: Any) -> dict[str, Any]:
    """A workflow of one gate that fails so many times."""
    return one(name, fail_with="FLAKY", failures=failures, **config)


@pytest.fixture
def chat(tmp_path: Path) -> Iterator[ChatServer]:
    with ChatServer(tmp_path / "requests.jsonl") as server:
        yield server


def retry(execution_id: str = "e", **fields: Any) -> v1.ControlRequest:
    message = v1.ControlRequest(execution_id=execution_id, **fields)
    message.retry.SetInParent()
    return message


def attempts_logged(log: list[Any]) -> list[tuple[int, str]]:
    return [(entry.attempt, entry.metadata["event"]) for entry in log if entry.node_id == "a"]


# Attempts


async def test_tokens_of_failed_attempts_are_counted_with_the_others(
    start_server: StartServer, chat: ChatServer
) -> None:
    def asks(attempts: int) -> dict[str, Any]:
        schema = {"type": "object", "required": ["answer"]}
        policy = {"max_attempts": attempts, **QUICK}
        ask = node("llm", model="openai:json-wrong", base_url=chat.base_url, prompt="hi", response_schema=schema)
        return workflow("a > out", a={**ask, "retry": policy}, out=output())

    async with start_server() as client:
        for execution_id, attempts in (("once", 1), ("twice", 2)):
            await client.execute(asks(attempts), execution_id=execution_id)
            assert (await client.wait(execution_id)).state == "FAILED"
        await client.retry("twice")
        assert (await client.wait("twice")).state == "FAILED"
        once, twice = (await client.get("once")).usage, (await client.get("twice")).usage
    assert once is not None
    assert twice is not None
    assert once.total_tokens > 0
    assert twice.total_tokens == 4 * once.total_tokens


@pytest.mark.parametrize(
    ("own", "default", "attempts"),
    [
        (None, None, 1),
        (None, {"max_attempts": 3, **QUICK}, 3),
        ({"max_attempts": 2, **QUICK}, {"max_attempts": 3, **QUICK}, 2),
        ({"max_attempts": 1}, {"max_attempts": 3, **QUICK}, 1),
        ({}, {"max_attempts": 3, **QUICK}, 1),
        (None, {"max_attempts": 3, "non_retryable": ["FLAKY"], **QUICK}, 1),
        ({"max_attempts": 3, "non_retryable": ["OTHER"], **QUICK}, None, 3),
        (None, {}, 1),
    ],
)
@pytest.mark.parametrize("restarted", [False, True], ids=["", "after a restart"])
async def test_a_nodes_own_policy_counts_else_that_of_the_request_else_one_attempt(
    start_server: StartServer, gates: Gates, own: Any, default: Any, attempts: int, restarted: bool
) -> None:
    """After a restart both come from the database."""
    config = {} if own is None else {"retry": own}
    async with start_server(grace=0.01) as client:
        await client.execute(fails(**config), execution_id="e", retry=default)
        await gates.entered("a")
        if not restarted:
            gates.open("a")
            await client.wait("e")
    gates.open("a")
    async with start_server() as client:
        execution = await client.wait("e")
        assert execution.state == "FAILED"
        assert execution.error is not None
        assert (execution.error.type, execution.error.attempt) == ("FLAKY", attempts)
        assert execution.nodes["a"].attempt == attempts


async def test_the_request_default_is_for_nodes_with_effects_only(client: AsyncExecutionClient) -> None:
    definition = workflow("a > out", a=transform("[1][input.n]"), out=output())
    await client.execute(definition, {"n": 7}, execution_id="e", retry={"max_attempts": 5, **QUICK})
    execution = await client.wait("e")
    assert (execution.state, execution.nodes["a"].attempt) == ("FAILED", 1)


async def test_the_request_default_comes_back_in_the_record(client: AsyncExecutionClient, stubs: Stubs) -> None:
    await client.execute(ECHO, execution_id="e", retry={"max_attempts": 3, "non_retryable": ["X"], **QUICK})
    await client.execute(ECHO, execution_id="none")
    record = (await stubs.executions.GetExecution(v1.GetExecutionRequest(execution_id="e"))).execution
    assert (record.retry.max_attempts, list(record.retry.non_retryable)) == (3, ["X"])
    assert record.retry.initial_backoff.ToMicroseconds() == 1_000
    none = (await stubs.executions.GetExecution(v1.GetExecutionRequest(execution_id="none"))).execution
    assert not none.HasField("retry")


@pytest.mark.parametrize(
    ("policy", "path"),
    [
        ({"max_attempts": 101}, "retry.max_attempts"),
        ({"max_attempts": -1}, "retry.max_attempts"),
        ({"multiplier": 0.5}, "retry.multiplier"),
        ({"multiplier": float("nan")}, "retry.multiplier"),
        ({"non_retryable": [""]}, "retry.non_retryable"),
    ],
)
async def test_a_default_that_makes_no_sense_is_refused_with_its_path(
    stubs: Stubs, policy: dict[str, Any], path: str
) -> None:
    from execsvc_client import to_definition

    request = v1.ExecuteRequest(definition=to_definition(ECHO), retry=v1.RetryPolicy(**policy))
    found = await refusal(stubs.executions.Execute(request))
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert path in found.problems


async def test_another_default_is_another_request(client: AsyncExecutionClient) -> None:
    await client.execute(ECHO, execution_id="e", retry={"max_attempts": 2})
    with pytest.raises(AlreadyExists):
        await client.execute(ECHO, execution_id="e", retry={"max_attempts": 3})
    await client.execute(ECHO, execution_id="e", retry={"max_attempts": 2})


async def test_each_attempt_is_in_journal_and_log_and_the_last_goes_on_with_the_fallback(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    gates.open("a")
    on_error = {"action": "continue", "fallback": {"n": 7}}
    await client.execute(fails(retry={"max_attempts": 3, **QUICK}, on_error=on_error), execution_id="e")
    execution = await client.wait("e")
    assert (execution.state, execution.output) == ("COMPLETED", {"n": 7})
    run = execution.nodes["a"]
    assert (run.state, run.attempt, run.output) == ("COMPLETED", 3, {"n": 7})
    assert run.error is not None
    assert (run.error.type, run.error.attempt, run.error.message) == ("FLAKY", 3, "attempt 3 fails")
    log = await entries(client, "e")
    assert attempts_logged(log) == [
        (1, "node_started"),
        (1, "node_retry"),
        (2, "node_started"),
        (2, "node_retry"),
        (3, "node_started"),
        (3, "node_failed"),
    ]
    assert [entry.level for entry in log if entry.metadata["event"] in ("node_retry", "node_failed")] == ["WARNING"] * 3
    assert [entry.message for entry in log if entry.metadata["event"] == "node_failed"] == [
        "a: failed with FLAKY: attempt 3 fails; goes on with its fallback"
    ]


async def test_between_two_attempts_the_journal_says_what_the_last_one_failed_of(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    gates.open("a")
    await client.execute(fails(retry={"max_attempts": 3, **LONG}), execution_id="e")
    await until_logged(client, "e", "node_retry")
    execution = await client.get("e")
    run = execution.nodes["a"]
    assert (execution.state, run.state, run.attempt) == ("RUNNING", "PENDING", 1)
    assert run.error is not None
    assert run.error.message == "attempt 1 fails"
    assert execution.status.running_nodes == ()
    entry = (await entries(client, "e"))[-1]
    assert "attempt 1 of 3 failed with FLAKY: attempt 1 fails; next in " in entry.message


async def test_a_stop_cuts_a_retry_wait_and_frees_the_slot(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1) as client:
        gates.open("a")
        await client.execute(fails(retry={"max_attempts": 3, **LONG}), execution_id="e")
        await until_logged(client, "e", "node_retry")
        assert (await client.stop("e")).state == "STOPPED"
        await client.execute(ECHO, execution_id="next")
        assert (await client.wait("next")).state == "COMPLETED"
        assert gates.entries["a"] == 1
        assert (await story(client, "e"))[-1] == "stopped"


async def test_another_nodes_failure_cuts_a_retry_wait(client: AsyncExecutionClient, gates: Gates) -> None:
    definition = workflow(
        "a > out",
        "b > out",
        a=gate("a", fail_with="FLAKY", failures=1, retry={"max_attempts": 2, **LONG}),
        b=gate("b", fail_with="BROKEN", failures=1, retryable=False),
        out=output(),
    )
    gates.open("a")
    await client.execute(definition, execution_id="e")
    await until_logged(client, "e", "node_retry")
    gates.open("b")
    execution = await client.wait("e")
    assert execution.error is not None
    assert execution.error.node_id == "b"
    assert gates.entries["a"] == 1


@pytest.mark.parametrize("how", ["pause", "restart", "pause and restart"])
async def test_a_retry_wait_goes_on_after_a_pause_or_a_restart(
    start_server: StartServer, gates: Gates, how: str
) -> None:
    """Whoever asked for the wait, a provider for one, asked for all of it."""
    clock = HandClock()
    gates.open("a")
    async with start_server(clock=clock) as client:
        await client.execute(fails(failures=1, retry={"max_attempts": 2, **LONG}), execution_id="e")
        await until_logged(client, "e", "node_retry")
        if "pause" in how:
            await client.pause("e")
        if how == "pause":
            await client.resume("e")
            await client.execute(ECHO, execution_id="other")
            await client.wait("other")
            assert gates.entries["a"] == 1
            clock.advance(3601)
            await client.pause("e")
            await client.resume("e")
            assert (await client.wait("e")).state == "COMPLETED"
            return
    clock.advance(1800)
    async with start_server(clock=clock) as client:
        if "pause" in how:
            await client.resume("e")
        await client.execute(ECHO, execution_id="other")
        await client.wait("other")
        execution = await client.get("e")
        assert (execution.state, execution.nodes["a"].state, gates.entries["a"]) == ("RUNNING", "PENDING", 1)
    clock.advance(1801)
    async with start_server(clock=clock) as client:
        execution = await client.wait("e")
        assert (execution.state, execution.nodes["a"].attempt) == ("COMPLETED", 2)
        assert gates.keys == [f"{execution.uid}/a/1", f"{execution.uid}/a/2"]


async def test_attempts_made_before_a_restart_count(start_server: StartServer, gates: Gates) -> None:
    policy = {"max_attempts": 3, **QUICK}
    async with start_server(grace=0.01) as client:
        definition = workflow(
            "a > out", a=gate("a", fail_with="FLAKY", failures=99, retry=policy), b=gate("b"), out=output()
        )
        definition["edges"].append({"source": "b", "target": "out"})
        await client.execute(definition, execution_id="e")
        await gates.entered("a")
    async with start_server(grace=0.01) as client:
        # Cut off in attempt 1, which is made again and does not count twice.
        gates.open("a")
        execution = await client.wait("e")
        assert execution.error is not None
        assert execution.error.attempt == 3
        assert [key.rpartition("/")[2] for key in gates.keys if "/a/" in key] == ["1", "1", "2", "3"]


# Control.retry


SPLIT = workflow(
    "start > done > late > out",
    "start > bad > late",
    "start > long > late",
    start=node("input"),
    done=gate("done"),
    bad=gate("bad", fail_with="BROKEN", failures=1, retryable=False),
    long=gate("long"),
    late=transform("{'n': input.n, 'done': nodes.done}"),
    out=output(),
)


@pytest.mark.parametrize("end", ["FAILED", "STOPPED"])
async def test_finished_nodes_keep_their_results_and_all_others_run(
    client: AsyncExecutionClient, gates: Gates, end: str
) -> None:
    gates.open("done")
    await client.execute(SPLIT, {"n": 1}, execution_id="e")
    await gates.entered("long")
    await until_logged(client, "e", "node_completed", node_id="done")
    if end == "FAILED":
        gates.open("bad")
        failed = await client.wait("e")
        assert failed.error is not None
    else:
        await client.stop("e")
        failed = await client.wait("e")
    assert failed.state == end
    assert failed.nodes["long"].state == "CANCELLED"
    gates.open("bad", "long")
    status = await client.retry("e", "once more")
    assert status.state == "PENDING"
    assert status.end_time is None
    assert status.progress == failed.status.progress
    execution = await client.wait("e")
    if end == "STOPPED":
        # Its first attempt was cut off and so did not fail; the second is the first that comes through.
        assert gates.entries["bad"] == 2
    assert (execution.state, execution.output) == ("COMPLETED", {"n": 1, "done": "done"})
    assert execution.error is None
    assert execution.status.end_time is not None
    assert execution.status.end_time >= (failed.status.end_time or execution.status.end_time)
    assert execution.status.start_time == failed.status.start_time
    assert execution.nodes["done"] == failed.nodes["done"]
    assert gates.entries["done"] == 1
    assert (execution.nodes["long"].attempt, execution.nodes["bad"].attempt) == (2, 2)
    assert execution.nodes["bad"].error is None
    told = await story(client, "e")
    assert told.count("retried") == 1
    assert [entry.message for entry in await entries(client, "e") if entry.metadata.get("reason") == "once more"] == [
        "execution retried: once more"
    ]


async def test_in_between_it_has_neither_end_nor_error_and_its_failed_nodes_are_pending(
    start_server: StartServer, gates: Gates
) -> None:
    gates.open("a")
    async with start_server(max_concurrent=1) as client:
        await client.execute(fails(retryable=False), execution_id="e")
        await client.wait("e")
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        await client.retry("e")
        execution = await client.get("e")
        assert (execution.state, execution.error, execution.status.end_time) == ("PENDING", None, None)
        run = execution.nodes["a"]
        assert (run.state, run.attempt, run.error, run.end_time) == ("PENDING", 1, None, None)
        assert execution.status.message == "waiting for a slot, place 1 of 1"
        # It is listed as such.
        assert [e.execution_id async for e in client.list_executions("state = PENDING")] == ["e"]
        assert "e" not in [e.execution_id async for e in client.list_executions(order_by="end_time")]
        gates.open("blocker")
        await client.wait("e")


async def test_attempts_go_on_counting_and_the_policy_begins_anew(client: AsyncExecutionClient, gates: Gates) -> None:
    gates.open("a")
    await client.execute(fails(retry={"max_attempts": 2, **QUICK}), execution_id="e")
    assert (await client.wait("e")).nodes["a"].attempt == 2
    await client.retry("e")
    execution = await client.wait("e")
    assert (execution.state, execution.nodes["a"].attempt) == ("FAILED", 4)
    assert execution.error is not None
    assert execution.error.attempt == 4
    assert gates.keys == [f"{execution.uid}/a/{attempt}" for attempt in (1, 2, 3, 4)]
    log = await entries(client, "e")
    assert [entry.message.partition(" failed")[0] for entry in log if entry.metadata["event"] == "node_retry"] == [
        "a: attempt 1 of 2",
        "a: attempt 3 of 4",
    ]
    delays = [entry.metadata["delay_ms"] for entry in log if entry.metadata["event"] == "node_retry"]
    # The wait begins anew as well.
    assert all(1 <= delay <= 1.5 for delay in delays)


async def test_hundreds_of_attempts_do_not_overflow_the_wait(client: AsyncExecutionClient, gates: Gates) -> None:
    gates.open("a")
    policy = {"max_attempts": 40, "initial_backoff": "0s", "multiplier": 1000, "max_backoff": "0s"}
    await client.execute(fails(retry=policy), execution_id="e")
    for round in range(1, 5):
        execution = await client.wait("e")
        assert execution.error is not None
        assert (execution.error.type, execution.error.attempt) == ("FLAKY", 40 * round)
        await client.retry("e")
    await client.wait("e")


async def test_a_policy_that_began_anew_is_kept_where_an_attempt_is_cut_off(
    start_server: StartServer, gates: Gates
) -> None:
    gates.open("a")
    async with start_server(grace=0.01) as client:
        await client.execute(fails(retry={"max_attempts": 3, **QUICK}), execution_id="e")
        assert (await client.wait("e")).nodes["a"].attempt == 3
        gates.close("a")
        await client.retry("e")
        async with asyncio.timeout(20):
            while gates.entries["a"] < 4:
                await client.status("e")
    gates.open("a")
    async with start_server() as client:
        execution = await client.wait("e")
        assert (execution.state, execution.nodes["a"].attempt) == ("FAILED", 6)


async def test_a_policy_that_began_anew_is_kept_over_a_restart_between_two_attempts(
    start_server: StartServer, gates: Gates
) -> None:
    clock = HandClock()
    gates.open("a")
    async with start_server(clock=clock) as client:
        await client.execute(fails(retry={"max_attempts": 2, **LONG}), execution_id="e")
        await _until_attempts(client, "e", 1)
        await client.stop("e")
        await client.retry("e")
        # The first of two.
        await _until_attempts(client, "e", 2)
    clock.advance(4_000)
    async with start_server(clock=clock) as client:
        execution = await client.wait("e")
        assert (execution.state, execution.nodes["a"].attempt) == ("FAILED", 3)


async def _until_attempts(client: AsyncExecutionClient, execution_id: str, attempts: int) -> Execution:
    async with asyncio.timeout(20):
        while True:
            execution = await client.get(execution_id)
            run = execution.nodes["a"]
            if run.attempt == attempts and run.state == "PENDING" and run.error is not None:
                return execution


async def test_a_pure_node_that_failed_counts_its_attempts_too(client: AsyncExecutionClient) -> None:
    definition = workflow("a > out", a=transform("[1][input.n]"), out=output())
    await client.execute(definition, {"n": 7}, execution_id="e")
    await client.wait("e")
    await client.retry("e")
    execution = await client.wait("e")
    assert execution.error is not None
    assert (execution.nodes["a"].attempt, execution.error.attempt) == (2, 2)


async def test_a_new_input_reaches_only_nodes_that_have_not_run(client: AsyncExecutionClient, gates: Gates) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    definition = workflow(
        "start > first > bad > out",
        start=node("input", schema=schema, defaults={"extra": 1}),
        first=transform("input.n"),
        bad=gate("bad", fail_with="BROKEN", failures=1, retryable=False),
        out=output("[nodes.first, input.n, input.extra]"),
    )
    gates.open("bad")
    await client.execute(definition, {"n": 1}, execution_id="e")
    assert (await client.wait("e")).state == "FAILED"
    await client.retry("e", input={"n": 2})
    execution = await client.wait("e")
    assert (execution.state, execution.output) == ("COMPLETED", [1, 2, 1])
    assert execution.input == {"n": 2}
    assert gates.entries["bad"] == 2


async def test_without_a_new_input_the_old_one_stays(client: AsyncExecutionClient, gates: Gates) -> None:
    gates.open("a")
    definition = workflow(
        "start > a > out",
        start=node("input"),
        a=gate("a", fail_with="BROKEN", failures=1, retryable=False),
        out=output("input"),
    )
    await client.execute(definition, {"n": 1}, execution_id="e")
    await client.wait("e")
    await client.retry("e")
    assert (await client.wait("e")).output == {"n": 1}


async def test_a_new_input_is_checked_like_the_first_under_its_own_path(
    start_server: StartServer, client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
    definition = workflow("start > a > out", start=node("input", schema=schema), a=gate("a"), out=output())
    await client.execute(definition, {"n": 1}, execution_id="e")
    await client.stop("e")
    before = await client.get("e")

    async def problems(**given: Any) -> dict[str, str]:
        request = retry()
        request.retry.input.update(given)
        found = await refusal(stubs.executions.Control(request))
        assert found.code == grpc.StatusCode.INVALID_ARGUMENT
        return found.problems

    assert list(await problems(n="x")) == ["retry.input.n"]
    assert [path for path in await problems(m=1) if path.startswith("retry.input")]
    assert list(await problems(n=float("nan"))) == ["retry.input.n"]
    no_kind = retry()
    no_kind.retry.input.fields["n"].Clear()
    assert list((await refusal(stubs.executions.Control(no_kind))).problems) == ["retry.input.n"]
    large = retry()
    large.retry.input.update({"n": 1, "x": "y" * Limits().input_bytes})
    found = await refusal(stubs.executions.Control(large))
    assert (found.code, found.info.metadata["path"]) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "retry.input")
    assert await client.get("e") == before


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "PAUSED", "COMPLETED"])
async def test_only_what_has_failed_or_was_stopped_can_be_retried(
    start_server: StartServer, gates: Gates, state: str
) -> None:
    async with start_server(max_concurrent=1) as client:
        if state == "PENDING":
            await client.execute(chain("blocker"), execution_id="blocker")
            await gates.entered("blocker")
        await client.execute(ECHO if state == "COMPLETED" else chain("a"), execution_id="e")
        if state == "COMPLETED":
            await client.wait("e")
        elif state != "PENDING":
            await until_logged(client, "e", "node_started")
            if state == "PAUSED":
                await client.pause("e")
        before = await entries(client, "e")
        with pytest.raises(FailedPrecondition) as refused:
            await client.retry("e")
        assert (refused.value.reason, refused.value.state) == ("ILLEGAL_TRANSITION", state)
        assert refused.value.metadata["allowed_from"] == "FAILED,STOPPED"
        assert await entries(client, "e") == before
        gates.open("blocker", "a")


async def test_a_repeated_request_id_retries_once(client: AsyncExecutionClient, gates: Gates) -> None:
    gates.open("a")
    await client.execute(fails(retryable=False), execution_id="e")
    await client.wait("e")
    first = await client.retry("e", request_id="r")
    await client.wait("e")
    assert await client.retry("e", request_id="r") == first
    assert (await client.status("e")).state == "FAILED"
    assert gates.entries["a"] == 2
    with pytest.raises(AlreadyExists):
        await client.stop("e", request_id="r")


async def test_many_retries_at_once_begin_anew_once(client: AsyncExecutionClient, gates: Gates) -> None:
    await client.execute(one(), execution_id="e")
    await gates.entered("a")
    await client.stop("e")

    async def again() -> str:
        try:
            return (await client.retry("e")).state
        except FailedPrecondition as refused:
            return f"refused: {refused.reason}"

    answers = await asyncio.gather(*(again() for _ in range(5)))
    assert sorted(answers) == ["PENDING", *["refused: ILLEGAL_TRANSITION"] * 4]
    gates.open("a")
    assert (await client.wait("e")).state == "COMPLETED"
    assert gates.entries["a"] <= 2


async def test_stop_and_retry_in_quick_succession_leave_one_run(client: AsyncExecutionClient, gates: Gates) -> None:
    for round in range(20):
        execution_id = f"e{round}"
        await client.execute(one(f"g{round}"), execution_id=execution_id)
        for _ in range(3):
            await client.stop(execution_id)
            await client.retry(execution_id)
        gates.open(f"g{round}")
        execution = await client.wait(execution_id)
        assert execution.state == "COMPLETED"
        assert (await story(client, execution_id)).count("a:completed") == 1
        # Each attempt had a number of its own.
        own = [key for key in gates.keys if key.startswith(execution.uid)]
        assert len(set(own)) == len(own)


async def test_a_retry_is_there_after_a_restart(start_server: StartServer, gates: Gates) -> None:
    async with start_server(grace=0.01) as client:
        await client.execute(chain("a", "b"), {"n": 1}, execution_id="e")
        gates.open("a")
        await gates.entered("b")
        await client.stop("e")
        await client.retry("e", input={"n": 2})
    gates.open("b")
    async with start_server() as client:
        assert start_server.recovered == 1
        execution = await client.wait("e")
        assert (execution.state, execution.input) == ("COMPLETED", {"n": 2})
        assert gates.entries["a"] == 1
