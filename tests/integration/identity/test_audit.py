"""Who did it: in the log of the execution, and of a delete in the server's."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from execsvc.model import Role
from execsvc.model.identity import token_id_of
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.support.logs import until_logged
from tests.support.nodes import Gates
from tests.support.workflows import chain


async def doers(client: AsyncExecutionClient) -> dict[str, Any]:
    """Who did what, by the event in the log of the execution."""
    found: dict[str, Any] = {}
    async with client.logs("e") as entries:
        async for entry in entries:
            event = str(entry.metadata.get("event", ""))
            if event.startswith("execution_"):
                found[event.removeprefix("execution_")] = entry.metadata.get("by")
    return found


@pytest.mark.every_store
async def test_the_log_names_who_started_and_who_controlled_an_execution(
    start_server: StartServer, gates: Gates, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    ann = await start_server.token(name="ann")
    bob = await start_server.token(role=Role.ADMIN)
    by_ann, by_bob = f"ann ({token_id_of(ann)})", token_id_of(bob)
    async with (
        start_server(auth="token", token=ann, grace=0.0) as client,
        AsyncExecutionClient(start_server.address, token=bob) as other,
    ):
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        await other.stop("e", "enough")
        found = await doers(client)
        assert (found["queued"], found["stopped"]) == (by_ann, by_bob)
        await client.retry("e")
        # Once more: it began before it was stopped as well.
        await until_logged(client, "e", "node_started", "node_started")
        await other.pause("e")
        found = await doers(client)
        assert (found["retried"], found["paused"]) == (by_ann, by_bob)
        await client.stop("e")
        await other.delete("e")

    assert f"execution e of namespace default deleted by {by_bob}" in caplog.text
    assert ann not in caplog.text
    assert bob not in caplog.text


async def test_without_auth_the_log_names_nobody(client: AsyncExecutionClient, gates: Gates) -> None:
    await client.execute(chain("a"), execution_id="e")
    await client.stop("e")

    assert set((await doers(client)).values()) == {None}
