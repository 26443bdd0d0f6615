"""Execute acknowledges what is stored, takes each id once, and gives back what it was given."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from execsvc.app import Settings
from execsvc_client import (
    AlreadyExists,
    AsyncExecutionClient,
    ExecutionState,
    NotFound,
    ResourceExhausted,
    to_definition,
    v1,
)
from tests.integration.conftest import StartServer, Stubs
from tests.support.logs import entries, story, told, until_logged
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, gate, node, output, transform, workflow


async def test_an_acknowledged_execution_is_there_after_a_restart(start_server: StartServer, gates: Gates) -> None:
    async with start_server(grace=0.0) as client:
        answered = [await client.execute(chain("a"), execution_id=f"e{i}") for i in range(20)]
    async with start_server() as client:
        for status in answered:
            found = await client.status(status.execution_id)
            assert found.create_time == status.create_time
            assert found.state in ("PENDING", "RUNNING")
        gates.open("a")
        for status in answered:
            assert (await client.wait(status.execution_id)).state == "COMPLETED"


async def test_the_answer_says_pending(client: AsyncExecutionClient) -> None:
    status = await client.execute(ECHO, execution_id="e", workflow_id="w")
    assert (status.execution_id, status.workflow_id, status.state, status.progress) == ("e", "w", "PENDING", 0.0)
    assert status.start_time is None
    assert status.end_time is None


@pytest.mark.parametrize("state", ["PENDING", "RUNNING", "PAUSED", "COMPLETED", "FAILED", "STOPPED"])
async def test_the_same_request_again_answers_the_execution_in_whatever_state_it_is(
    start_server: StartServer, gates: Gates, state: str
) -> None:
    failing = workflow("a > out", a=transform("[1][input.n]"), out=output())
    definition = {"COMPLETED": ECHO, "FAILED": failing}.get(state, chain("a"))
    async with start_server(max_concurrent=1) as client:
        if state == "PENDING":
            await client.execute(chain("blocker"), execution_id="blocker")
            await gates.entered("blocker")
        await client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "b"})
        if state in ("COMPLETED", "FAILED"):
            await client.wait("e")
        elif state != "PENDING":
            await until_logged(client, "e", "node_started")
            if state == "PAUSED":
                await client.pause("e")
            elif state == "STOPPED":
                await client.stop("e")
        before = await entries(client, "e")
        again = await client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "b"})
        assert again.state == state
        assert await entries(client, "e") == before
        for changed in (
            client.execute(definition, {"n": 6}, execution_id="e", labels={"a": "b"}),
            client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "c"}),
            client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "b"}, priority=1),
            client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "b"}, timeout=60),
            client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "b"}, workflow_id="w"),
            client.execute(definition, {"n": 5}, execution_id="e", labels={"a": "b"}, concurrency_key="k"),
            client.execute(chain("z"), {"n": 5}, execution_id="e", labels={"a": "b"}),
        ):
            with pytest.raises(AlreadyExists) as refused:
                await changed
            assert (refused.value.reason, refused.value.execution_id, refused.value.state) == (
                "EXECUTION_EXISTS",
                "e",
                state,
            )
        gates.open("a", "blocker")


async def test_the_same_request_at_once_from_many_runs_once(client: AsyncExecutionClient, gates: Gates) -> None:
    gates.open("a")
    answers = await asyncio.gather(*(client.execute(chain("a"), execution_id="e") for _ in range(30)))
    assert len({answer.create_time for answer in answers}) == 1
    await client.wait("e")
    assert gates.entries["a"] == 1
    assert (await story(client, "e")).count("queued") == 1


async def test_an_empty_id_is_made_and_each_is_another(stubs: Stubs) -> None:
    request = v1.ExecuteRequest(definition=to_definition(ECHO))
    first = await stubs.executions.Execute(request)
    second = await stubs.executions.Execute(request)
    assert first.status.execution_id
    assert first.status.execution_id != second.status.execution_id
    found = await stubs.executions.GetStatus(v1.GetStatusRequest(execution_id=first.status.execution_id))
    assert found.status.create_time == first.status.create_time


async def test_validate_only_stores_nothing(client: AsyncExecutionClient, stubs: Stubs) -> None:
    request = v1.ExecuteRequest(execution_id="e", definition=to_definition(ECHO), validate_only=True)
    assert not (await stubs.executions.Execute(request)).HasField("status")
    with pytest.raises(NotFound):
        await client.status("e")
    # The id is still free, for another request even.
    await client.execute(ECHO, {"n": 1}, execution_id="e")
    assert (await client.wait("e")).output == {"n": 1}


async def test_what_was_asked_for_comes_back_in_get_execution(client: AsyncExecutionClient) -> None:
    await client.execute(
        ECHO,
        {"n": 1},
        execution_id="e",
        workflow_id="orders",
        labels={"team/env": "blue", "note": "grün 💚"},
        priority=-7,
        timeout=90.5,
        concurrency_key="customer-1",
    )
    await client.wait("e")
    for view in ("full", "basic"):
        execution = await client.get("e", view)  # type: ignore[arg-type]
        assert execution.labels == {"team/env": "blue", "note": "grün 💚"}
        assert (execution.priority, execution.timeout) == (-7, timedelta(seconds=90.5))
        assert (execution.concurrency_key, execution.status.workflow_id) == ("customer-1", "orders")
        assert execution.nodes["start"].state == "COMPLETED"
        assert (execution.input, execution.output) == (({"n": 1}, {"n": 1}) if view == "full" else (None, None))


async def test_the_stored_definition_equals_what_was_sent(client: AsyncExecutionClient) -> None:
    definition = to_definition(
        {
            "nodes": [
                {
                    "id": "start",
                    "type": "input",
                    "config": {
                        "schema": {"type": "object", "properties": {"n": {"type": "integer", "minimum": 1}}},
                        "defaults": {"n": 3, "list": [1, 2.5, None, True, {"é": "💥"}]},
                    },
                },
                {
                    "id": "ask",
                    "type": "llm",
                    "name": "Ask",
                    "config": {
                        "model": "echo:",
                        "system": "Be brief.",
                        "messages": [{"role": "user", "content": "{{input.n}}"}],
                        "parameters": {"temperature": 0.5, "max_tokens": 10},
                    },
                    "retry": {"max_attempts": 3, "initial_backoff": "0.5s", "multiplier": 3, "max_backoff": "10s"},
                    "timeout": "30s",
                    "on_error": {"action": "continue", "fallback": {"text": "sorry"}},
                },
                {
                    "id": "check",
                    "type": "condition",
                    "config": {
                        "cases": [{"branch": "big", "expression": "input.n > 10"}],
                        "default_branch": "small",
                    },
                },
                {"id": "yes", "type": "transform", "config": {"fields": {"a": "1", "b": "nodes.ask"}}},
                {"id": "no", "type": "transform", "config": {"expression": "'no'"}},
                {"id": "wait", "type": "gate", "config": {"gate": "g", "value": [1, {"x": None}]}},
                {"id": "out", "type": "output", "config": {}},
            ],
            "edges": [
                {"source": "start", "target": "ask"},
                {"source": "ask", "target": "check"},
                {"source": "check", "target": "yes", "branch": "big"},
                {"source": "check", "target": "no", "branch": "small"},
                {"source": "yes", "target": "wait"},
                {"source": "wait", "target": "out"},
                {"source": "no", "target": "out"},
            ],
        }
    )
    await client.execute(definition, execution_id="e")
    execution = await client.wait("e")
    assert execution.definition == definition
    assert execution.output == "no"
    assert list(execution.nodes) == ["start", "ask", "check", "yes", "no", "wait", "out"]
    assert execution.nodes["check"].branch == "small"
    assert execution.nodes["wait"].state == "SKIPPED"


async def test_fifty_executions_at_once_each_give_their_own_result_and_their_own_whole_log(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    definition = workflow(
        "start > hold > ask > big >true> double > out",
        "big >false> same > out",
        start=node("input"),
        hold=gate("g", log="holding"),
        ask=node("llm", model="echo:", prompt="number {{input.n}}"),
        big=node("condition", expression="input.n > 24"),
        double=transform("{'n': input.n * 2, 'text': nodes.ask}"),
        same=transform("{'n': input.n, 'text': nodes.ask}"),
        out=output(),
    )
    await asyncio.gather(*(client.execute(definition, {"n": n}, execution_id=f"e{n}") for n in range(50)))
    await gates.entered("g")
    gates.open("g")
    executions = await asyncio.gather(*(client.wait(f"e{n}") for n in range(50)))
    logs = [[told(entry) for entry in await entries(client, f"e{n}", min_level="INFO")] for n in range(50)]
    for n in range(50):
        await story(client, f"e{n}")
    for n, (execution, log) in enumerate(zip(executions, logs, strict=True)):
        assert execution.state == "COMPLETED"
        assert execution.output == {"n": n * 2 if n > 24 else n, "text": f"number {n}"}
        took, left = ("double", "same") if n > 24 else ("same", "double")
        assert (execution.nodes[took].state, execution.nodes[left].state) == ("COMPLETED", "SKIPPED")
        assert sorted(log) == sorted(
            [
                *("queued", "running", "completed", "start:completed", "hold:started", "hold:completed"),
                *("hold:holding", "ask:started", "ask:completed", "big:completed"),
                *(f"{took}:completed", f"{left}:skipped", "out:completed"),
            ]
        )


async def test_progress_never_goes_down_and_is_one_exactly_when_completed(
    client: AsyncExecutionClient, gates: Gates
) -> None:
    names = [f"n{i}" for i in range(10)]
    await client.execute(chain(*names), execution_id="e")
    seen: list[tuple[ExecutionState, float]] = []

    async def look() -> None:
        while not seen or not seen[-1][0].terminal:
            status = await client.status("e")
            seen.append((status.state, status.progress))

    async with asyncio.timeout(60):
        looking = asyncio.create_task(look())
        for number, name in enumerate(names):
            await gates.entered(name)
            while not seen or seen[-1][1] < number / 11:
                # Give the other task its turn until it has seen this step.
                await client.status("e")
            assert seen[-1][1] == pytest.approx(number / 11)
            if number == 5:
                await client.pause("e")
                await client.resume("e")
            gates.open(name)
        await looking
    figures = [progress for _, progress in seen]
    assert figures == sorted(figures)
    assert all((progress == 1.0) == (state == "COMPLETED") for state, progress in seen)
    assert figures[-1] == 1.0


@pytest.mark.parametrize("ending", ["FAILED", "STOPPED"])
async def test_progress_stays_below_one_where_it_did_not_complete(
    client: AsyncExecutionClient, gates: Gates, ending: str
) -> None:
    last = output("[1][input.n]") if ending == "FAILED" else output()
    definition = workflow("a > b > out", a=transform("1"), b=gate("b"), out=last)
    await client.execute(definition, {"n": 5}, execution_id="e")
    await until_logged(client, "e", "node_started")
    if ending == "STOPPED":
        await client.stop("e")
    gates.open("b")
    execution = await client.wait("e")
    assert execution.state == ending
    assert 0 < execution.status.progress < 1


async def test_values_come_through_unchanged(client: AsyncExecutionClient) -> None:
    given = {
        "integers": [0, 1, -1, 2**31, -(2**53), 2**53],
        "floats": [0.5, -1e300, 5e-324],
        "texts": ["", "grün", "💥", "\u0000", 'a\nb\t"c"\\', "\u2028", "ß" * 10_000],
        "others": [None, True, False, [], {}, [[[]]], {"": {"a.b": {"ключ": 1}}}],
    }
    await client.execute(ECHO, given, execution_id="e")
    execution = await client.wait("e")
    assert execution.output == given
    assert execution.input == given
    assert [type(n) for n in execution.output["integers"]] == [int] * 6
    integers = workflow("a > out", a=transform("type(input.n) == int && input.n % 2 == 1"), out=output())
    await client.execute(integers, {"n": 7}, execution_id="i")
    assert (await client.wait("i")).output is True


async def test_an_input_of_four_mebibytes_is_taken_and_given_back(start_server: StartServer) -> None:
    given = {"n": 7, "text": "x" * (4 * 1024 * 1024 - len('{"n":7,"text":""}'))}
    async with start_server() as client:
        definition = workflow("s > out", s=node("input"), out=output("input.n + 1"))
        await client.execute(definition, given, execution_id="e")
        assert (await client.wait("e")).output == 8
        with pytest.raises(ResourceExhausted):
            await client.execute(definition, given | {"m": 1}, execution_id="f")
    async with start_server() as client:
        assert (await client.get("e")).input == given


@pytest.mark.parametrize(
    ("how", "type", "words"),
    [
        ("too large", "OUTPUT_TOO_LARGE", "4194306 bytes; at most 4194304"),
        ("not json", "OUTPUT_NOT_JSON", "object"),
        ("nan", "OUTPUT_NOT_JSON", "output.a[0]"),
        ("deep", "OUTPUT_NOT_JSON", "levels"),
        ("crash", "NODE_CRASHED", "ValueError"),
        ("exit", "NODE_CRASHED", "SystemExit"),
        ("cancelled", "NODE_CRASHED", "CancelledError"),
        ("fail surrogate", "HALF", "half ?"),
    ],
)
async def test_a_node_that_does_what_it_must_not_fails_its_execution_and_nothing_else(
    client: AsyncExecutionClient, how: str, type: str, words: str
) -> None:
    await client.execute(workflow("a > out", a=node("odd", how=how), out=output()), execution_id="e")
    execution = await client.wait("e")
    assert execution.state == "FAILED"
    assert execution.error is not None
    assert (execution.error.type, execution.error.node_id) == (type, "a")
    assert words in execution.error.message
    assert "hunter2" not in str(execution)
    assert execution.nodes["a"].state == "FAILED"
    await client.execute(ECHO, {"n": 1}, execution_id="other")
    assert (await client.wait("other")).output == {"n": 1}


async def test_a_result_of_several_outputs_is_merged_by_node_id(client: AsyncExecutionClient) -> None:
    definition = workflow(
        "a > left",
        "a > right",
        "a > c >true> never",
        a=transform("2"),
        c=node("condition", expression="false"),
        left=output("nodes.a + 1"),
        right=output(),
        never=output(),
    )
    await client.execute(definition, execution_id="e")
    assert (await client.wait("e")).output == {"left": 3, "right": 2}


async def test_executions_survive_in_the_order_of_priority_then_age(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        for name, priority in (("low", -5), ("first", 0), ("second", 0), ("high", 9)):
            await client.execute(chain(name), execution_id=name, priority=priority)
        gates.open("blocker", "low", "first", "second", "high")
        executions = [await client.wait(name) for name in ("high", "first", "second", "low")]
    starts = [execution.status.start_time for execution in executions]
    assert starts == sorted(starts)  # type: ignore[type-var]


async def test_two_servers_cannot_share_a_database(
    settings: Settings, start_server: StartServer, tmp_path: Path
) -> None:
    from execsvc.errors import DatabaseLocked

    async with start_server():
        with pytest.raises(DatabaseLocked, match=r"another server .* uses .*execsvc\.db"):
            async with start_server():
                pass
