"""The queue inside one process: what waits is in memory, in order; the store's rows are the truth."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Final

from execsvc.clock import Clock
from execsvc.errors import ExecutionNotFound, IllegalTransition, LeaseLost, StorageUnavailable
from execsvc.model import ExecutionState, ExecutionStatus, LogLevel, NewLogEntry
from execsvc.queue.waiting import KeyLimits, WaitingLine
from execsvc.store import Claim, Store, Unfinished, Updated, UpdateExecution

logger = logging.getLogger(__name__)

#: Seconds until a claim that the database could not take is tried again.
RECLAIM: Final = 1.0

#: Makes the Claim of an execution that has never run, given the status the claim answered.
Fresh = Callable[[ExecutionStatus], Claim]
#: Runs an execution whose lease was taken, until it has ended: (namespace, held, fresh).
Run = Callable[[str, ExecutionStatus, Claim | None], Awaitable[None]]


class EmbeddedQueue:
    """Takes leases and runs what it took: highest priority first, then oldest, at most ``slots`` at once.

    Slots are the leases under way, not a counter, so none can leak. Use within one event loop.

    Args:
        key_limits: how many executions with the same concurrency key run at once.
        capacity: executions that may wait; ``full`` says when no more should be let in.
        owner: name of this process, written into each lease.
    """

    def __init__(
        self, *, store: Store, clock: Clock, run: Run, slots: int, key_limits: KeyLimits, capacity: int, owner: str
    ) -> None:
        self._store = store
        self._clock = clock
        self._run = run
        self._slots = slots
        self.capacity = capacity
        self._owner = owner
        self._leases: dict[asyncio.Task[None], str] = {}
        self._by_key: dict[str, set[asyncio.Task[None]]] = {}
        self._line: WaitingLine[Fresh | None] = WaitingLine(key_limits, lambda key: len(self._by_key.get(key, ())))
        self._closed = False

    @property
    def waiting(self) -> int:
        """Executions that wait to start."""
        return len(self._line)

    @property
    def running(self) -> int:
        """Slots taken."""
        return len(self._leases)

    @property
    def full(self) -> bool:
        """Whether as many executions wait as may."""
        return len(self._line) >= self.capacity

    @property
    def has_slot(self) -> bool:
        """Whether an execution without a concurrency key that is offered now would start at once."""
        return not self._closed and not self._line and len(self._leases) < self._slots

    def describe(self, uid: str) -> str | None:
        """Say what an execution waits for, and its place; None if it does not wait here."""
        return self._line.describe(uid)

    def offer(self, item: Unfinished, fresh: Fresh | None = None) -> None:
        """Queue an execution that is PENDING or RUNNING in the store, or is being stored by a write handed in before.

        With a free slot its lease is asked for in this call, so that storing and claiming share a commit.
        """
        self._line.add(item, fresh)
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
            claim = self._claim(item)
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

    def _claim(self, item: Unfinished) -> asyncio.Future[Updated]:
        now = self._clock()
        return self._store.update(
            UpdateExecution(
                namespace=item.namespace,
                execution_id=item.execution_id,
                uid=item.uid,
                time=now,
                action="claim",
                from_states=(ExecutionState.PENDING, ExecutionState.RUNNING),
                to_state=ExecutionState.RUNNING,
                claim_owner=self._owner,
                message="running",
                running_nodes=(),
                entries=(
                    NewLogEntry(
                        time=now,
                        level=LogLevel.INFO,
                        message="execution running",
                        metadata={"event": "execution_running"},
                    ),
                ),
            )
        )

    async def _hold(self, item: Unfinished, fresh: Fresh | None, claim: asyncio.Future[Updated]) -> None:
        while True:
            try:
                held = (await claim).status
                break
            except (ExecutionNotFound, IllegalTransition, LeaseLost):
                # Stopped or deleted while it waited, or never stored.
                return
            except StorageUnavailable as error:
                logger.warning("cannot claim execution %s: %s", item.execution_id, error)
                await asyncio.sleep(RECLAIM)
                if self._closed:
                    # The next server claims it.
                    return
                claim = self._claim(item)
        await self._run(item.namespace, held, fresh(held) if fresh else None)

    def close(self) -> None:
        """Start nothing more."""
        self._closed = True

    async def join(self) -> None:
        """Wait until every lease has ended; call ``close`` first."""
        while self._leases:
            await asyncio.wait(self._leases)
