"""Slots are the leases under way: whatever becomes of one, its slot comes back; nothing runs twice."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from typing import Any

import pytest

from execsvc.errors import StorageUnavailable
from execsvc.model import ExecutionState, ExecutionStatus
from execsvc.queue import EmbeddedQueue, KeyLimits, claims
from execsvc.store import Claim, SqliteStore, Unfinished, UpdateExecution
from tests.support.changes import NAMESPACE, NOW, create, move
from tests.support.clocks import HandClock


class World:
    """A queue over a real store, with runs that end when they are told to."""

    def __init__(self, store: SqliteStore, **settings: Any) -> None:
        self.store = store
        self.ends: defaultdict[str, asyncio.Future[None]] = defaultdict(asyncio.get_running_loop().create_future)
        self.started: list[str] = []
        values: dict[str, Any] = {"slots": 2, "key_limits": KeyLimits(overrides={"one": 1}), "capacity": 3, **settings}
        self.queue = EmbeddedQueue(store=store, clock=HandClock(), run=self.run, owner="me", **values)

    async def run(self, namespace: str, held: ExecutionStatus, claim: Claim | None) -> ExecutionState:
        assert held.state is ExecutionState.RUNNING
        execution_id = held.execution_id
        self.started.append(execution_id)
        await self.ends[execution_id]
        return ExecutionState.COMPLETED

    def offer(self, execution_id: str, *, priority: int = 0, key: str = "", uid: str = "") -> None:
        self.queue.offer(
            Unfinished(
                namespace=NAMESPACE,
                execution_id=execution_id,
                uid=uid or f"uid-{execution_id}",
                state=ExecutionState.PENDING,
                priority=priority,
                create_time=NOW,
                concurrency_key=key,
            )
        )

    async def add(self, *execution_ids: str, **fields: Any) -> None:
        for execution_id in execution_ids:
            await self.store.create(create(execution_id))
            self.offer(execution_id, **fields)

    def end(self, execution_id: str, error: Exception | None = None) -> None:
        if error is None:
            self.ends[execution_id].set_result(None)
        else:
            self.ends[execution_id].set_exception(error)

    async def until_started(self, *execution_ids: str) -> None:
        await self.until(lambda: set(execution_ids) <= set(self.started))

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(30):
            while not holds():
                await _turn()


async def _turn() -> None:
    # Leases end in callbacks, which nothing tells of.
    await asyncio.sleep(0.001)


@pytest.fixture
async def world(store: SqliteStore) -> AsyncIterator[World]:
    """A queue with two slots."""
    world = World(store)
    yield world
    world.queue.close()
    for end in world.ends.values():
        if not end.done():
            end.set_result(None)
    world.ends.default_factory = _done
    await world.queue.join()
    assert world.queue.running == 0


def _done() -> asyncio.Future[None]:
    done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    done.set_result(None)
    return done


async def test_no_more_run_than_there_are_slots_and_the_next_starts_as_one_ends(world: World) -> None:
    await world.add("a", "b", "c", "d")
    await world.until_started("a", "b")
    assert (world.queue.running, world.queue.waiting) == (2, 2)
    world.end("b")
    await world.until_started("c")
    assert world.started == ["a", "b", "c"]
    assert (world.queue.running, world.queue.waiting) == (2, 1)


async def test_a_run_that_fails_gives_its_slot_back(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.add("a", "b", "c")
    await world.until_started("a", "b")
    world.end("a", RuntimeError("a bug"))
    await world.until_started("c")
    assert "a bug" in caplog.text
    world.end("b")
    world.end("c")
    await world.until(lambda: world.queue.running == 0)


async def test_one_that_was_stopped_while_it_waited_takes_no_slot(world: World, store: SqliteStore) -> None:
    await world.add("a", "b", "c", "d")
    await world.until_started("a", "b")
    await store.update(move("c", ExecutionState.STOPPED))
    world.queue.withdraw("uid-c")
    assert world.queue.waiting == 1
    world.end("a")
    await world.until_started("d")
    assert "c" not in world.started


async def test_one_that_was_stopped_unnoticed_gives_its_slot_back(world: World, store: SqliteStore) -> None:
    await world.add("a", "b", "c", "d")
    await world.until_started("a", "b")
    await store.update(move("c", ExecutionState.STOPPED))
    world.end("a")
    await world.until_started("d")
    assert "c" not in world.started


async def test_one_that_was_never_stored_gives_its_slot_back(world: World) -> None:
    for number in range(5):
        world.offer(f"ghost{number}")
    await world.add("a", "b")
    await world.until_started("a", "b")
    assert world.queue.waiting == 0


async def test_a_claim_that_the_database_cannot_take_is_tried_again_and_runs_once(
    world: World, store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claims, "RECLAIM", 0.01)
    real, down = store.update, True

    def update(change: UpdateExecution) -> asyncio.Future[Any]:
        if not down:
            return real(change)
        failed: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        failed.set_exception(StorageUnavailable())
        refused.set()
        return failed

    refused = asyncio.Event()
    await store.create(create("a"))
    monkeypatch.setattr(store, "update", update)
    world.offer("a")
    await refused.wait()
    await _turn()
    # Paused and resumed meanwhile: it is offered a second time.
    world.offer("a")
    down = False
    await world.until_started("a")
    await world.add("b")
    await world.until_started("b")
    assert world.started == ["a", "b"]
    assert (world.queue.running, world.queue.waiting) == (2, 0)
    assert (await store.status(NAMESPACE, "a")).epoch == 1


async def test_a_key_at_its_limit_leaves_the_slots_to_others(world: World) -> None:
    await world.add("a", "b", key="one")
    await world.add("c")
    await world.until_started("a", "c")
    assert world.queue.waiting == 1
    world.end("c")
    await world.until(lambda: world.queue.running == 1)
    assert world.started == ["a", "c"]
    world.end("a")
    await world.until_started("b")


async def test_a_key_is_free_again_when_its_run_fails(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.add("a", "b", key="one")
    await world.until_started("a")
    world.end("a", RuntimeError("a bug"))
    await world.until_started("b")
    assert caplog.records


async def test_it_knows_whether_one_with_a_key_would_start_at_once(world: World) -> None:
    assert world.queue.has_slot_for(NAMESPACE, "one")
    await world.add("a", key="one")
    assert not world.queue.has_slot_for(NAMESPACE, "one")
    # A backlog of the key takes no slot from others.
    await world.add("b", key="one")
    assert world.queue.has_slot_for(NAMESPACE, "")
    assert world.queue.has_slot_for(NAMESPACE, "other")
    await world.add("c")
    assert not world.queue.has_slot_for(NAMESPACE, "")


async def test_it_is_full_for_those_that_would_have_to_wait(world: World) -> None:
    await world.add("a", "b", "c", "d", key="one")
    assert world.queue.waiting == world.queue.capacity
    assert await world.queue.full_for(NAMESPACE, "one")
    # One slot is free still.
    assert not await world.queue.full_for(NAMESPACE, "")
    await world.add("e")
    assert await world.queue.full_for(NAMESPACE, "")


async def test_without_room_to_wait_what_starts_at_once_is_taken(store: SqliteStore) -> None:
    world = World(store, capacity=0, slots=1)
    assert not await world.queue.full_for(NAMESPACE, "")
    await world.add("a")
    assert await world.queue.full_for(NAMESPACE, "")
    world.queue.close()
    world.end("a")
    await world.queue.join()


async def test_places_that_are_kept_count_until_they_are_let_go(store: SqliteStore) -> None:
    world = World(store, capacity=1, slots=1)
    # One may start, and one may wait.
    world.queue.expect("first", NAMESPACE)
    assert not await world.queue.full_for(NAMESPACE, "")
    world.queue.expect("second", NAMESPACE)
    assert await world.queue.full_for(NAMESPACE, "")
    world.queue.let_go("second")
    assert not await world.queue.full_for(NAMESPACE, "")
    await world.add("a", "b")
    world.queue.let_go("first")
    assert await world.queue.full_for(NAMESPACE, "")
    world.queue.close()
    world.end("a")
    await world.queue.join()


async def test_once_closed_it_starts_nothing_more(world: World) -> None:
    await world.add("a")
    await world.until_started("a")
    world.queue.close()
    await world.add("b")
    assert not world.queue.has_slot_for(NAMESPACE, "")
    world.end("a")
    await world.queue.join()
    assert world.started == ["a"]


async def test_who_waits_can_be_asked_why(world: World) -> None:
    await world.add("a", "b", "c", "d")
    assert await world.queue.describe("uid-a", NAMESPACE) is None
    assert await world.queue.describe("uid-d", NAMESPACE) == "waiting for a slot, place 2 of 2"
