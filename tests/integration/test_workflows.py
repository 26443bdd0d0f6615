"""Workflows that are stored under a name, in versions that are their content, and executions that pin one."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from execsvc_client import AlreadyExists, AsyncExecutionClient, to_definition, v1
from tests.integration.conftest import StartServer, Stubs
from tests.support.clocks import HandClock
from tests.support.nodes import Gates
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, chain, node, output, transform, workflow


def numbered(number: int) -> dict[str, Any]:
    """Definitions that differ."""
    return workflow("start > out", start=node("input"), out=output(f"[input, {number}]"))


async def create(stubs: Stubs, workflow_id: str = "w", definition: dict[str, Any] = ECHO) -> v1.CreateWorkflowResponse:
    request = v1.CreateWorkflowRequest(workflow_id=workflow_id, definition=to_definition(definition))
    return await stubs.workflows.CreateWorkflow(request)


async def get(stubs: Stubs, workflow_id: str = "w", version: str = "") -> v1.Workflow:
    request = v1.GetWorkflowRequest(workflow_id=workflow_id, version=version)
    return (await stubs.workflows.GetWorkflow(request)).workflow


async def listed(stubs: Stubs, workflow_id: str = "", page_size: int = 0) -> list[v1.Workflow]:
    found: list[v1.Workflow] = []
    token = ""
    while True:
        request = v1.ListWorkflowsRequest(workflow_id=workflow_id, page_size=page_size, page_token=token)
        answer = await stubs.workflows.ListWorkflows(request)
        found += answer.workflows
        token = answer.next_page_token
        if not token:
            return found


# Storing


async def test_the_same_definition_again_is_the_same_version(stubs: Stubs) -> None:
    first = await create(stubs)
    assert first.created
    assert first.workflow.workflow_id == "w"
    assert not first.workflow.HasField("definition")
    validated = await stubs.workflows.ValidateWorkflow(v1.ValidateWorkflowRequest(definition=to_definition(ECHO)))
    assert first.workflow.version == validated.definition_digest
    again = await create(stubs)
    assert (again.created, again.workflow) == (False, first.workflow)
    # Under another name it is another workflow, of the same version.
    other = await create(stubs, "other")
    assert (other.created, other.workflow.version) == (True, first.workflow.version)


async def test_a_version_is_the_content_and_not_the_way_it_is_written(stubs: Stubs) -> None:
    first = await create(stubs)
    rewritten = {"edges": ECHO["edges"], "nodes": [{**n, "on_error": {"action": "fail"}} for n in ECHO["nodes"]]}
    assert (await create(stubs, definition=rewritten)).workflow.version == first.workflow.version


async def test_it_is_answered_by_version_or_as_the_newest(stubs: Stubs) -> None:
    versions = [(await create(stubs, definition=numbered(number))).workflow.version for number in range(3)]
    assert len(set(versions)) == 3
    newest = await get(stubs)
    assert (newest.workflow_id, newest.version) == ("w", versions[2])
    assert newest.definition == to_definition(numbered(2))
    for number, version in enumerate(versions):
        found = await get(stubs, version=version)
        assert (found.version, found.definition) == (version, to_definition(numbered(number)))


async def test_storing_an_older_version_again_leaves_the_newest(stubs: Stubs) -> None:
    """To go back, name the version: a version keeps the time at which it was stored first."""
    await create(stubs, definition=numbered(1))
    second = await create(stubs, definition=numbered(2))
    assert not (await create(stubs, definition=numbered(1))).created
    assert (await get(stubs)).version == second.workflow.version


@pytest.mark.parametrize(
    ("workflow_id", "version"), [("nobody", ""), ("w", "0123"), ("W", "")], ids=["unknown", "version", "case"]
)
async def test_what_is_not_stored_is_not_found(stubs: Stubs, workflow_id: str, version: str) -> None:
    await create(stubs)
    asked = [stubs.workflows.GetWorkflow(v1.GetWorkflowRequest(workflow_id=workflow_id, version=version))]
    execute = v1.ExecuteRequest(execution_id="e", workflow_id=workflow_id, workflow_version=version)
    asked.append(stubs.executions.Execute(execute))
    for call in asked:
        found = await refusal(call)
        assert (found.code, found.info.reason) == (grpc.StatusCode.NOT_FOUND, "WORKFLOW_NOT_FOUND")
        assert (found.info.metadata["workflow_id"], found.info.metadata["version"]) == (workflow_id, version)
        assert "CreateWorkflow" in found.message
        assert "ResourceInfo" in found.kinds
    missing = await refusal(stubs.executions.GetStatus(v1.GetStatusRequest(execution_id="e")))
    assert missing.info.reason == "EXECUTION_NOT_FOUND"


async def test_every_problem_of_a_definition_is_named_and_nothing_stored(stubs: Stubs) -> None:
    bad = workflow("a > b", "b > a", "a > gone", a=transform("nodes.nobody"), b=node("unknown"))
    found = await refusal(create(stubs, "bad id", bad))
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    validated = await stubs.workflows.ValidateWorkflow(v1.ValidateWorkflowRequest(definition=to_definition(bad)))
    assert len(validated.problems) >= 4
    assert found.problems == {"workflow_id": "INVALID_ID"} | {p.path: p.reason for p in validated.problems}
    assert await listed(stubs) == []


@pytest.mark.parametrize(
    ("request_", "problems"),
    [
        (v1.CreateWorkflowRequest(definition=to_definition(ECHO)), {"workflow_id": "REQUIRED"}),
        (v1.CreateWorkflowRequest(workflow_id="w"), {"definition": "REQUIRED"}),
        (v1.GetWorkflowRequest(), {"workflow_id": "REQUIRED"}),
        (
            v1.GetWorkflowRequest(workflow_id="a b", version="c d"),
            {"workflow_id": "INVALID_ID", "version": "INVALID_ID"},
        ),
        (v1.ListWorkflowsRequest(workflow_id="a b"), {"workflow_id": "INVALID_ID"}),
        (v1.ListWorkflowsRequest(page_size=-1), {"page_size": "OUT_OF_RANGE"}),
        (v1.ListWorkflowsRequest(page_token="garbage"), {"page_token": "INVALID_PAGE_TOKEN"}),
    ],
)
async def test_a_wrong_request_names_its_fields(stubs: Stubs, request_: Any, problems: dict[str, str]) -> None:
    method = type(request_).__name__.removesuffix("Request")
    assert (await refusal(getattr(stubs.workflows, method)(request_))).problems == problems


async def test_versions_survive_a_restart(start_server: StartServer) -> None:
    async with start_server():
        channel = grpc.aio.insecure_channel(start_server.address)
        version = (await create(Stubs(channel))).workflow.version
        await channel.close()
    async with start_server() as client:
        channel = grpc.aio.insecure_channel(start_server.address)
        assert (await get(Stubs(channel))).version == version
        await client.execute(execution_id="e", workflow_id="w")
        assert (await client.wait("e")).state == "COMPLETED"
        await channel.close()


# Lists


@pytest.mark.parametrize("page_size", [0, 1, 2, 1_000_000])
async def test_lists_give_the_newest_of_each_and_the_versions_of_one(start_server: StartServer, page_size: int) -> None:
    clock = HandClock()
    async with start_server(clock=clock):
        channel = grpc.aio.insecure_channel(start_server.address)
        stubs = Stubs(channel)
        versions: dict[str, list[str]] = {}
        for workflow_id, count in (("a", 3), ("b", 1), ("c", 2)):
            for number in range(count):
                made = (await create(stubs, workflow_id, numbered(number))).workflow
                versions.setdefault(workflow_id, []).append(made.version)
                clock.advance(1)
        found = await listed(stubs, page_size=page_size)
        assert [(w.workflow_id, w.version) for w in found] == [(name, versions[name][-1]) for name in ("c", "b", "a")]
        assert not any(w.HasField("definition") for w in found)
        found = await listed(stubs, "a", page_size=page_size)
        assert [w.version for w in found] == list(reversed(versions["a"]))
        assert [w.create_time.ToMicroseconds() for w in found] == sorted(
            (w.create_time.ToMicroseconds() for w in found), reverse=True
        )
        assert await listed(stubs, "nobody", page_size=page_size) == []
        await channel.close()


async def test_a_token_of_one_list_is_refused_by_another(stubs: Stubs) -> None:
    for number in range(2):
        await create(stubs, "w", numbered(number))
        await create(stubs, f"w{number}")
    token = (await stubs.workflows.ListWorkflows(v1.ListWorkflowsRequest(page_size=1))).next_page_token
    request = v1.ListWorkflowsRequest(workflow_id="w", page_token=token)
    assert (await refusal(stubs.workflows.ListWorkflows(request))).problems == {"page_token": "INVALID_PAGE_TOKEN"}


# Running


async def test_an_execution_runs_the_newest_version_or_the_one_it_names(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    first = (await create(stubs, definition=numbered(1))).workflow.version
    second = (await create(stubs, definition=numbered(2))).workflow.version
    await client.execute(None, {"x": 1}, execution_id="newest", workflow_id="w")
    await client.execute(None, {"x": 1}, execution_id="first", workflow_id="w", workflow_version=first)
    assert (await client.wait("newest")).output == [{"x": 1}, 2]
    execution = await client.wait("first")
    assert execution.output == [{"x": 1}, 1]
    record = (await stubs.executions.GetExecution(v1.GetExecutionRequest(execution_id="newest"))).execution
    assert (record.definition_digest, record.status.workflow_id) == (second, "w")


async def test_an_execution_pins_its_version(start_server: StartServer, gates: Gates) -> None:
    async with start_server(max_concurrent=1, grace=0.01) as client:
        channel = grpc.aio.insecure_channel(start_server.address)
        stubs = Stubs(channel)
        await client.execute(chain("blocker"), execution_id="blocker")
        await gates.entered("blocker")
        first = (await create(stubs, definition=numbered(1))).workflow.version
        await client.execute(execution_id="e", workflow_id="w")
        await create(stubs, definition=numbered(2))
        assert (await client.status("e")).state == "PENDING"
        await channel.close()
    gates.open("blocker")
    async with start_server() as client:
        execution = await client.wait("e")
        assert (execution.output, execution.definition_digest) == ([{}, 1], first)


async def test_a_repeat_answers_although_a_newer_version_is_stored_by_now(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    """Even one whose schema the input would break."""
    request = v1.ExecuteRequest(execution_id="e", workflow_id="w", retry=v1.RetryPolicy(max_attempts=2))
    request.input.update({"n": 1})
    await create(stubs)
    first = await stubs.executions.Execute(request)
    await client.wait("e")
    strict = node("input", schema={"type": "object", "required": ["m"]})
    await create(stubs, definition=workflow("start > out", start=strict, out=output("input")))
    again = await stubs.executions.Execute(request)
    assert again.status.create_time == first.status.create_time
    assert again.status.state == v1.EXECUTION_STATE_COMPLETED
    # Another version, by its name, is another request; and so is another input.
    version = (await get(stubs)).version
    with pytest.raises(AlreadyExists):
        await client.execute(None, {"m": 1}, execution_id="e", workflow_id="w", workflow_version=version)
    with pytest.raises(AlreadyExists):
        await client.execute(None, {"m": 1}, execution_id="e", workflow_id="w", retry={"max_attempts": 2})


async def test_validate_only_checks_a_stored_workflow_and_stores_nothing(stubs: Stubs) -> None:
    strict = node("input", schema={"type": "object", "required": ["m"]})
    await create(stubs, definition=workflow("start > out", start=strict, out=output("input")))
    request = v1.ExecuteRequest(execution_id="e", workflow_id="w", validate_only=True)
    assert list((await refusal(stubs.executions.Execute(request))).problems) == ["input.m"]
    request.input.update({"m": 1})
    assert not (await stubs.executions.Execute(request)).HasField("status")


@pytest.mark.parametrize(
    ("fields", "problems"),
    [
        ({"workflow_version": "v", "definition": to_definition(ECHO)}, {"workflow_version": "CONFLICT"}),
        ({"workflow_version": "v"}, {"definition": "REQUIRED"}),
        ({}, {"definition": "REQUIRED"}),
        ({"workflow_id": "a b"}, {"workflow_id": "INVALID_ID"}),
        ({"workflow_id": "w", "workflow_version": "a b"}, {"workflow_version": "INVALID_ID"}),
    ],
)
async def test_an_execute_that_names_neither_or_both_is_refused_with_everything_wrong(
    stubs: Stubs, fields: dict[str, Any], problems: dict[str, str]
) -> None:
    await create(stubs)
    found = await refusal(stubs.executions.Execute(v1.ExecuteRequest(priority=9_999, **fields)))
    assert found.problems == problems | {"priority": "OUT_OF_RANGE"}
    # Each once.
    assert len(found.fields) == len(found.problems)


async def test_a_definition_of_ones_own_under_a_stored_name_is_run_and_not_stored(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    stored = (await create(stubs, definition=numbered(1))).workflow.version
    await client.execute(numbered(2), execution_id="e", workflow_id="w")
    assert (await client.wait("e")).output == [{}, 2]
    assert [w.version for w in await listed(stubs, "w")] == [stored]


async def test_a_stored_workflow_outlives_its_executions(client: AsyncExecutionClient, stubs: Stubs) -> None:
    await create(stubs)
    await client.execute(execution_id="e", workflow_id="w")
    await client.wait("e")
    await client.delete("e")
    assert (await get(stubs)).definition == to_definition(ECHO)
    await client.execute(execution_id="e", workflow_id="w")
    assert (await client.wait("e")).state == "COMPLETED"
