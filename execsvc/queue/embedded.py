"""The queue inside one process: what waits is in memory, in order; the store's rows are the truth."""

from __future__ import annotations

import asyncio
import logging

from execsvc.clock import Clock
from execsvc.queue.claims import Claims
from execsvc.queue.port import Fresh, Run, Waited
from execsvc.queue.waiting import KeyLimits, WaitingLine
from execsvc.record import record
from execsvc.store import Store, Unfinished, Updated

logger = logging.getLogger(__name__)


@record(frozen=True, slots=True)
class _Offer:
    fresh: Fresh | None
    #: When it was offered.
    time: int


class EmbeddedQueue:
    """Takes leases and runs what it took: highest priority first, then oldest, at most ``slots`` at once.

    Slots are the leases under way, not a counter, so none can leak. Use within one event loop.

    Args:
        key_limits: how many executions with the same concurrency key run at once.
        capacity: executions that may wait; ``full_for`` says when no more should be let in.
        owner: name of this process, written into each lease.
        waited: told of each execution that starts.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        run: Run,
        slots: int,
        key_limits: KeyLimits,
        capacity: int,
        owner: str,
        waited: Waited | None = None,
    ) -> None:
        self._claims = Claims(store=store, clock=clock, owner=owner, closed=lambda: self._closed)
        self._clock = clock
        self._run = run
        self._slots = slots
        self.capacity = capacity
        self._waited = waited
        self._leases: dict[asyncio.Task[None], str] = {}
        self._by_key: dict[str, set[asyncio.Task[None]]] = {}
        self._line: WaitingLine[_Offer] = WaitingLine(key_limits, lambda key: len(self._by_key.get(key, ())))
        #: Executions that are let in once the write that makes them PENDING is on disk, by uid.
        self._expected: set[str] = set()
        self._closed = False

    @property
    def waiting(self) -> int:
        """Executions that wait to start."""
        return len(self._line)

    @property
    def running(self) -> int:
        """Slots taken."""
        return len(self._leases)

    async def full_for(self, key: str) -> bool:
        """Whether an execution with this concurrency key would have to wait where as many wait as may."""
        free = self._slots - len(self._leases) if self.has_slot_for(key) else 0
        expected = len(self._expected)
        return expected >= free and len(self._line) + expected - free >= self.capacity

    def has_slot_for(self, key: str) -> bool:
        """Whether an execution with this concurrency key that is offered now would start at once."""
        # With a free slot, what waits is held back by its own key.
        return not self._closed and len(self._leases) < self._slots and self._line.has_room(key)

    async def is_held(self, uid: str) -> bool:
        """See ``Queue.is_held``: there is no other process."""
        return False

    async def describe(self, uid: str) -> str | None:
        """Say what an execution waits for, and its place; None if it does not wait here."""
        return self._line.describe(uid)

    def expect(self, uid: str) -> None:
        """Keep a place for an execution that will be offered, so that ``full_for`` counts it, until ``let_go``."""
        self._expected.add(uid)

    def let_go(self, uid: str) -> None:
        """Free the place kept for an execution: it is offered now, or will not be. There need not be one."""
        self._expected.discard(uid)

    def offer(self, item: Unfinished, fresh: Fresh | None = None, *, stored: bool = True) -> None:
        """Queue an execution that is PENDING or RUNNING in the store, or is being stored by a write handed in before.

        With a free slot its lease is asked for in this call, so that storing and claiming share a commit.
        """
        if item.uid in self._claims.delayed:
            # Paused and resumed while the database kept its claim waiting: that claim is under way still.
            return
        self._line.add(item, _Offer(fresh, self._clock()))
        self._fill()

    def withdraw(self, uid: str) -> None:
        """Forget an execution that waits; does nothing if it does not."""
        self._line.remove(uid)

    def _fill(self) -> None:
        while len(self._leases) < self._slots and not self._closed:
            waiting = self._line.take()
            if waiting is None:
                return
            item = waiting.item
            claim = self._claims.ask(item)
            lease = asyncio.create_task(self._hold(item, waiting.extra, claim), name=f"execution {item.execution_id}")
            self._leases[lease] = item.concurrency_key
            if item.concurrency_key:
                self._by_key.setdefault(item.concurrency_key, set()).add(lease)
                self._line.refresh(item.concurrency_key)
            lease.add_done_callback(self._released)

    def _released(self, lease: asyncio.Task[None]) -> None:
        key = self._leases.pop(lease)
        if key:
            leases = self._by_key[key]
            leases.discard(lease)
            if not leases:
                del self._by_key[key]
            self._line.refresh(key)
        if not lease.cancelled() and (error := lease.exception()) is not None:
            logger.error("%s ended with an error", lease.get_name(), exc_info=error)
        self._fill()

    async def _hold(self, item: Unfinished, offer: _Offer, claim: asyncio.Future[Updated]) -> None:
        held = await self._claims.settled(item, claim)
        if held is None:
            return
        if self._waited is not None:
            self._waited((self._clock() - offer.time) / 1e6)
        await self._run(item.namespace, held, offer.fresh(held) if offer.fresh else None)

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True

    async def join(self) -> None:
        """Wait until every lease has ended; call ``close`` first."""
        while self._leases:
            await asyncio.wait(self._leases)
