"""The queue of servers that share a store: what waits is in the database, and each takes from it as its slots allow."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import Counter
from typing import Final

from execsvc import cancellation
from execsvc.clock import Clock
from execsvc.errors import QueueFull, StorageUnavailable
from execsvc.log_fields import fields, set_fields
from execsvc.model import UNLIMITED, ExecutionState, Namespaces
from execsvc.queue.claims import Claims
from execsvc.queue.port import Fresh, Run, Waited
from execsvc.queue.waiting import KeyLimits, is_full, waits_for
from execsvc.store import Beat, Commit, KeyRoom, Membership, Store, Unfinished, Updated

logger = logging.getLogger(__name__)

#: Executions taken by one fetch at most, so that servers with room share what comes at once.
AT_ONCE: Final = 8
#: When something is stored that is not yet.
NOT_YET: Final = float("inf")
#: Seconds that a sign of life takes: what is stored meanwhile may not be in its count.
BEAT_TAKES: Final = 0.1
#: Seconds that the count of what waits of a namespace is taken to hold, but for what is offered here.
FRESH: Final = 1.0
#: Seconds until the database is asked again where it could not answer.
AGAIN: Final = 0.5
#: Seconds that closing tries to hand over what is left.
HANDING_OVER: Final = 3.0
#: Seconds that a question after a place waits for what has just come to be looked at.
LOOKING: Final = 1.0
#: States in which a run leaves executions that its server still holds.
_HELD: Final = frozenset({ExecutionState.RUNNING, ExecutionState.PAUSED})


class DistributedQueue:
    """Implements ``Queue``. ``start`` it once, before anything is offered.

    An execution that is stored while a slot is free here, and whose key has no limit, is taken in the commit that
    stores it. Everything else waits in the database for whoever has a slot first. How many wait is known from there as
    of the last sign of life, and counted on from then: what several servers let in within a second may overrun the
    capacity.

    Args:
        key_limits: how many executions of a namespace with the same concurrency key run at once, on all servers
            together.
        namespaces: how many executions of a namespace run and wait, on all servers together.
        capacity: executions that may wait, on all servers together.
        owner: name of this process, written into each lease.
        waited: told of each execution that starts.
    """

    def __init__(
        self,
        *,
        store: Store,
        members: Membership,
        clock: Clock,
        run: Run,
        slots: int,
        key_limits: KeyLimits,
        capacity: int,
        owner: str,
        waited: Waited | None = None,
        namespaces: Namespaces = UNLIMITED,
    ) -> None:
        self._members = members
        self._clock = clock
        self._run = run
        self._slots = slots
        self._limits = key_limits
        self._namespaces = namespaces
        self._room = KeyRoom(
            default=key_limits.default,
            overrides=key_limits.overrides,
            slots=namespaces.default.slots,
            namespaces={name: limits.slots for name, limits in namespaces.overrides.items()},
        )
        self.capacity = capacity
        self._waited = waited
        self._claims = Claims(store=store, clock=clock, owner=owner, closed=lambda: self._closed)
        self._leases: dict[asyncio.Task[ExecutionState], Unfinished] = {}
        self._uids: Counter[str] = Counter()
        #: Executions whose lease has ended here, and which the database does not know of yet.
        self._ended: set[str] = set()
        #: Executions that the database says are held here, and are not; as of the last sign of life.
        self._strange: set[str] = set()
        self._waiting = 0
        #: Executions offered here that the last count may have missed: when they were stored, on the loop's clock.
        self._counted: dict[str, float] = {}
        #: Executions that will be offered: uid and namespace.
        self._expected: dict[str, str] = {}
        #: Of namespaces that may have so many waiting: how many did, when that was asked, and those offered since.
        self._of_namespace: dict[str, tuple[int, float]] = {}
        #: Whether something may wait that can be taken.
        self._worth_a_look = True
        #: Whether a fetch is under way.
        self._looking = False
        self._wanted = asyncio.Event()
        self._looked = asyncio.Event()
        self._closed = False
        self._task: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        members.keep(lambda: self._uids)
        members.on_work(self._look)
        members.on_beat(self._on_beat)
        store.listen(self._on_commit)

    def start(self) -> None:
        """Begin to take what waits."""
        self._task = asyncio.create_task(self._keep_filling(), name="execsvc-queue")
        self._wanted.set()

    @property
    def waiting(self) -> int:
        """See ``Queue.waiting``: on all servers together."""
        return self._waiting

    @property
    def running(self) -> int:
        """See ``Queue.running``."""
        return len(self._leases)

    @property
    def _free(self) -> int:
        return 0 if self._closed else max(0, self._slots - len(self._leases))

    async def full_for(self, namespace: str, key: str) -> QueueFull | None:
        """See ``Queue.full_for``: before it is said, free slots are filled and what waits is counted anew."""
        if self._seems_full_for(namespace, key):
            await self._until_looked()
            if self._seems_full_for(namespace, key):
                asked = self._loop.time()
                self._count(await self._members.count(), asked)
            if self._seems_full_for(namespace, key):
                return QueueFull(self.capacity)
        return await self._full_of(namespace, key)

    async def _full_of(self, namespace: str, key: str) -> QueueFull | None:
        most = self._namespaces.of(namespace).queued
        if most is None:
            return None
        waiting, asked = self._of_namespace.get(namespace, (most, float("-inf")))
        if self._loop.time() - asked > FRESH or is_full(waiting, self._expected_of(namespace), 0, most):
            await self._until_looked()
            asked = self._loop.time()
            waiting = await self._members.count_of(namespace, most)
            self._of_namespace[namespace] = (waiting, asked)
        # Whoever starts at once does not wait.
        free = self._free if self.has_slot_for(namespace, key) else 0
        full = is_full(waiting, self._expected_of(namespace), free, most)
        return QueueFull(most, of_namespace=True) if full else None

    def _expected_of(self, namespace: str) -> int:
        return sum(one == namespace for one in self._expected.values())

    def _seems_full_for(self, namespace: str, key: str) -> bool:
        free = self._free if self.has_slot_for(namespace, key) else 0
        return is_full(self._waiting, len(self._expected), free, self.capacity)

    def has_slot_for(self, namespace: str, key: str) -> bool:
        """See ``Queue.has_slot_for``. Whoever may have come first is looked for before that is said."""
        return self._free > 0 and not self._is_limited(namespace, key) and not self._is_behind

    def _is_limited(self, namespace: str, key: str) -> bool:
        return self._limits.of(key) is not None or self._namespaces.of(namespace).slots is not None

    @property
    def _is_behind(self) -> bool:
        return self._worth_a_look or self._looking

    async def is_held(self, uid: str) -> bool:
        """See ``Queue.is_held``."""
        return await self._members.is_held(uid)

    async def describe(self, uid: str, namespace: str) -> str | None:
        """See ``Queue.describe``."""
        await self._until_looked()
        found = await self._members.place(uid, self._room)
        if found is None:
            return None
        if found.key is None:
            return f"waiting for a slot, place {found.place} of {found.length}"
        limit = self._limits.of(found.key) if found.key else self._namespaces.of(namespace).slots
        return waits_for(found.key, limit, found.place, found.length)

    async def _until_looked(self) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(LOOKING):
                while self._is_behind and self._free:
                    self._looked.clear()
                    await self._looked.wait()

    def expect(self, uid: str, namespace: str) -> None:
        """See ``Queue.expect``."""
        self._expected[uid] = namespace

    def let_go(self, uid: str) -> None:
        """See ``Queue.let_go``."""
        self._expected.pop(uid, None)

    def offer(self, item: Unfinished, fresh: Fresh | None = None, *, stored: bool = True) -> None:
        """See ``Queue.offer``."""
        if fresh is not None and self.has_slot_for(item.namespace, item.concurrency_key):
            # Nobody has claimed what is being stored. Whoever does before this claim, has it.
            self._start(item, self._claims.ask(item, epoch=0), since=self._clock(), fresh=fresh, epoch=0)
            return
        if known := self._of_namespace.get(item.namespace):
            self._of_namespace[item.namespace] = (known[0] + 1, known[1])
        if not self._free and item.uid not in self._counted:
            # The commit of what is stored has been told of by now, and will not be again.
            self._counted[item.uid] = self._loop.time() if stored else NOT_YET
            self._waiting += 1
        self._look()

    def withdraw(self, uid: str) -> None:
        """See ``Queue.withdraw``: its job goes with the write that ends or pauses it."""
        self._no_longer_waits(uid)

    def close(self) -> None:
        """See ``Queue.close``."""
        self._closed = True
        self._looked.set()

    async def join(self) -> None:
        """See ``Queue.join``; also hands over to the other servers what has not ended."""
        while self._leases:
            await asyncio.wait(self._leases)
        if self._task is not None:
            await cancellation.end(self._task)
        try:
            async with asyncio.timeout(HANDING_OVER):
                while self._ended:
                    try:
                        await self._hand_over()
                    except StorageUnavailable:
                        await asyncio.sleep(AGAIN)
        except TimeoutError:
            logger.warning("%d executions could not be handed over; other servers find out", len(self._ended))

    # What the store tells

    def _look(self) -> None:
        self._worth_a_look = True
        self._wanted.set()

    def _on_commit(self, commit: Commit) -> None:
        if self._counted.get(commit.status.uid) == NOT_YET:
            self._counted[commit.status.uid] = self._loop.time()
        if commit.status.state is ExecutionState.PENDING and self._free:
            self._look()

    def _on_beat(self, beat: Beat) -> None:
        self._count(beat.waiting, self._loop.time() - BEAT_TAKES)
        # Taken by a fetch whose answer was lost, for one.
        strange = {uid for uid in beat.held if not self._uids[uid]} - self._ended
        self._ended |= strange & self._strange
        self._strange = strange
        # Whether anything was told of or not.
        if beat.waiting or self._ended:
            self._look()

    def _count(self, waiting: int, asked: float) -> None:
        """Take over what the database counted, and add what was not stored by the time it was asked."""
        self._counted = {uid: stored for uid, stored in self._counted.items() if stored >= asked}
        self._waiting = waiting + len(self._counted)

    def _no_longer_waits(self, uid: str) -> None:
        if self._counted.pop(uid, None) is not None:
            self._waiting = max(0, self._waiting - 1)

    # Taking

    async def _keep_filling(self) -> None:
        told = False
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            try:
                if self._ended:
                    await self._hand_over()
                if self._worth_a_look and self._free:
                    await self._fill()
                told = False
            except StorageUnavailable as error:
                if not told:
                    logger.warning("cannot look for what waits: %s", error)
                told = True
                await asyncio.sleep(AGAIN)
                self._wanted.set()
            except Exception:
                # A bug, but no reason to take nothing any more.
                logger.exception("the queue failed")
                await asyncio.sleep(AGAIN)
                self._wanted.set()

    async def _hand_over(self) -> None:
        ended = [uid for uid in self._ended if not self._uids[uid]]
        self._ended.clear()
        try:
            if ended:
                await self._members.give_back(ended)
        except BaseException:
            self._ended.update(ended)
            raise

    async def _fill(self) -> None:
        most, self._worth_a_look = min(self._free, AT_ONCE), False
        asked, self._looking = self._loop.time(), True
        try:
            fetched = await self._members.fetch(most, self._room)
        except BaseException:
            self._worth_a_look = True
            raise
        finally:
            self._looking = False
        if fetched.left is None:
            self._waiting = max(0, self._waiting - len(fetched.taken))
        else:
            self._count(fetched.left, asked)
        for taken in fetched.taken:
            item = taken.item
            if self._closed:
                self._ended.add(item.uid)
                self._wanted.set()
            else:
                self._start(item, self._claims.ask(item), since=taken.since)
        if len(fetched.taken) >= most:
            # There may be more, for the next slot.
            self._look()
        self._looked.set()

    def _start(
        self,
        item: Unfinished,
        claim: asyncio.Future[Updated],
        *,
        since: int,
        fresh: Fresh | None = None,
        epoch: int | None = None,
    ) -> None:
        self._counted.pop(item.uid, None)
        hold = self._hold(item, claim, since, fresh, epoch)
        lease = asyncio.create_task(hold, name=f"execution {item.execution_id}")
        self._leases[lease] = item
        self._uids[item.uid] += 1
        lease.add_done_callback(self._released)

    async def _hold(
        self, item: Unfinished, claim: asyncio.Future[Updated], since: int, fresh: Fresh | None, epoch: int | None
    ) -> ExecutionState:
        # Not those of the call that happened to start it.
        set_fields(namespace=item.namespace, execution_id=item.execution_id)
        held = await self._claims.settled(item, claim, epoch=epoch)
        if held is None:
            # Whether its job is still held here is for the database to say.
            return ExecutionState.RUNNING
        if self._waited is not None:
            self._waited(max(0, self._clock() - since) / 1e6)
        return await self._run(item.namespace, held, fresh(held) if fresh else None)

    def _released(self, lease: asyncio.Task[ExecutionState]) -> None:
        item = self._leases.pop(lease)
        self._uids[item.uid] -= 1
        if not self._uids[item.uid]:
            del self._uids[item.uid]
        error = None if lease.cancelled() else lease.exception()
        if error is not None:
            with fields({"namespace": item.namespace, "execution_id": item.execution_id}):
                logger.error("%s ended with an error", lease.get_name(), exc_info=error)
        if lease.cancelled() or error is not None or lease.result() in _HELD:
            self._ended.add(item.uid)
        if self._is_limited(item.namespace, item.concurrency_key):
            # Procrastinate tells nobody of a successor.
            self._look()
        elif self._ended or self._worth_a_look:
            self._wanted.set()
