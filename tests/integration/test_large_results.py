"""Large results, records and inputs: bounded together, on disk before more are made, converted beside the loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from execsvc.engine import run
from execsvc.engine.deadline import Deadline
from execsvc.service import Snapshot
from execsvc.store import Updated, UpdateExecution
from execsvc.wire import requests, responses
from execsvc_client import AsyncExecutionClient, Execution, _calls, v1
from tests.integration.conftest import StartServer
from tests.support.logs import until_logged
from tests.support.workflows import node, output, transform, workflow

#: Bytes of a text whose JSON has a mebibyte.
MEBIBYTE = 1024 * 1024 - 2
#: Three nodes with the input's text one after the other, and one that has it if there is room.
FOUR = workflow(
    "a > b > c > d > out",
    **{name: transform("input.text") for name in "abc"},
    d=transform("input.text"),
    out=output("size(nodes.d) + 0"),
)


#: What the server converts of a call.
CONVERSIONS = ((requests, "execute_command"), (responses, "execution_response"), (requests, "control_command"))


def _noted(monkeypatch: pytest.MonkeyPatch, place: Any, name: str, note: Callable[..., None]) -> None:
    """Tell of each call of a function."""
    call = getattr(place, name)

    def noted(*args: Any, **kwargs: Any) -> Any:
        note(*args, **kwargs)
        return call(*args, **kwargs)

    monkeypatch.setattr(place, name, noted)


def _is_main() -> bool:
    return threading.current_thread() is threading.main_thread()


async def test_results_of_an_execution_are_bounded_together(start_server: StartServer) -> None:
    async with start_server(max_results=4 * 1024 * 1024 - 1) as client:
        assert (await client.server_info()).limits.max_results_bytes == 4 * 1024 * 1024 - 1
        await client.execute(FOUR, {"text": "x" * MEBIBYTE}, execution_id="e")
        execution = await client.wait("e")
        assert execution.error is not None
        assert (execution.error.type, execution.error.node_id) == ("OUTPUT_TOO_LARGE", "d")
        assert not execution.error.retryable
        assert "4194304 bytes together; at most 4194303" in execution.error.message
        assert [run.state for run in execution.nodes.values()] == ["COMPLETED"] * 3 + ["FAILED", "PENDING"]


@pytest.mark.every_place
async def test_what_is_on_record_counts_when_an_execution_goes_on(start_server: StartServer) -> None:
    async with start_server(max_results=4 * 1024 * 1024 - 1) as client:
        await client.execute(FOUR, {"text": "x" * MEBIBYTE}, execution_id="e")
        assert (await client.wait("e")).state == "FAILED"
        await client.retry("e")
        again = await client.wait("e")
        assert again.error is not None
        assert "4194304 bytes together; at most 4194303" in again.error.message
    async with start_server(max_results=4 * 1024 * 1024 + 100) as client:
        await client.retry("e")
        assert (await client.wait("e")).output == MEBIBYTE


async def test_a_result_that_finds_no_room_may_have_a_fallback_and_its_tokens_count(start_server: StartServer) -> None:
    definition = workflow(
        "a > ask > out",
        a=transform("input.text"),
        ask=node("llm", model="echo:", prompt="{{input.text}} x", on_error={"action": "continue", "fallback": "none"}),
        out=output("nodes.ask"),
    )
    async with start_server(max_results=2 * 1024 * 1024) as client:
        await client.execute(definition, {"text": "x" * MEBIBYTE}, execution_id="e")
        execution = await client.wait("e")
        assert execution.output == "none"
        error = execution.nodes["ask"].error
        assert error is not None
        assert error.type == "OUTPUT_TOO_LARGE"
        assert execution.usage is not None
        assert execution.usage.output_tokens == 2


@pytest.mark.every_place
async def test_no_more_is_made_than_the_disk_takes(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch, store_class: type
) -> None:
    waiting = most = 0
    update: Callable[[Any, UpdateExecution], asyncio.Future[Updated]] = store_class.update

    def counted(store: Any, change: UpdateExecution) -> asyncio.Future[Updated]:
        nonlocal waiting, most
        size = sum(len(run.output or b"") for run in change.nodes)
        waiting += size
        most = max(most, waiting)

        def done(_: object) -> None:
            nonlocal waiting
            waiting -= size

        future = update(store, change)
        future.add_done_callback(done)
        return future

    monkeypatch.setattr(store_class, "update", counted)
    names = [f"n{number}" for number in range(40)]
    definition = workflow(
        " > ".join([*names, "out"]), **{name: transform("input.text") for name in names}, out=output("1")
    )
    async with start_server() as client:
        await client.execute(definition, {"text": "x" * MEBIBYTE}, execution_id="e")
        assert (await client.wait("e")).state == "COMPLETED"
    assert MEBIBYTE < most <= run.UNWRITTEN + 2 * MEBIBYTE


@pytest.mark.every_place
async def test_what_was_recorded_is_read_in_turns_and_control_gets_in_between(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns: list[float] = []

    async def counted(seconds: float) -> None:
        turns.append(seconds)
        await asyncio.sleep(seconds)
        # While the results of the twelve nodes are read.
        if len(turns) == 3:
            await client.pause("e")

    timers: dict[Deadline, list[str]] = {}
    for name in ("arm", "disarm"):
        _noted(monkeypatch, Deadline, name, lambda of, *_, name=name, **__: timers.setdefault(of, []).append(name))
    names = [f"n{number}" for number in range(12)]
    nodes = {name: transform("input.n") for name in names}
    definition = workflow(" > ".join([*names, "late", "out"]), **nodes, late=transform("input.late"), out=output())
    async with start_server() as client:
        await client.execute(definition, {"n": 1}, execution_id="e", timeout=3600)
        assert (await client.wait("e")).state == "FAILED"
        monkeypatch.setattr(run, "TURN", -1.0)
        monkeypatch.setattr(run, "asyncio", SimpleNamespace(**(vars(asyncio) | {"sleep": counted})))
        await client.retry("e", input={"n": 1, "late": 2})
        await until_logged(client, "e", "execution_paused")
        status = await client.status("e")
        assert (status.state, status.progress) == ("PAUSED", pytest.approx(12 / 14))
        # Armed after the pause it would pass while the execution is paused.
        _, of_second_run = timers.values()
        assert of_second_run[:2] == ["arm", "disarm"]
        await client.resume("e")
        assert (await client.wait("e")).output == 2
    assert len(turns) >= 12


async def test_many_fields_of_one_large_value_are_refused_before_they_are_written(client: AsyncExecutionClient) -> None:
    fields = {f"f{number}": "input.text" for number in range(200)}
    await client.execute(
        workflow("a > out", a=node("transform", fields=fields), out=output("1")),
        {"text": "x" * MEBIBYTE},
        execution_id="e",
    )
    execution = await client.wait("e")
    assert execution.error is not None
    # To know how many it would have been, it had to be written.
    assert execution.error.message == "the result has more than 4194304 bytes, the most it may have"
    assert execution.error.type == "OUTPUT_TOO_LARGE"


@pytest.mark.parametrize(
    ("path", "dear"),
    [
        ("a > out", node("transform", fields={f"f{n}": "input.l.map(x, x + 1).size()" for n in range(100)})),
        (
            "a >b7> out",
            node(
                "condition",
                cases=[{"branch": f"b{n}", "expression": "input.l.map(x, x).size() < 0"} for n in range(100)],
            ),
        ),
    ],
    ids=["transform", "condition"],
)
async def test_expressions_of_a_node_that_take_too_long_together_fail_it(
    client: AsyncExecutionClient, path: str, dear: dict[str, Any]
) -> None:
    await client.execute(workflow(path, a=dear, out=output("1")), {"l": list(range(900))}, execution_id="e")
    execution = await client.wait("e")
    assert execution.error is not None
    assert (execution.error.type, execution.error.retryable) == ("EXPRESSION_TOO_EXPENSIVE", False)
    assert "more than 300 ms together" in execution.error.message


@pytest.mark.parametrize("large", [False, True])
async def test_large_inputs_and_records_are_converted_beside_the_loop(
    client: AsyncExecutionClient, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    inline: dict[str, bool] = {}

    for place, name in CONVERSIONS:
        _noted(monkeypatch, place, name, lambda *_, name=name, **__: inline.update({name: _is_main()}))
    given = {"l": [{"n": number} for number in range(10_000 if large else 10)]}
    failing = workflow("a > out", a=transform("input.missing"), out=output())
    await client.execute(failing, given, execution_id="e")
    assert (await client.wait("e")).state == "FAILED"
    await client.retry("e", input=given)
    await client.wait("e")
    assert (await client.get("e")).input == given
    assert inline == {name: not large for _, name in CONVERSIONS}


@pytest.mark.parametrize("large", [False, True])
async def test_the_first_picture_of_a_large_workflow_is_made_beside_the_loop(
    client: AsyncExecutionClient, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    make, inline = responses.WatchMessages.response, []

    def noted(messages: responses.WatchMessages, snapshot: Snapshot) -> v1.WatchExecutionResponse:
        inline.append((threading.current_thread() is threading.main_thread(), snapshot.execution is not None))
        return make(messages, snapshot)

    monkeypatch.setattr(responses.WatchMessages, "response", noted)
    names = [f"n{number}" for number in range(600 if large else 6)]
    nodes = {name: transform("input.n") for name in names}
    await client.execute(
        workflow(*(f"{name} > out" for name in names), **nodes, out=output("1")), {"n": 1}, execution_id="e"
    )
    async with client.watch("e") as snapshots:
        async for snapshot in snapshots:
            last = snapshot
    assert len(last.nodes) == len(names) + 1
    assert (not large, True) in inline
    assert all(here != (large and first) for here, first in inline)


@pytest.mark.parametrize("large", [False, True])
async def test_the_client_for_asyncio_converts_large_values_beside_its_loop(
    client: AsyncExecutionClient, monkeypatch: pytest.MonkeyPatch, large: bool
) -> None:
    inline: list[bool] = []

    for place, name in ((_calls, "execute"), (_calls, "control"), (Execution, "from_proto")):
        _noted(monkeypatch, place, name, lambda *_, **__: inline.append(_is_main()))
    given = {"l": [{"n": number} for number in range(10_000 if large else 10)]}
    await client.execute(workflow("a > out", a=transform("input.x"), out=output()), given, execution_id="e")
    assert (await client.wait("e")).input == given
    await client.retry("e", input=given)
    assert inline == [not large] * 3
