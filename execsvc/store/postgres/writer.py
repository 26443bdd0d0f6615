"""Group commit: whatever waits goes into one transaction, and each caller is answered once that is committed."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
from collections import deque
from collections.abc import Sequence
from time import perf_counter
from typing import Final
from uuid import uuid4

from execsvc.errors import StorageUnavailable
from execsvc.store.decisions import Change, weight
from execsvc.store.handed_in import MAX_BATCH, MAX_BATCH_BYTES, Done, HandedIn, Published, answer
from execsvc.store.observer import StoreObserver
from execsvc.store.postgres import statements as sql
from execsvc.store.postgres.batch import Batch
from execsvc.store.postgres.connections import Connection, Connections
from execsvc.store.postgres.failures import Failure, is_conflict, is_outside, is_refusal, translated
from execsvc.store.postgres.jobs import Jobs
from execsvc.store.postgres.migrations import DEFINITION_LOCK
from execsvc.store.postgres.numbers import Numbers
from execsvc.store.protocol import Commit

logger = logging.getLogger(__name__)

#: Times a batch is decided while others are quicker with what it changes.
MOST_CONFLICTS: Final = 20
#: Times a batch is begun where the connection turns out to be dead.
MOST_CONNECTIONS: Final = 3
#: Seconds between two tries to learn what became of a batch: first, and at most.
ASK_FIRST: Final = 0.05
ASK_MOST: Final = 1.0
#: Seconds that closing waits for what became of a batch.
CLOSING: Final = 5.0

_UNANSWERED: Final = ""
#: SQLSTATE of a question about a transaction that is still to come.
_NEVER_HEARD_OF: Final = "22023"


class _InDoubt(Exception):
    """The connection was lost while a batch was being committed."""

    def __init__(self, work: Batch, reason: Exception) -> None:
        self.work = work
        self.reason = reason


class Writer:
    """Writes over one connection, which it opens when it needs one.

    While the database is away changes are refused at once. A batch whose answer was lost stays unanswered until the
    database has said what became of it: nothing is told to have failed that was stored.

    Args:
        publish: called after each commit with every execution it changed.
        jobs: says what is written of their jobs.
        observer: told of each batch.
    """

    def __init__(
        self,
        connections: Connections,
        publish: Published,
        jobs: Jobs,
        observer: StoreObserver | None = None,
    ) -> None:
        self._connections = connections
        self._jobs = jobs
        self._name = uuid4().hex
        self._batches = 0
        self._publish = publish
        self._observer = observer
        self._queue: deque[HandedIn] = deque()
        self._handed_in = asyncio.Event()
        self._numbers = Numbers()
        self._db: Connection | None = None
        #: Digests of definitions that may have lost their last user.
        self._unused: set[str] = set()
        #: Changes handed in and not answered yet.
        self.backlog = 0
        self._in_doubt = self._away = self._closed = False
        self._loop = asyncio.get_running_loop()
        self._task = asyncio.create_task(self._run(), name="execsvc-writer")

    def submit(self, change: Change) -> asyncio.Future[Done]:
        """Hand a change in; changes are carried out in the order they were handed in.

        Returns:
            A future with the outcome, resolved once it is committed. Cancelling it does not take the change back.
        """
        future: asyncio.Future[Done] = self._loop.create_future()
        if self._closed:
            future.set_exception(StorageUnavailable("the database is closed"))
        elif self._in_doubt:
            future.set_exception(StorageUnavailable("the database cannot be written: there is no connection"))
        else:
            self.backlog += 1
            self._queue.append(HandedIn(change, future, perf_counter()))
            self._handed_in.set()
        return future

    async def close(self) -> None:
        """Commit what was handed in, then let go of the database."""
        self._closed = True
        self._handed_in.set()
        await self._task
        await self._disconnect()

    async def _run(self) -> None:
        while True:
            await self._handed_in.wait()
            if not self._queue:
                if self._closed:
                    return
                self._handed_in.clear()
                continue
            batch = self._take()
            started = perf_counter()
            commits = await self._commit(batch)
            self._deliver(batch, commits, perf_counter() - started)
            if self._unused:
                await self._remove_unused()

    def _take(self) -> list[HandedIn]:
        batch: list[HandedIn] = []
        size = 0
        while self._queue and len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
            batch.append(self._queue.popleft())
            size += weight(batch[-1].change)
        return batch

    async def _commit(self, batch: list[HandedIn]) -> list[Commit]:
        conflicts = connections = 0
        while True:
            try:
                return await self._transact(batch)
            except _InDoubt as lost:
                fate = await self._fate(lost.work, batch)
                if fate == "committed":
                    return lost.work.commits()
                error: Exception = lost.reason
                if fate != "aborted":
                    error = StorageUnavailable("the database went away; whether this was stored is not known")
                    return await self._give_up(batch, error)
                connections += 1
            except Exception as failure:
                error = failure
                # Of its own connection it says that there is none any more; of a new one, that none can be had.
                cut_off = self._db is not None and self._db.closed
                await self._roll_back()
                if isinstance(failure, Failure) and is_conflict(failure) and conflicts < MOST_CONFLICTS:
                    conflicts += 1
                    await asyncio.sleep(random.uniform(0, 0.002 * conflicts))
                    continue
                if not cut_off:
                    return await self._give_up(batch, error)
                connections += 1
            if connections >= MOST_CONNECTIONS:
                return await self._give_up(batch, error)

    async def _give_up(self, batch: list[HandedIn], error: Exception) -> list[Commit]:
        outside = isinstance(error, Failure) and is_outside(error)
        if len(batch) > 1 and not outside and not isinstance(error, StorageUnavailable):
            # One change the database refuses must not fail its neighbours.
            return [commit for waiting in batch for commit in await self._commit([waiting])]
        if outside and not self._away:
            self._away = True
            logger.warning("the database cannot be written: %s", error)
        for waiting in batch:
            # One each: an exception that several tasks raise collects the traces of all of them.
            if isinstance(error, Failure):
                waiting.outcome = translated(error, "written")
            else:
                waiting.outcome = StorageUnavailable(str(error)) if isinstance(error, StorageUnavailable) else error
        return []

    async def _transact(self, batch: list[HandedIn]) -> list[Commit]:
        db = await self._connected()
        work = Batch(db, [waiting.change for waiting in batch], self._numbers, self._jobs, self._mark())
        await work.find()
        for waiting in batch:
            waiting.outcome = work.decide(waiting.change)
        work.prepare()
        try:
            await work.write()
        except Exception as error:
            if is_refusal(error):
                raise
            # Whatever it is, the commit may have come through before it.
            await self._disconnect()
            raise _InDoubt(work, error) from error
        self._unused |= work.unused
        if self._away:
            self._away = False
            logger.info("the database can be written again")
        return work.commits()

    def _mark(self) -> tuple[str, int]:
        self._batches += 1
        return self._name, self._batches

    async def _connected(self) -> Connection:
        if self._db is None or self._db.closed:
            await self._disconnect()
            self._db = await self._connections.connect()
        return self._db

    async def _disconnect(self) -> None:
        db, self._db = self._db, None
        if db is not None:
            with contextlib.suppress(Failure):
                await db.close()

    async def _roll_back(self) -> None:
        if self._db is None:
            return
        try:
            await self._db.rollback()
        except Failure:
            await self._disconnect()

    async def _fate(self, work: Batch, batch: Sequence[HandedIn]) -> str | None:
        """Find out what became of a batch; None if that cannot be said. What is handed in meanwhile is refused."""
        logger.warning("the connection was lost while %d changes were being committed", len(batch))
        self._in_doubt = True
        self._refuse_the_rest()
        delay, deadline = ASK_FIRST, None
        try:
            while True:
                fate = await self._asked(work)
                if fate != _UNANSWERED:
                    logger.info("what became of them: %s", fate)
                    return fate
                if self._closed:
                    deadline = deadline or self._loop.time() + CLOSING
                    if self._loop.time() > deadline:
                        return None
                await asyncio.sleep(delay)
                delay = min(2 * delay, ASK_MOST)
        finally:
            self._in_doubt = False

    async def _asked(self, work: Batch) -> str | None:
        try:
            db = await self._connected()
            ((fate,),) = await (await db.execute(sql.STATUS_OF_TRANSACTION, (work.transaction,))).fetchall()
            if fate == "committed":
                ((mine,),) = await (await db.execute(sql.IS_LAST, work.mark)).fetchall()
                # Another's, to whom the number was given after a crash.
                fate = fate if mine else "aborted"
        except Failure as error:
            await self._disconnect()
            # A standby that took over has never heard of it.
            return "aborted" if error.sqlstate == _NEVER_HEARD_OF else _UNANSWERED
        # Its server process may not have noticed yet that nobody listens.
        return _UNANSWERED if fate == "in progress" else fate

    def _refuse_the_rest(self) -> None:
        rest = list(self._queue)
        self._queue.clear()
        for waiting in rest:
            waiting.outcome = StorageUnavailable("the database cannot be written: the connection was lost")
        if rest:
            self._deliver(rest, [], 0.0)

    async def _remove_unused(self) -> None:
        """Remove definitions that nobody uses, in a transaction of its own: it holds up whoever is to use one."""
        digests = sorted(self._unused)
        try:
            db = await self._connected()
            unused = await (await db.execute(sql.FIND_UNUSED, (digests,))).fetchall()
            if unused:
                async with db.pipeline():
                    await db.execute(sql.BEGIN)
                    await db.execute(sql.LOCK, (DEFINITION_LOCK,))
                    await db.execute(sql.DELETE_UNUSED, ([digest for (digest,) in unused],))
                    await db.execute(sql.COMMIT)
            self._unused.clear()
        except Failure as error:
            # They are kept for the next time.
            logger.warning("definitions that nobody uses cannot be removed now: %s", error)
            await self._roll_back()

    def _deliver(self, batch: Sequence[HandedIn], commits: list[Commit], duration: float) -> None:
        self.backlog -= len(batch)
        answer(batch, commits, duration, self._publish, self._observer)
