"""What stands under configured keys is used by executions, and shown to nobody."""

from __future__ import annotations

import pytest

from execsvc.model import Role
from execsvc_client import ExecutionState
from tests.integration.conftest import StartServer
from tests.integration.gateway.conftest import started
from tests.support.nodes import Gates
from tests.support.workflows import gate, node, output, transform, workflow

LOGIN = workflow(
    "start > wait > join > out",
    start=node("input", schema={"properties": {"password": {"type": "string", "minLength": 7}}}),
    wait=gate("a", fail_with="LATER", failures=1, retryable=False, value={"accessToken": "t-1", "user": "Ada"}),
    join=transform("{'length': size(input.password), 'nested': [{'password': input.password}]}"),
    out=output(
        "{'token': nodes.wait.accessToken, 'length': nodes.join.length, 'access_token': nodes.wait.accessToken}"
    ),
)


@pytest.mark.every_store
@pytest.mark.parametrize("role", list(Role))
async def test_values_of_configured_keys_are_used_and_not_shown(
    start_server: StartServer, gates: Gates, role: Role
) -> None:
    gates.open("a")
    admin = await start_server.token(role=Role.ADMIN)
    async with (
        start_server(auth="token", token=admin, redact=("password", "access_token")) as client,
        started(start_server.address) as http,
    ):
        await client.execute(LOGIN, {"password": "hunter2"}, execution_id="e")
        assert (await client.wait("e")).state == ExecutionState.FAILED
        # It goes on with what was really given.
        await client.retry("e")
        await client.wait("e")
        shown = {"Authorization": f"Bearer {await start_server.token(role=role)}"}
        execution = (await http.calls.get("/api/v1/execute/e", headers=shown)).json()

    assert execution["input_data"] == {"password": "[redacted]"}
    assert execution["output"] == {"token": "t-1", "length": 7, "access_token": "[redacted]"}
    outputs = {found["node_id"]: found.get("output") for found in execution["nodes"]}
    assert outputs["start"] == {"password": "[redacted]"}
    assert outputs["wait"] == {"accessToken": "[redacted]", "user": "Ada"}
    assert outputs["join"] == {"length": 7, "nested": [{"password": "[redacted]"}]}
    assert "hunter2" not in str(execution)


async def test_facts_of_log_entries_are_redacted_before_they_are_stored(start_server: StartServer) -> None:
    said = workflow("a > out", a=node("odd", how="log object"), out=output())
    async with start_server(redact=("fine",)) as client:
        await client.execute(said, {}, execution_id="e")
        await client.wait("e")
    # A server that redacts nothing has nothing else to show.
    async with start_server() as client:
        entries = [entry async for entry in client.logs("e")]

    (facts,) = [entry.metadata for entry in entries if entry.message == "an object"]
    assert facts["fine"] == "[redacted]"


async def test_without_the_setting_everything_is_shown_as_it_is(start_server: StartServer, gates: Gates) -> None:
    gates.open("a")
    async with start_server() as client:
        await client.execute(LOGIN, {"password": "hunter2"}, execution_id="e")
        await client.wait("e")
        assert (await client.get("e")).input == {"password": "hunter2"}
