"""Nodes run as the data allows: asserted by gates, the order of the log, and the times of the journal."""

from __future__ import annotations

import pytest

from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.support.clocks import HandClock
from tests.support.logs import entries, story, until_logged
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, gate, node, output, transform, workflow


async def test_unequal_parallel_branches_do_not_wait_for_each_other(client: AsyncExecutionClient, gates: Gates) -> None:
    """The short branch's one node is let through only once the long branch has done all its three."""
    definition = workflow(
        "start > a1 > a2 > a3 > join",
        "start > b > join > out",
        start=node("input"),
        a1=gate("a"),
        a2=gate("a"),
        a3=gate("a"),
        b=gate("b"),
        join=transform("[nodes.a3, nodes.b]"),
        out=output(),
    )
    await client.execute(definition, execution_id="e")
    await gates.entered("b")
    gates.open("a")
    await until_logged(client, "e", "node_completed", node_id="a3")
    assert (await client.status("e")).running_nodes == ("b",)
    gates.open("b")
    execution = await client.wait("e")
    assert execution.output == ["a3", "b"]
    told = await story(client, "e")
    assert told.index("b:started") < told.index("a2:started") < told.index("a3:completed") < told.index("b:completed")
    long, short = execution.nodes["a3"], execution.nodes["b"]
    assert short.start_time <= execution.nodes["a1"].end_time <= long.end_time <= short.end_time  # type: ignore[operator]
    # The join starts when the later of both has ended, and nothing in between.
    assert execution.nodes["join"].start_time >= short.end_time  # type: ignore[operator]
    assert told[-4:] == ["b:completed", "join:completed", "out:completed", "completed"]


@pytest.mark.parametrize("value", [True, False])
async def test_the_branch_not_taken_is_skipped_to_its_end_and_the_join_does_not_wait(
    client: AsyncExecutionClient, gates: Gates, value: bool
) -> None:
    definition = workflow(
        "start > check >true> t1 > t2 > join > out",
        "check >false> f1 > inner >true> f2 > join",
        "inner >false> f3 > join",
        start=node("input"),
        check=node("condition", expression="input.value"),
        t1=gate("t"),
        t2=transform("'true'"),
        f1=gate("f"),
        inner=node("condition", expression="true"),
        f2=transform("'false'"),
        f3=transform("'never'"),
        join=transform("has(nodes.t2) ? nodes.t2 : nodes.f2"),
        out=output(),
    )
    gates.open("t", "f")
    await client.execute(definition, {"value": value}, execution_id="e")
    execution = await client.wait("e")
    assert execution.output == str(value).lower()
    states = {name: str(run.state) for name, run in execution.nodes.items()}
    taken, left = (["t1", "t2"], ["f1", "inner", "f2", "f3"]) if value else (["f1", "inner", "f2"], ["t1", "t2", "f3"])
    assert [states[name] for name in taken] == ["COMPLETED"] * len(taken)
    assert [states[name] for name in left] == ["SKIPPED"] * len(left)
    told = await story(client, "e")
    assert sorted(event for event in told if event.endswith(":skipped")) == sorted(f"{name}:skipped" for name in left)
    assert gates.entries == {"t" if value else "f": 1}


async def test_where_every_output_is_skipped_the_result_is_null(client: AsyncExecutionClient) -> None:
    definition = workflow(
        "check >a> x > out",
        check=node("condition", cases=[{"branch": "a", "expression": "false"}]),
        x=transform("1"),
        out=output(),
    )
    await client.execute(definition, execution_id="e")
    execution = await client.wait("e")
    assert (execution.state, execution.output, execution.status.progress) == ("COMPLETED", None, 1.0)
    assert execution.nodes["out"].state == "SKIPPED"


async def test_a_thousand_nodes_side_by_side_all_run_at_once(client: AsyncExecutionClient, gates: Gates) -> None:
    names = [f"n{i}" for i in range(1_000)]
    definition = workflow(
        *(f"start > {name} > join" for name in names),
        "join > out",
        start=node("input"),
        **{name: gate("wide") for name in names[:-1]},
        **{names[-1]: gate("last")},
        join=transform("size(nodes)"),
        out=output(),
    )
    await client.execute(definition, execution_id="e")
    # The last of them runs although none of the others has ended.
    await gates.entered("last")
    assert gates.entries["wide"] == 999
    gates.open("wide", "last")
    execution = await client.wait("e")
    assert execution.output == 1_001
    assert gates.entries == {"wide": 999, "last": 1}


async def test_a_chain_of_three_thousand_nodes_completes(client: AsyncExecutionClient) -> None:
    names = [f"n{i}" for i in range(3_000)]
    nodes = {name: transform(f"nodes.n{i} + 1" if i >= 0 else "1") for i, name in enumerate(names, start=-1)}
    await client.execute(workflow(" > ".join([*names, "out"]), **nodes, out=output()), execution_id="e")
    execution = await client.wait("e")
    assert execution.output == 3_000
    assert len(await story(client, "e")) == 3_004


async def test_a_failing_node_fails_the_execution_cancels_what_is_in_flight_and_keeps_what_is_recorded(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    definition = workflow(
        "done > slow > out",
        "done > bad > out",
        "done > after > out",
        done=gate("done", value={"kept": 1}),
        slow=gate("slow"),
        bad=gate("bad", fail_with="BROKEN", failures=1, retryable=False),
        after=transform("1"),
        out=output("1"),
    )
    gates.open("done")
    await client.execute(definition, execution_id="e")
    await gates.entered("slow")
    await gates.entered("bad")
    gates.open("bad")
    execution = await client.wait("e")
    assert execution.state == "FAILED"
    assert execution.error is not None
    assert (execution.error.node_id, execution.error.type) == ("bad", "BROKEN")
    assert (execution.error.message, execution.error.attempt, execution.error.retryable) == (
        "attempt 1 fails",
        1,
        False,
    )
    assert "'bad'" in execution.status.message
    assert gates.cancelled == {"slow": 1}
    assert {name: str(run.state) for name, run in execution.nodes.items()} == {
        "done": "COMPLETED",
        "slow": "CANCELLED",
        "bad": "FAILED",
        "after": "COMPLETED",
        "out": "PENDING",
    }
    assert execution.nodes["done"].output == {"kept": 1}
    errors = await entries(client, "e", min_level="ERROR")
    assert [entry.node_id for entry in errors] == ["bad", ""]
    assert all("BROKEN" in entry.message for entry in errors)


async def test_on_error_continue_goes_on_with_the_fallback_and_says_so(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    gates.open("g")
    definition = workflow(
        "bad > pure > out",
        bad=gate("g", fail_with="BROKEN", failures=9, on_error={"action": "continue", "fallback": {"n": 5}}),
        pure=transform("[1][nodes.bad.n]", on_error={"action": "continue", "fallback": 7}),
        out=output("[nodes.bad.n, nodes.pure]"),
    )
    await client.execute(definition, execution_id="e")
    execution = await client.wait("e")
    assert (execution.state, execution.output) == ("COMPLETED", [5, 7])
    for name, kind in (("bad", "BROKEN"), ("pure", "EXPRESSION_FAILED")):
        run = execution.nodes[name]
        assert run.state == "COMPLETED"
        assert run.error is not None
        assert run.error.type == kind
    warnings = await entries(client, "e", min_level="WARNING")
    assert [(entry.node_id, entry.level) for entry in warnings] == [("bad", "WARNING"), ("pure", "WARNING")]


async def test_every_attempt_of_a_retry_is_recorded_with_its_own_number_and_key(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    gates.open("g")
    retry = {"max_attempts": 4, "initial_backoff": "0.001s", "multiplier": 2, "max_backoff": "0.01s"}
    definition = workflow("a > out", a=gate("g", fail_with="FLAKY", failures=3, retry=retry), out=output())
    await client.execute(definition, execution_id="e")
    execution = await client.wait("e")
    assert (execution.state, execution.output, execution.nodes["a"].attempt) == ("COMPLETED", "a", 4)
    assert execution.nodes["a"].error is None
    assert gates.keys == [f"{execution.uid}/a/{attempt}" for attempt in (1, 2, 3, 4)]
    log = [entry for entry in await entries(client, "e") if entry.node_id == "a"]
    assert [(entry.attempt, entry.metadata["event"]) for entry in log] == [
        (1, "node_started"),
        (1, "node_retry"),
        (2, "node_started"),
        (2, "node_retry"),
        (3, "node_started"),
        (3, "node_retry"),
        (4, "node_started"),
        (4, "node_completed"),
    ]
    assert all(entry.level == "WARNING" for entry in log if entry.metadata["event"] == "node_retry")
    delays = [entry.metadata["delay_ms"] for entry in log if entry.metadata["event"] == "node_retry"]
    assert all(low <= delay <= 10.5 for low, delay in zip((1, 2, 4), delays, strict=True))


@pytest.mark.parametrize(
    ("config", "attempts"),
    [
        ({"failures": 9, "fail_with": "FLAKY", "retry": {"max_attempts": 3, "initial_backoff": "0.001s"}}, 3),
        ({"failures": 9, "fail_with": "FLAKY", "retryable": False, "retry": {"max_attempts": 3}}, 1),
        ({"failures": 9, "fail_with": "FLAKY", "retry": {"max_attempts": 3, "non_retryable": ["FLAKY"]}}, 1),
        ({"failures": 9, "fail_with": "FLAKY"}, 1),
    ],
    ids=["all attempts fail", "cannot succeed", "excluded", "no policy"],
)
async def test_the_last_failed_attempt_fails_the_execution(
    client: AsyncExecutionClient, gates: Gates, config: dict[str, object], attempts: int
) -> None:
    gates.open("g")
    await client.execute(workflow("a > out", a=gate("g", **config), out=output()), execution_id="e")
    execution = await client.wait("e")
    assert execution.state == "FAILED"
    assert execution.error is not None
    assert (execution.error.type, execution.error.attempt) == ("FLAKY", attempts)
    assert gates.entries["g"] == attempts


async def test_a_pause_during_a_backoff_frees_the_slot_and_the_next_attempt_comes_after_the_resume(
    start_server: StartServer, gates: Gates
) -> None:
    clock = HandClock()
    async with start_server(clock=clock, max_concurrent=1) as client:
        gates.open("g")
        retry = {"max_attempts": 2, "initial_backoff": "3600s", "max_backoff": "3600s"}
        definition = workflow("a > out", a=gate("g", fail_with="FLAKY", failures=1, retry=retry), out=output())
        await client.execute(definition, execution_id="e")
        await until_logged(client, "e", "node_retry")
        assert (await client.pause("e")).state == "PAUSED"
        await client.execute(ECHO, execution_id="other")
        await client.wait("other")
        execution = await client.get("e")
        assert (execution.nodes["a"].state, execution.nodes["a"].attempt) == ("PENDING", 1)
        clock.advance(3601)
        await client.resume("e")
        execution = await client.wait("e")
        assert (execution.state, execution.nodes["a"].attempt) == ("COMPLETED", 2)
        assert gates.keys == [f"{execution.uid}/a/1", f"{execution.uid}/a/2"]


async def test_a_node_past_its_timeout_is_cut_off_and_may_be_repeated(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    retry = {"max_attempts": 2, "initial_backoff": "0.001s"}
    for stubborn in (False, True):
        execution_id = f"e{stubborn}"
        definition = workflow(
            "a > out", a=gate(execution_id, timeout="0.02s", retry=retry, stubborn=stubborn), out=output()
        )
        await client.execute(definition, execution_id=execution_id)
        execution = await client.wait(execution_id)
        assert execution.state == "FAILED"
        assert execution.error is not None
        assert (execution.error.type, execution.error.node_id, execution.error.attempt) == ("NODE_TIMEOUT", "a", 2)
        assert "0.02 s" in execution.error.message
        assert execution.error.retryable
        gates.open(execution_id)


@pytest.mark.parametrize("stubborn", [False, True])
async def test_an_execution_past_its_timeout_fails_and_names_the_node_it_was_at(
    client: AsyncExecutionClient, gates: Gates, stubborn: bool
) -> None:
    definition = workflow("b > c > out", b=gate("b", stubborn=stubborn), c=gate("c"), out=output())
    await client.execute(definition, execution_id="e", timeout=0.05)
    execution = await client.wait("e")
    assert execution.state == "FAILED"
    assert execution.error is not None
    assert (execution.error.type, execution.error.node_id) == ("DEADLINE_EXCEEDED", "b")
    assert "0.05 s" in execution.error.message
    assert "b" in execution.status.message
    # PENDING where it had not even begun.
    assert execution.nodes["b"].state in ("CANCELLED", "PENDING")
    assert gates.entries["c"] == 0
    gates.open("b")


async def test_while_paused_the_deadline_stands_still(start_server: StartServer, gates: Gates) -> None:
    clock = HandClock()
    async with start_server(clock=clock) as client:
        for execution_id in ("in place", "anew"):
            name = execution_id.replace(" ", "-")
            await client.execute(chain(f"{name}1", f"{name}2"), execution_id=name, timeout=600)
            await gates.entered(f"{name}1")
            clock.advance(500)
            await client.pause(name)
            if execution_id == "anew":
                gates.open(f"{name}1")
                await until_logged(client, name, "node_completed")
            clock.advance(10_000)
            await client.resume(name)
            gates.open(f"{name}1", f"{name}2")
            assert (await client.wait(name)).state == "COMPLETED"


async def test_time_before_a_pause_and_a_restart_counts(start_server: StartServer, gates: Gates) -> None:
    clock = HandClock()
    async with start_server(clock=clock) as client:
        for name in ("a", "b"):
            await client.execute(chain(name, "next"), execution_id=name, timeout=600)
            await gates.entered(name)
        clock.advance(601)
        await client.pause("a")
        await client.resume("a")
        execution = await client.wait("a")
        assert execution.error is not None
        assert (execution.error.type, execution.error.node_id) == ("DEADLINE_EXCEEDED", "a")
        await client.pause("b")
        gates.open("b")
        await until_logged(client, "b", "node_completed")
    clock.advance(10_000)
    async with start_server(clock=clock) as client:
        await client.resume("b")
        execution = await client.wait("b")
        assert execution.error is not None
        assert (execution.error.type, execution.error.node_id) == ("DEADLINE_EXCEEDED", "next")
        assert gates.entries["next"] <= 1


async def test_times_never_run_backwards(client: AsyncExecutionClient, gates: Gates) -> None:
    gates.open("a", "b")
    await client.execute(chain("a", "b"), execution_id="e")
    execution = await client.wait("e")
    status = execution.status
    times = [status.create_time, status.start_time]
    for run in execution.nodes.values():
        times += [run.start_time, run.end_time]
    times.append(status.end_time)
    assert times == sorted(times)  # type: ignore[type-var]
    stamps = [entry.time for entry in await entries(client, "e")]
    assert stamps == sorted(stamps)
