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
    RetryPolicy,
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
        retry=RetryPolicy(max_attempts=4, initial_backoff=0.25, non_retryable=("LLM_BAD_OUTPUT",)),
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
    expected.retry.max_attempts, expected.retry.multiplier = 4, 2.0
    expected.retry.initial_backoff.FromMilliseconds(250)
    expected.retry.max_backoff.FromSeconds(60)
    expected.retry.non_retryable.append("LLM_BAD_OUTPUT")
    assert request == expected


async def test_execute_repeats_with_the_same_generated_id(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("Execute", refuse, refuse)

    status = await driver.call("execute", DEFINITION)

    requests = server.script.asked("Execute")
    assert len(requests) == 3
    assert {request.execution_id for request in requests} == {status.execution_id}
    assert status.execution_id
    assert requests[0] == requests[1] == requests[2]


async def test_a_stored_workflow_is_run_by_its_id_and_version_without_a_definition(
    driver: Driver, server: ScriptedServer
) -> None:
    await driver.call("execute", None, {"n": 1}, workflow_id="orders", workflow_version="abc")
    await driver.call("execute", input={"n": 1}, workflow_id="orders")

    first, second = server.script.asked("Execute")
    assert (first.workflow_id, first.workflow_version, second.workflow_version) == ("orders", "abc", "")
    assert not first.HasField("definition")
    assert not second.HasField("definition")
    assert second.input["n"] == 1


async def test_a_retry_policy_may_be_a_mapping_with_waits_as_text(driver: Driver, server: ScriptedServer) -> None:
    await driver.call("execute", DEFINITION, retry={"max_attempts": 3, "initial_backoff": "200ms"})
    with pytest.raises(InvalidArgument, match=r"retry\.attempts: unknown field"):
        await driver.call("execute", DEFINITION, retry={"attempts": 3})

    (request,) = server.script.asked("Execute")
    assert (request.retry.max_attempts, request.retry.initial_backoff.nanos) == (3, 200_000_000)


async def test_two_executions_get_two_ids(driver: Driver, server: ScriptedServer) -> None:
    first = await driver.call("execute", DEFINITION)
    second = await driver.call("execute", DEFINITION)

    assert first.execution_id != second.execution_id


@pytest.mark.parametrize("action", ["pause", "resume", "stop", "retry"])
async def test_control_repeats_with_the_same_request_id(driver: Driver, server: ScriptedServer, action: str) -> None:
    server.script.fail("Control", refuse)

    await driver.call(action, "e", "because", expected_state=ExecutionState.RUNNING)

    first, second = server.script.asked("Control")
    assert first == second
    assert first.request_id
    assert first.WhichOneof("action") == action
    assert (first.reason, first.expected_state) == ("because", v1.EXECUTION_STATE_RUNNING)


async def test_retry_may_replace_the_input(driver: Driver, server: ScriptedServer) -> None:
    await driver.call("retry", "e", "mended", input={"n": 5})
    await driver.call("retry", "e", input={})
    await driver.call("retry", "e")

    replaced, emptied, kept = server.script.asked("Control")
    assert (replaced.retry.input["n"], replaced.reason) == (5, "mended")
    assert emptied.retry.HasField("input")
    assert not kept.retry.HasField("input")
    assert len({replaced.request_id, emptied.request_id, kept.request_id}) == 3


@pytest.mark.parametrize(
    ("rpc", "method", "args"),
    [
        ("GetWorkflow", "get_workflow", ("w",)),
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


@pytest.mark.parametrize(
    ("rpc", "method"), [("ListExecutions", "list_executions"), ("ListWorkflows", "list_workflows")]
)
async def test_grpc_itself_repeats_the_pages_of_lists(
    driver: Driver, server: ScriptedServer, rpc: str, method: str
) -> None:
    server.script.listed = ["a"]
    server.script.fail(rpc, refuse)

    assert len(await driver.read(getattr(driver.client, method)())) == 1
    assert len(server.script.asked(rpc)) == 2


async def test_delete_is_not_repeated_since_the_id_may_be_another_executions_by_then(
    driver: Driver, server: ScriptedServer
) -> None:
    assert await driver.call("delete", "e") is None
    server.script.fail("DeleteExecution", refuse)

    with pytest.raises(Unavailable):
        await driver.call("delete", "f")
    assert [request.execution_id for request in server.script.asked("DeleteExecution")] == ["e", "f"]


async def test_create_workflow_is_repeated_and_tells_the_version(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("CreateWorkflow", refuse)

    workflow = await driver.call("create_workflow", "orders", DEFINITION)

    assert (workflow.workflow_id, workflow.version, workflow.created, workflow.definition) == (
        "orders",
        "v1",
        True,
        None,
    )
    first, second = server.script.asked("CreateWorkflow")
    assert first == second
    assert first.definition.nodes[0].id == "out"


async def test_get_workflow_answers_its_definition(driver: Driver, server: ScriptedServer) -> None:
    newest = await driver.call("get_workflow", "orders")
    named = await driver.call("get_workflow", "orders", "abc")

    assert (newest.version, named.version, newest.created) == ("newest", "abc", False)
    assert newest.definition.nodes[0].id == "out"


async def test_lists_read_every_page_with_the_same_arguments(driver: Driver, server: ScriptedServer) -> None:
    server.script.listed = [f"x{n}" for n in range(7)]

    executions = await driver.read(
        driver.client.list_executions("state = FAILED", order_by="end_time desc", page_size=3)
    )
    workflows = await driver.read(driver.client.list_workflows("orders", page_size=4))

    assert [execution.execution_id for execution in executions] == server.script.listed
    assert (executions[0].nodes, executions[0].definition, executions[0].retry) == ({}, None, None)
    assert [workflow.version for workflow in workflows] == server.script.listed
    asked = server.script.asked("ListExecutions")
    assert [request.page_token for request in asked] == ["", "3", "6"]
    assert {(request.filter, request.order_by) for request in asked} == {("state = FAILED", "end_time desc")}
    assert [request.page_token for request in server.script.asked("ListWorkflows")] == ["", "4"]


async def test_a_list_asks_for_no_page_before_it_is_read(driver: Driver, server: ScriptedServer) -> None:
    server.script.listed = [f"x{n}" for n in range(5)]
    executions = driver.client.list_executions(page_size=2)
    assert server.script.requests == []

    for _ in range(2):
        await driver.next(executions)

    assert len(server.script.asked("ListExecutions")) == 1


def test_the_policy_of_a_record_is_the_one_that_was_sent() -> None:
    sent = RetryPolicy(max_attempts=4, initial_backoff=0.25, non_retryable=("X",))
    raw = v1.RetryPolicy(max_attempts=4, non_retryable=["X"])
    raw.initial_backoff.FromMilliseconds(250)

    assert RetryPolicy.from_proto(raw) == sent
    assert RetryPolicy.from_proto(v1.RetryPolicy()) == RetryPolicy()


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


async def test_an_empty_token_is_none(connect: Callable[..., Driver], server: ScriptedServer) -> None:
    await connect(server.target, token=lambda: "").call("status", "e")

    assert [metadata.get("authorization") for metadata in server.script.metadata] == [None]


async def test_pages_are_handed_out_one_by_one(driver: Driver, server: ScriptedServer) -> None:
    server.script.listed = [f"x{n}" for n in range(7)]
    server.script.grow(7)

    executions = await driver.call("list_executions_page", page_size=3, page_token="3")
    entries = await driver.call("list_logs_page", "e", page_size=3, page_token="6")

    assert [execution.execution_id for execution in executions.items] == ["x3", "x4", "x5"]
    assert (executions.next_token, entries.next_token) == ("6", "")
    assert [entry.sequence for entry in entries.items] == [7]


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


@pytest.mark.parametrize("name", [name for name in dir(ExecutionClient) if not name.startswith("_")])
def test_both_clients_document_a_method_alike(name: str) -> None:
    def text(cls: type) -> str:
        words = (getattr(cls, name).__doc__ or "").replace("async ", "").replace("an async", "an")
        return words.replace("async with", "with").replace("await ", "")

    assert text(AsyncExecutionClient) == text(ExecutionClient)
