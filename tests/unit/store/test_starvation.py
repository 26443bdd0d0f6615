"""A thread that holds the interpreter never leaves a commit, or a read, waiting for long.

A call into SQLite gives the interpreter's lock up, and beside a busy thread gets it back after a switch interval at the
earliest. So the number of calls must not grow with the number of changes or rows, and the interval must be short.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import sqlite3
import sys
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from execsvc.app import SWITCH_INTERVAL, run_tuned
from execsvc.model import ErrorInfo, ExecutionState, LogLevel, NodeRun, NodeState
from execsvc.store import SqliteStore
from tests.support.changes import NAMESPACE, claim, create, entries, move, update

#: What was called since this was cleared, on whatever thread: the verb of a statement, or "row" for each row fetched.
calls: list[str] = []


class CountingCursor(sqlite3.Cursor):
    """Notes each call that gives the interpreter up."""

    def execute(self, sql: str, *arguments: Any) -> Any:
        calls.append(sql.split()[0])
        return super().execute(sql, *arguments)

    def executemany(self, sql: str, rows: Any) -> Any:
        rows = list(rows)
        calls.extend(["INSERT"] * len(rows))
        return super().executemany(sql, rows)

    def __next__(self) -> Any:
        calls.append("row")
        return super().__next__()

    def fetchone(self) -> Any:
        calls.append("row")
        return super().fetchone()

    def fetchmany(self, size: int | None = 1) -> Any:
        rows = super().fetchmany(size)
        calls.extend(["row"] * len(rows))
        return rows

    def fetchall(self) -> Any:
        rows = super().fetchall()
        calls.extend(["row"] * len(rows))
        return rows


class CountingConnection(sqlite3.Connection):
    """Makes cursors that count."""

    def cursor(self, factory: Any = CountingCursor) -> Any:
        return super().cursor(factory)

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.execute(*arguments)

    def executemany(self, sql: str, rows: Any) -> sqlite3.Cursor:
        cursor: sqlite3.Cursor = self.cursor()
        return cursor.executemany(sql, rows)


@pytest.fixture
async def counted(path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[SqliteStore]:
    """A store whose calls into SQLite are noted in ``calls``."""
    monkeypatch.setattr(sqlite3, "connect", partial(sqlite3.connect, factory=CountingConnection))
    store = await SqliteStore.open(path)
    yield store
    await store.close()


def whole_lives(store: SqliteStore, count: int) -> list[asyncio.Future[Any]]:
    """As many executions from their creation to their end, with everything that a change can hold."""
    futures: list[asyncio.Future[Any]] = []
    for i in range(count):
        execution_id = f"{count}.{i}"
        nodes = [NodeRun(node_id=f"n{n}", state=NodeState.RUNNING, output=b"1") for n in range(3)]
        error = ErrorInfo(type="T", message="m")
        futures += [
            store.create(create(execution_id, definition_digest=f"d{i}", log=entries("a", "b"))),
            store.update(claim(execution_id, request_id="r1")),
            store.update(update(execution_id, epoch=1, nodes=nodes, entries=entries("a", "b"))),
            store.update(move(execution_id, ExecutionState.FAILED, output=b"1", error=error, request_id="r2")),
        ]
    return futures


async def test_number_of_calls_does_not_grow_with_the_batch(
    counted: SqliteStore, held_lock: Callable[[], AbstractContextManager[None]]
) -> None:
    made: list[list[str]] = []
    for count in (1, 100):
        calls.clear()
        with held_lock():
            # The writer waits for the lock with this one, and takes all that follow together.
            first = counted.update(update("nobody"))
            while "BEGIN" not in calls:  # noqa: ASYNC110 - set on the writer's thread
                await asyncio.sleep(0)
            calls.clear()
            rest = whole_lives(counted, count)
        await asyncio.gather(first, return_exceptions=True)
        await asyncio.gather(*rest)
        made.append(calls[calls.index("BEGIN") :])
    assert made[0] == made[1]
    assert made[0].count("INSERT") == 1
    assert 5 <= len(made[0]) <= 10


async def test_number_of_calls_does_not_grow_with_what_is_read(counted: SqliteStore) -> None:
    log = entries(*(f"entry {i}" for i in range(500)), level=LogLevel.ERROR)
    nodes = [NodeRun(node_id=f"n{i}", state=NodeState.COMPLETED, output=b"1") for i in range(500)]
    for execution_id, count in (("few", 1), ("many", 500)):
        await counted.create(create(execution_id, log=log[:count]))
        await counted.update(claim(execution_id, nodes=nodes[:count]))
    for read in (
        lambda name: counted.log_page(NAMESPACE, name, after=0, limit=1000),
        lambda name: counted.log_tail(NAMESPACE, name, count=400, min_level=LogLevel.ERROR, node_id=""),
        lambda name: counted.execution(NAMESPACE, name, full=True),
        lambda name: counted.status(NAMESPACE, name),
    ):
        few = await calls_of(read, "few")
        assert few == await calls_of(read, "many")
        assert 2 <= len(few) <= 10
    few = await calls_of(lambda _: counted.unfinished(), "")
    await asyncio.gather(*[counted.create(create(f"e{i}")) for i in range(500)])
    assert await calls_of(lambda _: counted.unfinished(), "") == few


async def calls_of(read: Callable[[str], Awaitable[Any]], name: str) -> list[str]:
    await read(name)
    calls.clear()
    await read(name)
    # A thread of the pool that had nothing to do before opens its connection first.
    return [call for call in calls if call != "PRAGMA"]


class Burner:
    """A thread that computes without end."""

    def __init__(self) -> None:
        self.rounds = 0
        self._done = False
        self._thread = threading.Thread(target=self._burn, daemon=True)
        self._thread.start()

    def _burn(self) -> None:
        while not self._done:
            self.rounds += 1

    def rounds_in(self, seconds: float) -> int:
        """Rounds it makes in so many seconds when nobody disturbs it."""
        before, began = self.rounds, time.perf_counter()
        while self.rounds < before + 100_000:
            time.sleep(seconds)
        return round((self.rounds - before) * seconds / (time.perf_counter() - began))

    def stop(self) -> None:
        self._done = True
        self._thread.join()


def test_server_sets_a_short_interval() -> None:
    async def interval() -> float:
        return sys.getswitchinterval()

    with tuning_restored():
        assert run_tuned(interval()) == pytest.approx(SWITCH_INTERVAL)
    # A hundredth of a second for a commit; with the interpreter's own 5 ms it is a tenth, and grows with the load.
    assert SWITCH_INTERVAL <= 0.001


@contextmanager
def tuning_restored() -> Iterator[None]:
    interval, thresholds = sys.getswitchinterval(), gc.get_threshold()
    try:
        yield
    finally:
        sys.setswitchinterval(interval)
        gc.set_threshold(*thresholds)


def test_commit_beside_a_busy_thread_waits_for_tens_of_switches_at_most(path: Path) -> None:
    """Counted in the rounds the busy thread makes meanwhile, so that a slow machine changes nothing.

    A commit is some 15 calls, each of which waits for an interval or two if the other thread wins.
    """

    async def main() -> float:
        store = await SqliteStore.open(path)
        burner = Burner()
        try:
            interval = burner.rounds_in(SWITCH_INTERVAL)
            before = burner.rounds
            for i in range(20):
                await store.create(create(f"e{i}"))
            return (burner.rounds - before) / 20 / interval
        finally:
            burner.stop()
            await store.close()

    with tuning_restored():
        intervals = run_tuned(main())
    assert intervals < 120


def test_commit_beside_a_busy_loop_waits_for_tens_of_turns_at_most(path: Path) -> None:
    """The loop that hands changes in computes at every turn, and gives the writer only what the interval grants it."""

    async def main() -> float:
        store = await SqliteStore.open(path)
        turns = itertools.count()

        async def busy() -> None:
            while True:
                next(turns)
                until = time.perf_counter() + 4 * SWITCH_INTERVAL
                while time.perf_counter() < until:
                    pass
                await asyncio.sleep(0)

        spinning = asyncio.create_task(busy())
        for i in range(20):
            await store.create(create(f"e{i}"))
        spinning.cancel()
        await store.close()
        return next(turns) / 20

    with tuning_restored():
        turns = run_tuned(main())
    assert turns < 60
