"""Log streams: nothing missed, nothing twice, through every kind of break; and no stream that outlives its reader."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import grpc
import pytest

from execsvc_client import (
    Cancelled,
    ExecutionClient,
    ExecutionState,
    InternalError,
    LogLevel,
    NotFound,
    Unavailable,
    v1,
)

if TYPE_CHECKING:
    from clients.python.tests.conftest import Driver, ScriptedServer, Wire

FINAL = v1.ExecutionStatus(execution_id="e", state=v1.EXECUTION_STATE_COMPLETED, progress=1.0)


def sequences(entries: list[Any]) -> list[int]:
    return [entry.sequence for entry in entries]


def faults(server: ScriptedServer, *plan: tuple[int, str, int]) -> None:
    for after, how, repeat in plan:
        server.script.break_after(after, how, repeat=repeat)


async def test_five_breaks_of_every_kind_miss_nothing_and_repeat_nothing(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.grow(20, final=FINAL)
    faults(
        server,
        (4, "unavailable", 0),
        (1, "reset", 0),
        (3, "eof", 0),
        (5, "unavailable", 3),
        (2, "reset", 1),
    )
    log = driver.client.logs("e", follow=True)

    entries = await driver.read(log)

    assert sequences(entries) == list(range(1, 21))
    assert [entry.message for entry in entries] == [f"entry {n}" for n in range(1, 21)]
    asked = server.script.asked("StreamLogs")
    assert [request.after_sequence for request in asked] == [0, 4, 5, 8, 10, 11]
    assert log.last_sequence == 20
    assert log.final_status is not None
    assert log.final_status.state == "COMPLETED"


async def test_a_cut_cable_while_the_log_grows_misses_nothing(
    connect: Callable[..., Driver], server: ScriptedServer, wire: Wire
) -> None:
    driver = connect(wire.target)
    log = driver.client.logs("e", follow=True)
    seen = []
    for _ in range(5):
        server.script.grow(4)
        seen += [await driver.next(log) for _ in range(4)]
        wire.cut()
    server.script.grow(1, final=FINAL)
    seen += await driver.read(log)

    assert sequences(seen) == list(range(1, 22))


async def test_a_server_that_starts_again_on_its_port_is_found(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(3)
    log = driver.client.logs("e", follow=True)
    seen = [await driver.next(log) for _ in range(3)]
    reading = asyncio.create_task(driver.read(log))

    await asyncio.to_thread(server.stop)
    server.script.grow(3, final=FINAL)
    server.start()

    assert sequences(seen + await reading) == [1, 2, 3, 4, 5, 6]


async def test_without_follow_the_stream_ends_at_the_last_entry_also_after_a_break(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.grow(5)
    faults(server, (2, "unavailable", 0))
    log = driver.client.logs("e")

    assert sequences(await driver.read(log)) == [1, 2, 3, 4, 5]
    assert log.final_status is None


async def test_after_a_break_tail_goes_on_at_the_cursor_instead_of_counting_from_the_end_again(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.grow(10, final=FINAL)
    faults(server, (1, "unavailable", 0))

    entries = await driver.read(driver.client.logs("e", tail=4, follow=True))

    assert sequences(entries) == [7, 8, 9, 10]
    first, second = server.script.asked("StreamLogs")
    assert (first.tail, first.after_sequence) == (4, 0)
    assert (second.tail, second.after_sequence) == (0, 7)
    assert (first.uid, second.uid) == ("", "u")


async def test_what_a_filter_leaves_out_moves_the_cursor(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(6)
    server.script.grow(1, level=v1.LOG_LEVEL_ERROR, final=FINAL)
    faults(server, (6, "unavailable", 0))
    log = driver.client.logs("e", min_level=LogLevel.ERROR, follow=True)

    assert sequences(await driver.read(log)) == [7]
    assert [request.after_sequence for request in server.script.asked("StreamLogs")] == [0, 6]


async def test_last_sequence_never_runs_ahead_of_what_was_handed_out(driver: Driver, server: ScriptedServer) -> None:
    server.script.batch = 5
    server.script.grow(5, final=FINAL)
    log = driver.client.logs("e", follow=True)

    await driver.next(log)
    await driver.next(log)

    assert log.last_sequence == 2
    assert log.final_status is None
    rest = await driver.read(driver.client.logs("e", after_sequence=log.last_sequence))
    assert sequences(rest) == [3, 4, 5]


async def test_an_error_about_the_request_is_raised_at_once(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("StreamLogs", lambda context: context.abort(grpc.StatusCode.NOT_FOUND, "no such"))

    with pytest.raises(NotFound, match="no such"):
        await driver.read(driver.client.logs("e", follow=True))
    assert len(server.script.asked("StreamLogs")) == 1


async def test_an_internal_error_of_the_server_is_no_lost_connection(driver: Driver, server: ScriptedServer) -> None:
    server.script.fail("StreamLogs", lambda context: context.abort(grpc.StatusCode.INTERNAL, "a bug"))

    with pytest.raises(InternalError, match="a bug"):
        await driver.read(driver.client.logs("e", follow=True))


async def test_an_outage_longer_than_reconnect_timeout_gives_up(
    connect: Callable[..., Driver], server: ScriptedServer
) -> None:
    driver = connect(server.target, reconnect_timeout=0.3)
    server.script.grow(2)
    log = driver.client.logs("e", follow=True)
    await driver.next(log)
    await driver.next(log)
    await asyncio.to_thread(server.stop)

    with pytest.raises(Unavailable):
        await driver.next(log)
    assert log.last_sequence == 2


async def test_a_reader_that_leaves_early_ends_the_call_on_the_server(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(1)
    log = driver.client.logs("e", follow=True)
    await driver.next(log)
    assert not server.script.ended.is_set()

    await driver.close_stream(log)

    assert await asyncio.to_thread(server.script.ended.wait, 30)
    assert await driver.next(log) is None


def test_breaking_out_of_a_loop_with_a_with_block_ends_the_call(server: ScriptedServer) -> None:
    server.script.grow(2)
    with ExecutionClient(server.target) as client:
        with client.logs("e", follow=True) as log:
            for entry in log:
                assert entry.sequence == 1
                break
        assert server.script.ended.wait(30)


async def test_closing_a_stream_wakes_its_reader(driver: Driver, server: ScriptedServer) -> None:
    log = driver.client.logs("e", follow=True)
    reading = asyncio.create_task(driver.next(log))
    await server.script.until_asked("StreamLogs")

    await driver.close_stream(log)

    assert await reading is None


async def test_closing_the_client_ends_its_streams_with_cancelled(driver: Driver, server: ScriptedServer) -> None:
    log = driver.client.logs("e", follow=True)
    reading = asyncio.create_task(driver.next(log))
    await server.script.until_asked("StreamLogs")

    await driver.call("close")

    with pytest.raises(Cancelled):
        await reading


@pytest.mark.parametrize("connect", ["async"], indirect=True)
async def test_a_read_that_timed_out_loses_nothing(driver: Driver, server: ScriptedServer) -> None:
    server.script.grow(2)
    log = driver.client.logs("e", follow=True)
    seen = [await anext(log), await anext(log)]
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(anext(log), 0.05)
    server.script.grow(2, final=FINAL)

    seen += [entry async for entry in log]

    assert sequences(seen) == [1, 2, 3, 4]


@pytest.mark.parametrize("connect", ["async"], indirect=True)
async def test_cancelling_the_task_cancels_the_call_and_raises_cancelled_error(
    driver: Driver, server: ScriptedServer
) -> None:
    reading = asyncio.create_task(anext(driver.client.logs("e", follow=True)))
    await server.script.until_asked("StreamLogs")

    reading.cancel()

    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await asyncio.to_thread(server.script.ended.wait, 30)


async def test_the_final_state_reaches_a_reader_that_is_already_waiting(driver: Driver, server: ScriptedServer) -> None:
    log = driver.client.logs("e", follow=True)
    reading = asyncio.create_task(driver.read(log))
    await server.script.until_asked("StreamLogs")

    server.script.grow(1, final=FINAL)

    assert sequences(await reading) == [1]
    assert log.final_status.state is ExecutionState.COMPLETED


async def test_a_stream_knows_its_execution_and_takes_no_other_under_the_same_id(
    driver: Driver, server: ScriptedServer
) -> None:
    server.script.grow(3, final=FINAL)
    log = driver.client.logs("e", after_sequence=1, uid="older")
    before = log.uid

    await driver.read(log)

    assert [request.uid for request in server.script.asked("StreamLogs")] == ["older"]
    assert (before, log.uid) == ("older", "u")
