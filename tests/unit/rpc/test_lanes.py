"""Who is let in when there is more to do than can be done: turns, bursts, queues that stand, limits that adapt."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

import pytest
from google.protobuf.descriptor_pool import Default

from execsvc.errors import Overloaded, TooManyStreams
from execsvc.rpc.admission import KINDS, Kind, kind_of
from execsvc.rpc.lanes import BRIEF, LEAST, PATIENCE, REMEMBERED, ROOM, STANDING, WINDOW, Lane, Limit, Streams
from execsvc.rpc.server import SERVICES


class Clock:
    """Seconds that a test moves."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


def lane(most: int) -> tuple[Lane, Clock]:
    """A lane that works on so many calls at once."""
    clock = Clock()
    return Lane(Limit(most, adapts=False), clock), clock


async def asked(lane: Lane, *clients: str) -> list[asyncio.Task[None]]:
    """Have each of the clients ask, in this order."""
    tasks = []
    for client in clients:
        tasks.append(asyncio.create_task(lane.enter(client)))
        await asyncio.sleep(0)
    return tasks


async def settled(*tasks: Awaitable[None]) -> None:
    """Give what may go on its turn."""
    for _ in range(5):
        await asyncio.sleep(0)


def let_in(tasks: list[asyncio.Task[None]]) -> list[bool]:
    """Which of them were let in by now."""
    return [task.done() and task.exception() is None for task in tasks]


def test_every_method_of_the_api_has_a_kind_and_the_rest_is_shed_first() -> None:
    for service in SERVICES:
        methods = {method.name: method for method in Default().FindServiceByName(service).methods}
        assert set(KINDS[service]) == set(methods), f"say of each method of {service} what kind of call it is"
        for name, method in methods.items():
            assert (KINDS[service][name] is Kind.STREAM) == method.server_streaming
    assert kind_of("/execsvc.v1.ExecutionService/SomethingNew") is Kind.WORK
    assert kind_of("/execsvc.v1.ExecutionService/Control") is Kind.CONTROL


async def test_calls_are_let_in_up_to_the_limit_and_the_next_as_one_leaves() -> None:
    full, _ = lane(2)
    calls = await asked(full, "a", "a", "a")
    assert let_in(calls) == [True, True, False]
    assert (full.busy, full.waiting) == (2, 1)

    full.leave()
    await settled()

    assert let_in(calls) == [True, True, True]
    assert (full.busy, full.waiting) == (2, 0)


async def test_clients_take_turns_however_many_calls_one_of_them_has() -> None:
    full, _ = lane(1)
    await asked(full, "first")
    crowd = await asked(full, *["crowd"] * 50)
    other = await asked(full, "other")

    for _ in range(2):
        full.leave()
        await settled()

    assert let_in(other) == [True]
    assert let_in(crowd).count(True) == 1
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_a_burst_is_worked_off() -> None:
    full, clock = lane(1)
    await asked(full, "a")
    burst = await asked(full, *["a"] * 100)
    for _ in range(100):
        clock.now += 0.9 * STANDING / 100
        full.leave()
        await settled()

    assert all(let_in(burst))


async def test_in_a_queue_that_stands_nobody_waits_for_long() -> None:
    full, clock = lane(1)
    await asked(full, "a")
    early = await asked(full, "a", "b")
    clock.now += STANDING + BRIEF
    full.leave()
    await settled()

    # Whoever would be served too late is told so at once, and the place is free for whoever comes now.
    assert [type(task.exception()) for task in early] == [Overloaded, Overloaded]
    assert (full.busy, full.waiting) == (0, 0)
    await full.enter("a")
    # For a while a new queue counts as standing from its beginning.
    late = await asked(full, "b")
    clock.now += 2 * BRIEF
    full.leave()
    await settled()
    assert isinstance(late[0].exception(), Overloaded)
    clock.now += REMEMBERED
    await full.enter("a")
    patient = await asked(full, "b")
    clock.now += min(PATIENCE, STANDING) / 2
    full.leave()
    await settled()
    assert let_in(patient) == [True]


async def test_a_crowd_is_refused_at_once_past_its_share_and_others_are_not() -> None:
    full, clock = lane(4)
    await asked(full, *["crowd"] * 4)
    burst = await asked(full, "crowd")
    clock.now += STANDING + BRIEF
    full.leave()
    await settled()
    assert isinstance(burst[0].exception(), Overloaded)
    await full.enter("crowd")

    crowd = await asked(full, *["crowd"] * 10)
    await settled()
    other = await asked(full, "other")

    refused = [task for task in crowd if task.done() and isinstance(task.exception(), Overloaded)]
    assert len(refused) == 6
    full.leave()
    full.leave()
    await settled()
    assert let_in(other) == [True]
    for task in crowd:
        task.cancel()
    await asyncio.gather(*crowd, return_exceptions=True)


async def test_the_room_to_wait_is_bounded() -> None:
    full, _ = lane(1)
    await asked(full, "a")
    waiting = [asyncio.create_task(full.enter("a")) for _ in range(ROOM)]
    await settled()

    with pytest.raises(Overloaded):
        await full.enter("a")
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    for _ in range(3):
        full.leave()
    assert full.waiting == 0


async def test_a_call_that_is_given_up_takes_no_place() -> None:
    full, _ = lane(1)
    await asked(full, "a")
    gone, next_one = await asked(full, "a", "a")
    gone.cancel()
    await settled()
    full.leave()
    await settled()
    assert let_in([next_one]) == [True]
    # Given up in the very moment in which it was let in.
    (both,) = await asked(full, "a")
    full.leave()
    both.cancel()
    await asyncio.gather(both, return_exceptions=True)
    assert (full.busy, full.waiting) == (0, 0)


def test_calls_that_slow_each_other_down_are_worked_on_fewer_at_once() -> None:
    limit = Limit(256, adapts=True)
    for _ in range(WINDOW):
        limit.took(0.002, full=False)
    for _ in range(50 * WINDOW):
        limit.took(0.5, full=True)
    assert limit.value < 2 * LEAST
    for _ in range(100 * WINDOW):
        limit.took(0.002, full=True)
    assert limit.value == 256


def test_a_database_that_is_always_slow_costs_no_places() -> None:
    limit = Limit(256, adapts=True)
    for _ in range(100 * WINDOW):
        limit.took(0.3, full=True)
    assert limit.value == 256


def test_a_client_with_64_calls_in_flight_is_never_sent_away() -> None:
    clock = Clock()
    lane = Lane(Limit(256, adapts=True), clock)
    assert all(lane.enter_at_once() for _ in range(64))
    # A machine that gets slower and slower: each call that ends is followed by the next one.
    for number in range(100 * WINDOW):
        clock.now += 0.1
        lane.leave(0.002 * (1 + number))
        assert lane.enter_at_once(), number
    assert (lane.busy, lane.waiting) == (64, 0)


def test_places_that_are_not_used_do_not_grow() -> None:
    limit = Limit(256, adapts=True)
    before = limit.value
    for _ in range(100 * WINDOW):
        limit.took(0.001, full=False)
    assert limit.value == before


def test_streams_are_counted_and_shared_where_they_get_few() -> None:
    streams = Streams(8)
    for _ in range(7):
        streams.enter("crowd")
    # Nobody else is there: all are for the taking, but the first of somebody else is let in.
    streams.enter("other")
    with pytest.raises(TooManyStreams):
        streams.enter("other")
    for _ in range(4):
        streams.leave("crowd")
    assert streams.count == 4
    streams.enter("crowd")
    with pytest.raises(TooManyStreams):
        streams.enter("crowd")
    for _ in range(3):
        streams.enter("other")
    streams.leave("other")
    assert streams.count == 7
