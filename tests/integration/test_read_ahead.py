"""A stream of a log reads the next part while it sends one: it misses nothing by that, and few streams do so."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, aclosing
from pathlib import Path

import pytest

from execsvc.encoding.log_entries import decoded_entries
from execsvc.model import ExecutionState, LogLevel
from execsvc.service import Changes
from execsvc.service.commands import LogFilter
from execsvc.service.logs import LogPart, Logs
from execsvc.service.read_ahead import AHEAD, PART_ENTRIES
from execsvc.store import SqliteStore
from tests.conformance.reads import running
from tests.support.changes import NAMESPACE, entries, update

ALL = LogFilter(min_level=LogLevel.DEBUG)


class Opened:
    """A store, the service that reads logs of it, and an execution with a log of so many entries."""

    def __init__(self, store: SqliteStore, changes: Changes) -> None:
        self.store = store
        #: Nobody waits for the heartbeat: what is missed stays missed.
        self.logs = Logs(store=store, changes=changes, heartbeat=3600)

    async def append(self, count: int, *, end: bool = False) -> None:
        to_state = ExecutionState.COMPLETED if end else None
        await self.store.update(update(entries=entries(*["more"] * count), to_state=to_state))

    def stream(self, *, follow: bool = True) -> AsyncGenerator[LogPart, None]:
        return self.logs.stream(NAMESPACE, "e1", after=0, tail=0, filter=ALL, follow=follow)

    @property
    def read_ahead(self) -> int:
        return self.logs._ahead.held


def _reading() -> list[asyncio.Task[object]]:
    return [task for task in asyncio.all_tasks() if task.get_name() == "read-ahead"]


@pytest.fixture
async def opened(tmp_path: Path) -> AsyncIterator[Opened]:
    store, changes = await SqliteStore.open(tmp_path / "e.db"), Changes()
    store.listen(changes.publish)
    await running(store)
    yield Opened(store, changes)
    await store.close()


async def test_what_is_appended_while_a_part_is_read_ahead_is_sent_without_another_change(opened: Opened) -> None:
    await opened.append(2 * PART_ENTRIES)
    seen: list[int] = []
    async with aclosing(opened.stream()) as stream, asyncio.timeout(30):
        async for part in stream:
            seen += [entry.sequence for entry in decoded_entries(part.entries.data)]
            if len(seen) == PART_ENTRIES:
                assert opened.read_ahead == 1
                await opened.append(1, end=True)
    assert part.final is not None
    assert seen == list(range(1, part.last_sequence + 1))
    assert opened.read_ahead == 0


async def test_what_is_appended_after_the_last_part_was_read_ahead_is_sent_too(opened: Opened) -> None:
    await opened.append(PART_ENTRIES)
    seen = 0
    async with aclosing(opened.stream()) as stream, asyncio.timeout(30):
        async for part in stream:
            if seen == 0:
                # The part that was read ahead is whole, and shows the end of the log as it was before the append.
                assert opened.read_ahead == 1
                await asyncio.gather(*_reading())
                await opened.append(1, end=True)
            seen += len(part.entries)
    assert part.final is not None
    assert seen == part.last_sequence


async def test_streams_beyond_those_that_may_read_ahead_hold_one_part_and_lose_nothing(opened: Opened) -> None:
    await opened.append(3 * PART_ENTRIES, end=True)
    async with AsyncExitStack() as stack:
        streams = [await stack.enter_async_context(aclosing(opened.stream())) for _ in range(AHEAD + 4)]
        first = [await anext(stream) for stream in streams]
        assert opened.read_ahead == AHEAD
        for part, stream in zip(first, streams, strict=True):
            rest = [part async for part in stream]
            assert len(part.entries) + sum(len(part.entries) for part in rest) == rest[-1].last_sequence
        assert opened.read_ahead == 0


async def test_a_stream_that_is_given_up_lets_go_of_what_it_read_ahead(opened: Opened) -> None:
    await opened.append(3 * PART_ENTRIES)
    async with aclosing(opened.stream()) as stream:
        await anext(stream)
        assert opened.read_ahead == 1
    assert opened.read_ahead == 0
    (task,) = _reading()
    assert task.cancelling()
    await asyncio.gather(*_reading(), return_exceptions=True)
    assert not _reading()


async def test_each_part_says_what_it_holds_whether_read_or_just_appended(opened: Opened) -> None:
    await opened.append(PART_ENTRIES + 1)
    there = (await opened.store.status(NAMESPACE, "e1")).last_sequence
    parts: list[LogPart] = []
    async with aclosing(opened.stream()) as stream, asyncio.timeout(30):
        async for part in stream:
            parts.append(part)
            # All that was there is sent: what follows is not read from the store.
            if part.last_sequence == there:
                await opened.append(3, end=True)
    for part in parts:
        held = [entry.sequence for entry in decoded_entries(part.entries.data)]
        assert (part.entries.count, part.entries.last) == (len(held), held[-1])
    assert [part.entries.count for part in parts] == [PART_ENTRIES, there - PART_ENTRIES, 3]
