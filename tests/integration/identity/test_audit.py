"""Who did it: in the log of the execution, in the audit trail, and of a delete in the server's log."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
import pytest

from execsvc.model import Actor, ActorKind, Role
from execsvc.model.identity import token_id_of
from execsvc.service import history
from execsvc_client import AsyncExecutionClient, FailedPrecondition, PermissionDenied, to_definition, v1
from tests.integration.conftest import StartServer
from tests.support.clocks import HandClock
from tests.support.logs import until_logged
from tests.support.nodes import Gates
from tests.support.tokens import DAY, NOW
from tests.support.workflows import ECHO, chain


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
        start_server(auth="token", token=ann, grace=0.0, audit="off") as client,
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

    # Of those who made the tokens alone.
    assert {one.action for one in await start_server.audited()} == {"create_token"}
    assert f"execution e of namespace default deleted by {by_bob}" in caplog.text
    assert ann not in caplog.text
    assert bob not in caplog.text


async def test_without_auth_the_log_names_nobody(client: AsyncExecutionClient, gates: Gates) -> None:
    await client.execute(chain("a"), execution_id="e")
    await client.stop("e")

    assert set((await doers(client)).values()) == {None}


@pytest.mark.every_store
async def test_the_audit_trail_outlives_what_was_done_and_says_who_did_it_and_from_where(
    start_server: StartServer, gates: Gates
) -> None:
    ann = await start_server.token(name="ann", namespace="a")
    bob = await start_server.token(role=Role.ADMIN, namespace="a")
    async with (
        start_server(auth="token", token=ann, grace=0.0) as client,
        AsyncExecutionClient(start_server.address, token=bob) as other,
    ):
        await client.create_workflow("w", ECHO)
        await client.create_workflow("w", ECHO)
        for _ in range(2):
            await client.execute(chain("a"), execution_id="e")
        uid = (await client.get("e")).uid
        await gates.entered("a")
        await other.pause("e")
        await other.resume("e")
        await client.stop("e", request_id="r7")
        await client.stop("e", request_id="r7")
        with pytest.raises(FailedPrecondition):
            await client.pause("e")
        await client.retry("e")
        await client.stop("e")
        with pytest.raises(PermissionDenied):
            await client.delete("e")
        await other.delete("e")

    by_ann, by_bob = token_id_of(ann), token_id_of(bob)
    found = [one for one in await start_server.audited() if one.action != "create_token"]
    assert [(one.actor.name, one.action, one.outcome) for one in found] == [
        (by_ann, "create_workflow", "CREATED"),
        (by_ann, "execute", "PENDING"),
        (by_bob, "pause", "PAUSED"),
        (by_bob, "resume", "RUNNING"),
        (by_ann, "stop", "STOPPED"),
        (by_ann, "retry", "PENDING"),
        (by_ann, "stop", "STOPPED"),
        (by_bob, "delete", "DELETED"),
    ]
    assert {(one.target, one.uid) for one in found[1:]} == {("e", uid)}
    assert {(one.namespace, one.actor.kind, one.actor.address) for one in found} == {
        ("a", ActorKind.TOKEN, "127.0.0.1")
    }
    assert (found[1].actor.label, found[1].actor.role, found[-1].actor.role) == ("ann", "operator", "admin")
    assert found[4].actor.request_id == "r7"


async def test_the_audit_trail_names_a_request_as_its_caller_did(start_server: StartServer) -> None:
    async with (
        start_server(audit="on"),
        grpc.aio.insecure_channel(start_server.address) as channel,
    ):
        request = v1.ExecuteRequest(execution_id="e", definition=to_definition(ECHO))
        await v1.ExecutionServiceStub(channel).Execute(request, metadata=[("x-request-id", "from-the-balancer")])

    (found,) = await start_server.audited()
    assert found.actor == Actor(
        kind=ActorKind.ANONYMOUS, role="admin", address="127.0.0.1", request_id="from-the-balancer"
    )


@pytest.mark.every_store
async def test_what_retention_removes_is_on_record_and_the_trail_has_a_retention_of_its_own(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "PRUNE_INTERVAL", 0.05)
    monkeypatch.setattr(history, "PRUNE_RECORDS", 2)
    clock = HandClock(NOW)
    async with start_server(audit="on", clock=clock, retention=10 * DAY, audit_retention=30 * DAY) as client:
        for name in "abc":
            await client.execute(ECHO, {"n": 1}, execution_id=name)
            await client.wait(name)
        clock.advance(11 * DAY / 1e6)
        await until(lambda: counted(start_server, "delete", 3))
        clock.advance(20 * DAY / 1e6)
        await until(lambda: counted(start_server, "execute", 0))
        found = await start_server.audited()

    assert [(one.action, one.actor.kind, one.outcome) for one in found] == [
        ("delete", ActorKind.RETENTION, "DELETED")
    ] * 3
    assert {one.target for one in found} == set("abc")


async def counted(start_server: StartServer, action: str, wanted: int) -> bool:
    """Whether so many records are of an action."""
    return sum(one.action == action for one in await start_server.audited()) == wanted


async def until(holds: Callable[[], Awaitable[bool]]) -> None:
    """Wait until something holds."""
    async with asyncio.timeout(30):
        while not await holds():  # noqa: ASYNC110
            await asyncio.sleep(0.02)
