"""Unary calls of both clients against a real server: requests, answers, repeats and deadlines."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from execsvc_client import (
    AsyncExecutionClient,
    Cancelled,
    DeadlineExceeded,
    ExecutionClient,
    ExecutionState,
    InvalidArgument,
    Unavailable,
    v1,
)

if TYPE_CHECKING:
    from clients.python.tests.conftest import Driver, ScriptedServer, Wire

DEFINITION = {"nodes": [{"id": "out", "type": "output"}], "edges": []}
FINAL = v1.ExecutionStatus(execution_id="e", state=v1.EXECUTION_STATE_COMPLETED, progress=1.0)


def refuse(context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "not now")


async def test_execute_sends_everything_it_was_given(driver: Driver, server: ScriptedServer) -> None:
    status = await driver.call(
        "execute",
        DEFINITION,
        {"n": 3, "deep": [{"x": None}]},
        execution_id="order-1",
        workflow_id="orders",
        labels={"team": "a"},
        priority=5,
        timeout=timedelta(seconds=90),
        concurrency_key="k",
        validate_only=True,
    )

    assert (status.execution_id, status.state) == ("order-1", "PENDING")
    (request,) = server.script.asked("Execute")
    expected = v1.ExecuteRequest(
        execution_id="order-1",
        workflow_id="orders",
        definition=v1.WorkflowDefinition(nodes=[v1.Node(id="out", output=v1.OutputNode())]),
        labels={"team": "a"},
        priority=5,
        concurrency_key="k",
        validate_only=True,
    )
    expected.input.update({"n": 3, "deep": [{"x": None}]})
    expected.timeout.FromSeconds(90)
    assert request == expected


async def test_execute_repeats_with_the_same_generated_id(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("Execute", refuse, refuse)

    status = await driver.call("execute", DEFINITION)

    requests = server.script.asked("Execute")
    assert len(requests) == 3
    assert {request.execution_id for request in requests} == {status.execution_id}
    assert status.execution_id
    assert requests[0] == requests[1] == requests[2]


async def test_two_executions_get_two_ids(driver: Driver, server: ScriptedServer) -> None:
    first = await driver.call("execute", DEFINITION)
    second = await driver.call("execute", DEFINITION)

    assert first.execution_id != second.execution_id


@pytest.mark.parametrize("action", ["pause", "resume", "stop"])
async def test_control_repeats_with_the_same_request_id(driver: Driver, server: ScriptedServer, action: str) -> None:
    server.script.fail("Control", refuse)

    await driver.call(action, "e", "because", expected_state=ExecutionState.RUNNING)

    first, second = server.script.asked("Control")
    assert first == second
    assert first.request_id
    assert first.WhichOneof("action") == action
    assert (first.reason, first.expected_state) == ("because", v1.EXECUTION_STATE_RUNNING)


@pytest.mark.parametrize(
    ("rpc", "method", "args"),
    [
        ("GetStatus", "status", ("e",)),
        ("GetExecution", "get", ("e",)),
        ("ValidateWorkflow", "validate", (DEFINITION,)),
        ("ListNodeTypes", "node_types", ()),
        ("GetServerInfo", "server_info", ()),
    ],
)
async def test_grpc_itself_repeats_calls_that_change_nothing(
    driver: Driver, server: ScriptedServer, rpc: str, method: str, args: tuple[Any, ...]
) -> None:
    server.script.fail(rpc, refuse)

    await driver.call(method, *args)

    assert len(server.script.asked(rpc)) == 2


async def test_a_server_that_stays_unavailable_is_an_error_after_five_attempts(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.fail("Execute", *[refuse] * 10)

    with pytest.raises(Unavailable, match="not now"):
        await driver.call("execute", DEFINITION)
    assert len(server.script.asked("Execute")) == 5


async def test_no_server_at_all_is_unavailable(connect: Callable[..., Driver], server: ScriptedServer) -> None:
    await asyncio.to_thread(server.stop)

    with pytest.raises(Unavailable) as caught:
        await connect(server.target).call("status", "e")
    assert (caught.value.code, caught.value.reason) == ("UNAVAILABLE", "")


async def test_an_answer_that_takes_too_long_is_deadline_exceeded(
    connect: Callable[..., Driver], server: ScriptedServer
) -> None:
    server.script.fail("GetStatus", lambda context: hold(context, server))

    with pytest.raises(DeadlineExceeded) as caught:
        await connect(server.target, call_timeout=0.2).call("status", "e")
    assert isinstance(caught.value, TimeoutError)
    assert caught.value.code == "DEADLINE_EXCEEDED"


def hold(context: grpc.ServicerContext, server: ScriptedServer) -> None:
    context.add_callback(server.script.ended.set)
    server.script.ended.wait(30)


async def test_the_record_is_plain_python(driver: Driver, server: ScriptedServer) -> None:
    execution = await driver.call("get", "e")

    assert execution.output == {"label": "late", "n": 3, "half": 0.5}
    assert isinstance(execution.output["n"], int)
    assert execution.state == "COMPLETED"
    assert execution.state.terminal
    assert execution.error is None
    assert execution.raw.uid == "u"
    assert server.script.asked("GetExecution")[0].view == v1.EXECUTION_VIEW_FULL


async def test_wait_returns_the_final_record_without_polling(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(5)
    waiting = asyncio.create_task(driver.call("wait", "e"))
    await server.script.until_asked("StreamLogs")
    server.script.grow(1, final=FINAL)

    execution = await waiting

    assert execution.output["label"] == "late"
    assert [name for name, _ in server.script.requests] == ["StreamLogs", "GetExecution"]
    (request,) = server.script.asked("StreamLogs")
    assert (request.min_level, request.follow) == (v1.LOG_LEVEL_ERROR, True)


async def test_wait_goes_on_through_a_restart_of_the_server(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(2)
    waiting = asyncio.create_task(driver.call("wait", "e"))
    await server.script.until_asked("StreamLogs")

    await asyncio.to_thread(server.stop)
    server.start()
    server.script.grow(1, final=FINAL)

    assert (await waiting).state == "COMPLETED"
    assert len(server.script.asked("StreamLogs")) >= 2


async def test_wait_fetches_the_record_again_however_often_that_breaks(
    connect: Callable[..., Driver], server: ScriptedServer
) -> None:
    driver = connect(server.target, options=[("grpc.enable_retries", 0)])
    server.script.grow(1, final=FINAL)
    # As many failures as would end any other call.
    server.script.fail("GetExecution", *[refuse] * 5)

    assert (await driver.call("wait", "e")).state == "COMPLETED"


async def test_wait_with_a_timeout_raises_deadline_exceeded(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(1)

    with pytest.raises(DeadlineExceeded, match=r"execution 'e' had not ended after 0\.2 s"):
        await driver.call("wait", "e", timeout=0.2)


async def test_wait_with_a_timeout_also_ends_while_the_server_is_away(driver: Driver, server: ScriptedServer) -> None:
    await asyncio.to_thread(server.stop)

    with pytest.raises(DeadlineExceeded):
        await driver.call("wait", "e", timeout=0.3)


async def test_list_logs_reads_every_page(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(7)

    entries = await driver.read(driver.client.list_logs("e", page_size=3))

    assert [entry.sequence for entry in entries] == [1, 2, 3, 4, 5, 6, 7]
    assert [request.page_token for request in server.script.asked("ListLogs")] == ["", "3", "6"]


async def test_a_token_is_sent_with_calls_and_streams(connect: Callable[..., Driver], server: ScriptedServer) -> None:
    tokens = iter(["one", "two"])
    server.script.grow(1, final=FINAL)
    driver = connect(server.target, token=lambda: next(tokens))

    await driver.call("status", "e")
    await driver.read(driver.client.logs("e"))

    assert [metadata["authorization"] for metadata in server.script.metadata] == ["Bearer one", "Bearer two"]


async def test_a_problem_in_the_arguments_is_found_before_anything_is_sent(
    driver: Driver, server: ScriptedServer
) -> None:
    with pytest.raises(InvalidArgument) as caught:
        await driver.call("execute", DEFINITION, {"a": {"b": float("inf")}}, priority=2**40, timeout="soon")

    problems = {(problem.path, problem.reason) for problem in caught.value.field_violations}
    assert problems == {("input.a.b", "NOT_FINITE"), ("priority", "OUT_OF_RANGE"), ("timeout", "INVALID_DURATION")}
    assert server.script.requests == []


async def test_a_closed_client_says_so(driver: Driver) -> None:
    await driver.call("close")
    await driver.call("close")

    with pytest.raises(Cancelled, match="closed"):
        await driver.call("status", "e")


async def test_closing_the_client_ends_a_call_under_way_with_cancelled(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("GetStatus", lambda context: hold(context, server))
    asking = asyncio.create_task(driver.call("status", "e"))
    await server.script.until_asked("GetStatus")

    await driver.call("close")

    with pytest.raises(Cancelled):
        await asking


@pytest.mark.parametrize("connect", ["async"], indirect=True)
async def test_cancelling_a_task_cancels_its_call(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("GetStatus", lambda context: hold(context, server))
    asking = asyncio.create_task(driver.call("status", "e"))
    await server.script.until_asked("GetStatus")

    asking.cancel()

    with pytest.raises(asyncio.CancelledError):
        await asking
    assert await asyncio.to_thread(server.script.ended.wait, 30)


async def test_a_cut_cable_during_execute_is_repeated_with_the_same_id(
    connect: Callable[..., Driver], server: ScriptedServer, wire: Wire
) -> None:
    server.script.fail("Execute", lambda context: wire.cut())

    status = await connect(wire.target).call("execute", DEFINITION)

    assert [request.execution_id for request in server.script.asked("Execute")] == [status.execution_id] * 2


def test_both_clients_have_the_same_methods_with_the_same_parameters() -> None:
    def face(cls: type) -> dict[str, Any]:
        methods = inspect.getmembers(cls, inspect.isfunction)
        return {
            name: [(p.name, p.kind, p.default, p.annotation) for p in inspect.signature(method).parameters.values()]
            for name, method in methods
            if not name.startswith("_") or name == "__init__"
        }

    assert face(AsyncExecutionClient) == face(ExecutionClient)


@pytest.mark.parametrize("name", [name for name in vars(ExecutionClient) if not name.startswith("_")])
def test_both_clients_document_a_method_alike(name: str) -> None:
    def text(cls: type) -> str:
        words = (getattr(cls, name).__doc__ or "").replace("async ", "").replace("an async", "an")
        return words.replace("async with", "with").replace("await ", "")

    assert text(AsyncExecutionClient) == text(ExecutionClient)
