"""The queue inside one process: what waits is in memory, in order; the store's rows are the truth."""

from __future__ import annotations

import asyncio
import logging

from execsvc.clock import Clock
from execsvc.errors import QueueFull
from execsvc.log_fields import fields, set_fields
from execsvc.model import UNLIMITED, Namespaces
from execsvc.queue.claims import Claims
from execsvc.queue.port import Fresh, Run, Waited
from execsvc.queue.waiting import KeyLimits, Lane, WaitingLine, is_full, lanes_of, lanes_of_key
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
        key_limits: how many executions of a namespace with the same concurrency key run at once.
        namespaces: how many executions of a namespace run and wait.
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
        namespaces: Namespaces = UNLIMITED,
    ) -> None:
        self._claims = Claims(store=store, clock=clock, owner=owner, closed=lambda: self._closed)
        self._clock = clock
        self._run = run
        self._slots = slots
        self.capacity = capacity
        self._waited = waited
        self._namespaces = namespaces
        self._leases: dict[asyncio.Task[None], Unfinished] = {}
        self._by_lane: dict[Lane, set[asyncio.Task[None]]] = {}
        self._line: WaitingLine[_Offer] = WaitingLine(key_limits, self._running_of, namespaces)
        #: Executions that are let in once the write that makes them PENDING is on disk: uid and namespace.
        self._expected: dict[str, str] = {}
        self._closed = False

    @property
    def waiting(self) -> int:
        """Executions that wait to start."""
        return len(self._line)

    @property
    def running(self) -> int:
        """Slots taken."""
        return len(self._leases)

    def _running_of(self, lane: Lane) -> int:
        return len(self._by_lane.get(lane, ()))

    async def full_for(self, namespace: str, key: str) -> QueueFull | None:
        """See ``Queue.full_for``."""
        free = self._slots - len(self._leases) if self.has_slot_for(namespace, key) else 0
        if is_full(len(self._line), len(self._expected), free, self.capacity):
            return QueueFull(self.capacity)
        limits = self._namespaces.of(namespace)
        if limits.queued is None:
            return None
        if limits.slots is not None:
            free = max(0, min(free, limits.slots - self._running_of((namespace, ""))))
        expected = sum(one == namespace for one in self._expected.values())
        full = is_full(self._line.of_namespace(namespace), expected, free, limits.queued)
        return QueueFull(limits.queued, of_namespace=True) if full else None

    def has_slot_for(self, namespace: str, key: str) -> bool:
        """See ``Queue.has_slot_for``."""
        # With a free slot, what waits is held back by limits of its own.
        free = not self._closed and len(self._leases) < self._slots
        return free and all(map(self._line.has_room, lanes_of_key(namespace, key)))

    async def is_held(self, uid: str) -> bool:
        """See ``Queue.is_held``: there is no other process."""
        return False

    async def describe(self, uid: str, namespace: str) -> str | None:
        """Say what an execution waits for, and its place; None if it does not wait here."""
        return self._line.describe(uid)

    def expect(self, uid: str, namespace: str) -> None:
        """See ``Queue.expect``."""
        self._expected[uid] = namespace

    def let_go(self, uid: str) -> None:
        """Free the place kept for an execution: it is offered now, or will not be. There need not be one."""
        self._expected.pop(uid, None)

    def offer(self, item: Unfinished, fresh: Fresh | None = None, *, stored: bool = True) -> None:
        """Queue an execution that is PENDING or RUNNING in the store, or is being stored by a write handed in before.

        With a free slot its lease is asked for in this call, so that storing and claiming share a commit.
        """
        if item.uid in self._claims.delayed:
            # Paused and resumed while the database kept its claim waiting: that claim is under way still.
            return
        offer = _Offer(fresh, self._clock())
        if not self._line and self.has_slot_for(item.namespace, item.concurrency_key):
            self._start(item, offer)
        else:
            self._line.add(item, offer)
            self._fill()

    def withdraw(self, uid: str) -> None:
        """Forget an execution that waits; does nothing if it does not."""
        self._line.remove(uid)

    def _fill(self) -> None:
        while len(self._leases) < self._slots and not self._closed:
            waiting = self._line.take()
            if waiting is None:
                return
            self._start(waiting.item, waiting.extra)

    def _start(self, item: Unfinished, offer: _Offer) -> None:
        claim = self._claims.ask(item)
        lease = asyncio.create_task(self._hold(item, offer, claim), name=f"execution {item.execution_id}")
        self._leases[lease] = item
        for lane in lanes_of(item):
            self._by_lane.setdefault(lane, set()).add(lease)
            self._line.refresh(lane)
        lease.add_done_callback(self._released)

    def _released(self, lease: asyncio.Task[None]) -> None:
        for lane in lanes_of(self._leases.pop(lease)):
            leases = self._by_lane[lane]
            leases.discard(lease)
            if not leases:
                del self._by_lane[lane]
            self._line.refresh(lane)
        if not lease.cancelled() and (error := lease.exception()) is not None:
            with fields({"execution_id": lease.get_name().removeprefix("execution ")}):
                logger.error("%s ended with an error", lease.get_name(), exc_info=error)
        self._fill()

    async def _hold(self, item: Unfinished, offer: _Offer, claim: asyncio.Future[Updated]) -> None:
        # Not those of the call that happened to start it.
        set_fields(namespace=item.namespace, execution_id=item.execution_id)
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
