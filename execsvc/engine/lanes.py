"""Where effects run: inside LangGraph tasks, in shared runs of one functional-API entrypoint.

A task of LangGraph costs as much as all else that the engine does for an effect, and a run as much as two tasks; so
executions share *lanes*: a run whose task hosts a bounded number of effects, side by side, and is then replaced. Each
effect has LangGraph's context around it: its configuration, its stream writer, its runtime.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Generic, TypeVar

from langgraph.func import entrypoint, task

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Effects one lane hosts. What code of a node leaves behind in its LangGraph run goes with the lane.
EFFECTS_PER_LANE: Final = 500
#: Seconds after which abandoned work that goes on is cancelled once more: on CPython 3.11 ``asyncio.wait_for``, which
#: libraries use, forgets a cancellation that comes together with its result.
CANCEL_AGAIN: Final = 0.5
#: How often abandoned work is cancelled at most; what is still there then ignores it.
CANCELS: Final = 20


class _Slot(Generic[T]):
    """One piece of work, its outcome, and whoever waits for it."""

    __slots__ = ("_waiter", "_work", "error", "result")

    def __init__(self, work: Callable[[], Awaitable[T]], waiter: asyncio.Future[None]) -> None:
        self._work = work
        self._waiter = waiter
        self.result: T
        self.error: BaseException | None = None

    async def run(self) -> None:
        """Do the work and keep what came of it. Raises nothing: some errors in a task would end the event loop."""
        try:
            self.result = await self._work()
        except BaseException as error:
            self.error = error

    def ended(self, effect: asyncio.Task[None]) -> None:
        """Wake whoever waits."""
        if effect.cancelled():
            # Before it began.
            self.error = asyncio.CancelledError()
        if not self._waiter.done():
            self._waiter.set_result(None)


def _abandon(work: asyncio.Task[None], times: int = CANCELS) -> None:
    """Cancel work that nobody waits for any more, and again while it goes on."""
    if not work.done() and times:
        work.cancel()
        asyncio.get_running_loop().call_later(CANCEL_AGAIN, _abandon, work, times - 1)


class _Lane:
    """One run of the entrypoint."""

    def __init__(self) -> None:
        self.hosted = 0
        self.effects: set[asyncio.Task[None]] = set()
        #: Effects that have come and not ended yet.
        self._under_way = 0
        self._context: contextvars.Context | None = None
        self._open = asyncio.Event()
        self._retired = False
        self._finished = asyncio.Event()
        self.run = asyncio.create_task(_lane.ainvoke(self), name="execsvc-lane")
        self.run.add_done_callback(lambda _: self._open.set())

    async def host(self) -> None:
        """Body of the lane's task: stay until every effect is done and no more will come."""
        self._context = contextvars.copy_context()
        self._open.set()
        try:
            await self._finished.wait()
        finally:
            for effect in self.effects:
                _abandon(effect)

    async def start(self, slot: _Slot[Any]) -> asyncio.Task[None]:
        """Begin a piece of work in this lane."""
        self.hosted += 1
        self._under_way += 1
        try:
            context = self._context or await self._opened()
        except BaseException:
            self._left()
            raise
        effect = asyncio.create_task(slot.run(), context=context.copy())
        self.effects.add(effect)
        effect.add_done_callback(slot.ended)
        effect.add_done_callback(self._ended)
        return effect

    async def _opened(self) -> contextvars.Context:
        await self._open.wait()
        if self._context is None:
            await self.run
            raise RuntimeError("a LangGraph run ended before it began")
        return self._context

    def _ended(self, effect: asyncio.Task[None]) -> None:
        self.effects.discard(effect)
        self._left()

    def _left(self) -> None:
        self._under_way -= 1
        self._settle()

    def retire(self) -> None:
        """Take no more effects, and end with the last one."""
        self._retired = True
        self._settle()

    def _settle(self) -> None:
        if self._retired and not self._under_way:
            self._finished.set()


@task
async def _effects(lane: _Lane) -> None:
    await lane.host()


@entrypoint()
async def _lane(lane: _Lane) -> None:
    await _effects(lane)


class Lanes:
    """Runs effects inside LangGraph tasks. Use within one event loop; ``close`` when done."""

    def __init__(self) -> None:
        self._current: _Lane | None = None
        self._next: _Lane | None = None
        self._lanes: set[_Lane] = set()

    def _new(self) -> _Lane:
        lane = _Lane()
        self._lanes.add(lane)
        lane.run.add_done_callback(lambda _: self._lanes.discard(lane))
        return lane

    def _lane(self) -> _Lane:
        lane = self._current
        if lane is None or lane.hosted >= EFFECTS_PER_LANE or lane.run.done():
            if lane is not None:
                lane.retire()
            lane = self._current = self._next if self._next is not None else self._new()
            self._next = None
        if self._next is None and lane.hosted >= EFFECTS_PER_LANE // 2:
            # Opened ahead, so that no effect waits for a run to be set up.
            self._next = self._new()
        return lane

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work`` inside a lane's task; answers what it answers and raises what it raises.

        Cancelling this call cancels the work and returns at once, whether or not the work minds.
        """
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        slot = _Slot(work, waiter)
        effect = await self._lane().start(slot)
        try:
            await waiter
        except asyncio.CancelledError:
            _abandon(effect)
            raise
        if slot.error is not None:
            raise slot.error
        return slot.result

    async def close(self, grace: float = 1.0) -> None:
        """End all lanes; work still under way after ``grace`` seconds is cancelled, and after as many more given up."""
        for lane in (self._current, self._next):
            if lane is not None:
                lane.retire()
        if self._lanes:
            await asyncio.wait([lane.run for lane in self._lanes], timeout=grace)
        late = {task for lane in self._lanes for task in (lane.run, *lane.effects)}
        for lane in self._lanes:
            lane.run.cancel()
        if late and (await asyncio.wait(late, timeout=grace))[1]:
            logger.warning("nodes that swallow their cancellation are left behind")
