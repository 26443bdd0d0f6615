"""Watches: whole snapshots out of changes, through every kind of break; the last one is final."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from execsvc_client import Cancelled, ExecutionClient, NotFound, Unavailable, v1

if TYPE_CHECKING:
    from clients.python.tests.conftest import Driver, ScriptedServer

PENDING, RUNNING, DONE = v1.NODE_STATE_PENDING, v1.NODE_STATE_RUNNING, v1.NODE_STATE_COMPLETED


def seen(
    state: str = "RUNNING", progress: float = 0.0, tokens: str = "", dropped: bool = False, **nodes: Any
) -> v1.WatchExecutionResponse:
    """A response with nodes in these states."""
    return v1.WatchExecutionResponse(
        status=v1.ExecutionStatus(
            execution_id="e", state=v1.ExecutionState.Value(f"EXECUTION_STATE_{state}"), progress=progress
        ),
        nodes=[v1.NodeRun(node_id=name, type="llm", state=value) for name, value in nodes.items()],
        tokens=[v1.TokenChunk(node_id="b", attempt=1, text=tokens)] if tokens else [],
        tokens_dropped=dropped,
    )


def told(snapshots: list[Any]) -> list[Any]:
    """State, changed nodes, and the state of every node, of each snapshot."""
    return [
        (str(one.state), one.changed, {name: str(node.state) for name, node in one.nodes.items()}) for one in snapshots
    ]


async def test_each_snapshot_holds_all_nodes_and_names_those_that_changed(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.watches.append(
        [seen("PENDING", a=PENDING, b=PENDING), seen(a=DONE, b=RUNNING), seen("COMPLETED", 1.0, b=DONE)]
    )
    watch = driver.client.watch("e")

    snapshots = await driver.read(watch)

    assert told(snapshots) == [
        ("PENDING", ("a", "b"), {"a": "PENDING", "b": "PENDING"}),
        ("RUNNING", ("a", "b"), {"a": "COMPLETED", "b": "RUNNING"}),
        ("COMPLETED", ("b",), {"a": "COMPLETED", "b": "COMPLETED"}),
    ]
    assert watch.final_status == snapshots[-1].status
    (request,) = server.script.asked("WatchExecution")
    assert (request.execution_id, request.include_tokens) == ("e", False)


async def test_the_final_status_is_not_told_before_its_snapshot(driver: Driver, server: ScriptedServer) -> None:
    server.script.watches.append([seen(a=RUNNING), seen("FAILED", a=DONE)])
    watch: Any = driver.client.watch("e")

    await driver.next(watch)
    before = watch.final_status
    await driver.next(watch)
    assert before is None
    assert watch.final_status.state == "FAILED"
    assert await driver.next(watch) is None


async def test_an_execution_that_has_ended_is_one_snapshot(driver: Driver, server: ScriptedServer) -> None:
    server.script.watches.append([seen("STOPPED", a=v1.NODE_STATE_CANCELLED)])

    (snapshot,) = await driver.read(driver.client.watch("e"))

    assert snapshot.state.terminal


async def test_what_only_says_that_the_server_lives_is_no_snapshot(driver: Driver, server: ScriptedServer) -> None:
    server.script.watches.append([seen(a=RUNNING), seen(), seen(), seen(progress=0.5), seen("COMPLETED", 1.0, a=DONE)])

    snapshots = await driver.read(driver.client.watch("e"))

    assert [snapshot.status.progress for snapshot in snapshots] == [0.0, 0.5, 1.0]
    assert [snapshot.changed for snapshot in snapshots] == [("a",), (), ("a",)]


async def test_after_a_break_it_begins_with_a_fresh_snapshot_that_names_what_changed_meanwhile(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.watches += [
        [seen(a=RUNNING, b=PENDING)],
        [seen(a=DONE, b=PENDING)],
        [seen("COMPLETED", 1.0, a=DONE, b=DONE)],
    ]

    snapshots = await driver.read(driver.client.watch("e"))

    assert [snapshot.changed for snapshot in snapshots] == [("a", "b"), ("a",), ("b",)]
    assert len(server.script.asked("WatchExecution")) == 3
    assert not any(snapshot.tokens_dropped for snapshot in snapshots)


async def test_tokens_are_handed_on_and_a_break_among_them_is_told(driver: Driver, server: ScriptedServer) -> None:
    server.script.watches += [
        [seen(b=RUNNING), seen(tokens="Hel"), seen(tokens="lo", dropped=True)],
        [seen(b=RUNNING), seen("COMPLETED", 1.0, tokens="!", b=DONE)],
    ]

    snapshots = await driver.read(driver.client.watch("e", include_tokens=True))

    assert ["".join(chunk.text for chunk in one.tokens) for one in snapshots] == ["", "Hel", "lo", "", "!"]
    assert [one.tokens_dropped for one in snapshots] == [False, False, True, True, False]
    assert (snapshots[1].tokens[0].node_id, snapshots[1].tokens[0].attempt) == ("b", 1)
    assert all(request.include_tokens for request in server.script.asked("WatchExecution"))


async def test_an_error_about_the_request_is_raised_at_once(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("WatchExecution", lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "no such"))

    with pytest.raises(NotFound, match="no such"):
        await driver.read(driver.client.watch("e"))
    assert len(server.script.asked("WatchExecution")) == 1


async def test_an_outage_longer_than_reconnect_timeout_gives_up(
    connect: Callable[..., Driver], server: ScriptedServer
) -> None:
    driver = connect(server.target, reconnect_timeout=0.3)
    server.script.watches.append([seen(a=RUNNING)])
    watch = driver.client.watch("e")
    await driver.next(watch)
    await asyncio.to_thread(server.stop)

    with pytest.raises(Unavailable):
        await driver.read(watch)


async def test_a_server_that_starts_again_on_its_port_is_found(driver: Driver, server: ScriptedServer) -> None:
    server.script.watches.append([seen(a=RUNNING)])
    watch = driver.client.watch("e")
    await driver.next(watch)
    reading = asyncio.create_task(driver.read(watch))

    await asyncio.to_thread(server.stop)
    server.script.watches.append([seen("COMPLETED", 1.0, a=DONE)])
    server.start()

    assert told(await reading) == [("COMPLETED", ("a",), {"a": "COMPLETED"})]


async def test_closing_a_watch_ends_the_call_on_the_server(driver: Driver, server: ScriptedServer) -> None:
    server.script.watches.append([seen(a=RUNNING)])
    watch = driver.client.watch("e")
    await driver.next(watch)

    await driver.close_stream(watch)

    assert await asyncio.to_thread(server.script.ended.wait, 30)
    assert await driver.next(watch) is None


def test_breaking_out_of_a_loop_with_a_with_block_ends_the_call(server: ScriptedServer) -> None:
    server.script.watches.append([seen(a=RUNNING)])
    with ExecutionClient(server.target) as client:
        with client.watch("e") as watch:
            for snapshot in watch:
                assert snapshot.state == "RUNNING"
                break
        assert server.script.ended.wait(30)


async def test_closing_the_client_ends_its_watches_with_cancelled(driver: Driver, server: ScriptedServer) -> None:
    watch = driver.client.watch("e")
    reading = asyncio.create_task(driver.next(watch))
    await server.script.until_asked("WatchExecution")

    await driver.call("close")

    with pytest.raises(Cancelled):
        await reading
