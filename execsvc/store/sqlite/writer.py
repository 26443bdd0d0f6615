"""One thread that writes: whatever waits goes into one transaction, and each caller is answered after COMMIT."""

from __future__ import annotations

import asyncio
import itertools
import sqlite3
import threading
from queue import Empty, SimpleQueue
from time import perf_counter

from execsvc.encoding.log_entries import encode_ahead
from execsvc.errors import StorageFull, StorageUnavailable
from execsvc.store.decisions import Change, weight
from execsvc.store.handed_in import MAX_BATCH, MAX_BATCH_BYTES, Done, HandedIn, Published, answer
from execsvc.store.observer import StoreObserver
from execsvc.store.protocol import Commit, CreateExecution, UpdateExecution
from execsvc.store.sqlite.batch import Batch
from execsvc.store.sqlite.patience import Patience
from execsvc.store.sqlite.statements import PREPARE_WRITE


class Writer:
    """Group commit over one connection.

    Args:
        db: connection in autocommit mode (``isolation_level=None``), used by this thread alone from now on.
        loop: event loop whose futures are resolved.
        publish: called on that loop after each commit.
        observer: told on that loop of each batch.
    """

    def __init__(
        self,
        db: sqlite3.Connection,
        loop: asyncio.AbstractEventLoop,
        publish: Published,
        observer: StoreObserver | None = None,
    ) -> None:
        self._db = db
        self._loop = loop
        self._publish = publish
        self._observer = observer
        self._queue: SimpleQueue[HandedIn | None] = SimpleQueue()
        for statement in PREPARE_WRITE:
            db.execute(statement)
        (next_pk,) = db.execute("SELECT coalesce(max(pk), 0) + 1 FROM executions").fetchone()
        #: What a transaction that is rolled back has taken is left out.
        self._pks = itertools.count(next_pk)
        #: Changes handed in and not answered yet. Changed on the loop alone.
        self.backlog = 0
        self._patience = Patience(lambda: self.backlog)
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="execsvc-writer", daemon=True)
        self._thread.start()

    def submit(self, change: Change) -> asyncio.Future[Done]:
        """Hand a change in; changes are carried out in the order they were handed in.

        Returns:
            A future with the outcome, resolved once it is on disk. Cancelling it does not take the change back.
        """
        future: asyncio.Future[Done] = self._loop.create_future()
        if self._closed:
            future.set_exception(StorageUnavailable("the database is closed"))
        else:
            if isinstance(change, CreateExecution | UpdateExecution):
                encode_ahead(change.entries)
            self.backlog += 1
            self._queue.put(HandedIn(change, future, perf_counter()))
            self._patience.watch(self._loop)
        return future

    async def close(self) -> None:
        """Commit what was handed in, then end the thread."""
        if not self._closed:
            self._closed = True
            self._queue.put(None)
        await asyncio.to_thread(self._thread.join)

    def _run(self) -> None:
        closing = False
        while not closing:
            first = self._queue.get()
            if first is None:
                return
            batch = [first]
            size = weight(first.change)
            while len(batch) < MAX_BATCH and size < MAX_BATCH_BYTES:
                try:
                    waiting = self._queue.get_nowait()
                except Empty:
                    break
                if waiting is None:
                    closing = True
                    break
                batch.append(waiting)
                size += weight(waiting.change)
            started = perf_counter()
            changed = self._commit(batch)
            duration = perf_counter() - started
            self._patience.stepped()
            try:
                self._loop.call_soon_threadsafe(self._deliver, batch, changed, duration)
            except RuntimeError:
                # The loop is closed: nobody waits any more, and what was committed stays committed.
                return

    def _commit(self, batch: list[HandedIn]) -> list[Commit]:
        try:
            return self._transact(batch)
        except Exception as error:
            if len(batch) > 1 and not isinstance(error, sqlite3.OperationalError):
                # One change the database refuses must not fail its neighbours.
                return [published for waiting in batch for published in self._commit([waiting])]
            for waiting in batch:
                # One each: an exception that several tasks raise collects the traces of all of them.
                waiting.outcome = _translated(error)
            return []

    def _transact(self, batch: list[HandedIn]) -> list[Commit]:
        db = self._db
        try:
            db.execute("BEGIN IMMEDIATE")
            work = Batch(db, [waiting.change for waiting in batch], new_pk=self._pks.__next__)
            for waiting in batch:
                waiting.outcome = work.decide(waiting.change)
            work.write()
            db.execute("COMMIT")
        except BaseException:
            if db.in_transaction:
                db.execute("ROLLBACK")
            raise
        return work.commits()

    def _deliver(self, batch: list[HandedIn], changed: list[Commit], duration: float) -> None:
        self.backlog -= len(batch)
        answer(batch, changed, duration, self._publish, self._observer)


def _translated(error: Exception) -> Exception:
    if not isinstance(error, sqlite3.Error):
        # The change itself is malformed, which is a bug of whoever made it.
        return error
    full = error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_FULL
    failure = StorageFull() if full else StorageUnavailable(f"the database cannot be written: {error}")
    failure.__cause__ = error
    return failure
