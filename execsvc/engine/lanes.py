"""Where effects run: LangGraph tasks, hosted in shared runs of one functional-API entrypoint.

A run of an entrypoint costs as much to set up as two of its tasks, and each task costs more the more tasks its run
has had; so executions share *lanes*: runs that host a bounded number of tasks and are then replaced.
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

#: Tasks one lane hosts. Up to some 50, a task costs the same wherever it stands in its run.
TASKS_PER_LANE: Final = 50
#: Seconds after which abandoned work that goes on is cancelled once more: on CPython 3.11 ``asyncio.wait_for``, which
#: libraries use, forgets a cancellation that comes together with its result.
CANCEL_AGAIN: Final = 0.5
#: How often abandoned work is cancelled at most; what is still there then ignores it.
CANCELS: Final = 20


class _Slot(Generic[T]):
    """One piece of work, its outcome, and a way to cut it off that LangGraph does not notice."""

    __slots__ = ("_abandoned", "_running", "_work", "error", "result")

    def __init__(self, work: Callable[[], Awaitable[T]]) -> None:
        self._work = work
        self._running: asyncio.Task[Any] | None = None
        self._abandoned = False
        self.result: T
        self.error: BaseException | None = None

    async def run(self) -> None:
        """Do the work and keep what came of it. Raises nothing: an error in one task would end its whole lane."""
        if self._abandoned:
            return
        self._running = asyncio.current_task()
        try:
            self.result = await self._work()
        except asyncio.CancelledError as error:
            self.error = error
            if (current := asyncio.current_task()) is not None:
                # LangGraph goes on in this task and must not find it half cancelled.
                current.uncancel()
        except BaseException as error:
            self.error = error
        finally:
            self._running = None

    def abandon(self, times: int = CANCELS) -> None:
        """Cancel the work, and again while it goes on; nobody waits for it any more."""
        self._abandoned = True
        if self._running is not None and times:
            self._running.cancel()
            asyncio.get_running_loop().call_later(CANCEL_AGAIN, self.abandon, times - 1)


async def run_slot(slot: _Slot[Any]) -> None:
    """Run a slot. Importable under its own name, since LangGraph keeps what it prepares only for such functions."""
    await slot.run()


_effect = task(run_slot)


class _Lane:
    """One run of the entrypoint."""

    def __init__(self) -> None:
        self.hosted = 0
        self._under_way = 0
        self._context: contextvars.Context | None = None
        self._open = asyncio.Event()
        self._retired = False
        self._finished = asyncio.Event()
        self.run = asyncio.create_task(_lane.ainvoke(self), name="execsvc-lane")
        self.run.add_done_callback(lambda _: self._open.set())

    async def host(self) -> None:
        """Body of the entrypoint: stay until every task is done and no more will come."""
        self._context = contextvars.copy_context()
        self._open.set()
        await self._finished.wait()

    async def submit(self, slot: _Slot[Any]) -> None:
        """Run a slot as a task of this lane; returns once it has ended."""
        self.hosted += 1
        self._under_way += 1
        try:
            if self._context is None:
                await self._open.wait()
                if self._context is None:
                    await self.run
                    raise RuntimeError("a LangGraph run ended before it began")
            await self._context.copy().run(_effect, slot)
        finally:
            self._under_way -= 1
            self._settle()

    def retire(self) -> None:
        """Take no more tasks, and end with the last one."""
        self._retired = True
        self._settle()

    def _settle(self) -> None:
        if self._retired and not self._under_way:
            self._finished.set()


@entrypoint()
async def _lane(lane: _Lane) -> None:
    await lane.host()


class Lanes:
    """Runs effects as LangGraph tasks. Use within one event loop; ``close`` when done."""

    def __init__(self) -> None:
        self._current: _Lane | None = None
        self._next: _Lane | None = None
        self._lanes: set[asyncio.Task[Any]] = set()

    def _new(self) -> _Lane:
        lane = _Lane()
        self._lanes.add(lane.run)
        lane.run.add_done_callback(self._lanes.discard)
        return lane

    def _lane(self) -> _Lane:
        lane = self._current
        if lane is None or lane.hosted >= TASKS_PER_LANE or lane.run.done():
            if lane is not None:
                lane.retire()
            lane = self._current = self._next if self._next is not None else self._new()
            self._next = None
        if self._next is None and lane.hosted >= TASKS_PER_LANE // 2:
            # Opened ahead, so that no effect waits for a run to be set up.
            self._next = self._new()
        return lane

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """Run ``work`` as a task; answers what it answers and raises what it raises.

        Cancelling this call cancels the work and returns at once, whether or not the work minds.
        """
        slot = _Slot(work)
        try:
            await self._lane().submit(slot)
        except asyncio.CancelledError:
            slot.abandon()
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
            _, late = await asyncio.wait(self._lanes, timeout=grace)
            for run in late:
                run.cancel()
            stuck = (await asyncio.wait(late, timeout=grace))[1] if late else ()
            if stuck:
                logger.warning("nodes that swallow their cancellation are left behind")
