"""Logs without gaps, their pages and tails, and the list of what is unfinished."""

from __future__ import annotations

import asyncio

import pytest

from execsvc.errors import (
    LeaseLost,
)
from execsvc.model import (
    ExecutionState,
    LogEntry,
    LogLevel,
    NewLogEntry,
)
from execsvc.store import Store, Unfinished
from tests.conformance.reads import running, whole_log
from tests.support.changes import NAMESPACE, NOW, claim, create, entries, move, update
from tests.support.stored_logs import entries_of

State = ExecutionState


class TestLog:
    async def test_sequences_have_no_gaps_under_concurrent_writers(self, store: Store) -> None:
        """Engine writes, control writes, refused writes and another execution, each by tasks of their own."""
        await running(store)
        await running(store, "e2")

        async def engine(number: int) -> None:
            for i in range(20):
                await store.update(update(epoch=1, entries=entries(f"engine {number}.{i}a", f"engine {number}.{i}b")))

        async def client(number: int) -> None:
            for i in range(20):
                await store.update(update(action="note", request_id=f"r{number}.{i}", entries=entries("control")))
                with pytest.raises(LeaseLost):
                    await store.update(update(epoch=7, entries=entries("refused")))
                await store.update(update("e2", entries=entries("other")))

        async with asyncio.TaskGroup() as group:
            for number in range(4):
                group.create_task(engine(number))
                group.create_task(client(number))
        log = await whole_log(store, page=7)
        assert [entry.sequence for entry in log] == list(range(1, 2 + 4 * 60 + 1))
        for number in range(4):
            mine = [entry.message for entry in log if entry.message.startswith(f"engine {number}.")]
            assert mine == [f"engine {number}.{i}{half}" for i in range(20) for half in "ab"]
        assert [entry.sequence for entry in await whole_log(store, "e2")] == list(range(1, 83))

    async def test_entry_is_kept_whole(self, store: Store) -> None:
        new = NewLogEntry(
            time=NOW + 3, level=LogLevel.WARNING, message="m", node_id="n", attempt=2, metadata={"event": "x"}
        )
        await store.create(create(log=(new,)))
        assert await whole_log(store) == [
            LogEntry(
                sequence=1,
                time=NOW + 3,
                level=LogLevel.WARNING,
                message="m",
                node_id="n",
                attempt=2,
                metadata={"event": "x"},
            )
        ]

    async def test_pages_end_at_the_limit_and_go_on_from_the_cursor(self, store: Store) -> None:
        await store.create(create(log=entries(*"abcdefghij")))
        seen: list[str] = []
        cursors = []
        cursor = 0
        while True:
            page = await store.log_page(NAMESPACE, "e1", after=cursor, limit=4)
            assert page.status.last_sequence == 10
            if not entries_of(page):
                break
            seen += [entry.message for entry in entries_of(page)]
            cursors.append(cursor := page.cursor)
        assert "".join(seen) == "abcdefghij"
        assert cursors == [4, 8, 10]

    async def test_empty_page_keeps_the_cursor(self, store: Store) -> None:
        await store.create(create(log=()))
        page = await store.log_page(NAMESPACE, "e1", after=0, limit=10)
        assert (entries_of(page), page.cursor, page.status.last_sequence) == ((), 0, 0)
        beyond = await store.log_page(NAMESPACE, "e1", after=99, limit=10)
        assert (entries_of(beyond), beyond.cursor) == ((), 99)

    async def mixed(self, store: Store) -> None:
        """Entries 1 to 20 that take turns in level and node; the node "b" has 4, 8, …"""
        levels = list(LogLevel)
        log = [
            NewLogEntry(time=NOW, level=levels[i % 4], message=f"m{i + 1}", node_id="b" if i % 4 == 3 else "a")
            for i in range(20)
        ]
        await store.create(create(log=log))

    @pytest.mark.parametrize(
        ("level", "node_id", "expected"),
        [
            (LogLevel.DEBUG, "", list(range(1, 21))),
            (LogLevel.INFO, "", [i for i in range(1, 21) if i % 4 != 1]),
            (LogLevel.WARNING, "", [3, 4, 7, 8, 11, 12, 15, 16, 19, 20]),
            (LogLevel.ERROR, "", [4, 8, 12, 16, 20]),
            (LogLevel.DEBUG, "b", [4, 8, 12, 16, 20]),
            (LogLevel.WARNING, "a", [3, 7, 11, 15, 19]),
            (LogLevel.ERROR, "a", []),
            (LogLevel.DEBUG, "nobody", []),
        ],
    )
    @pytest.mark.parametrize("limit", [1, 3, 5, 100])
    async def test_filters_leave_out_and_the_cursor_moves_past_what_they_left_out(
        self, store: Store, level: LogLevel, node_id: str, expected: list[int], limit: int
    ) -> None:
        await self.mixed(store)
        seen: list[int] = []
        cursor = 0
        while cursor < 20:
            page = await store.log_page(NAMESPACE, "e1", after=cursor, limit=limit, min_level=level, node_id=node_id)
            assert page.cursor > cursor
            assert len(entries_of(page)) == limit or page.cursor == 20
            seen += [entry.sequence for entry in entries_of(page)]
            cursor = page.cursor
        assert seen == expected

    @pytest.mark.parametrize("count", [0, 1, 2, 4, 5, 6, 20, 1000])
    @pytest.mark.parametrize(
        ("level", "node_id"),
        [(LogLevel.DEBUG, ""), (LogLevel.WARNING, ""), (LogLevel.DEBUG, "b"), (LogLevel.ERROR, "a")],
    )
    async def test_tail_leaves_the_last_matching_entries(
        self, store: Store, count: int, level: LogLevel, node_id: str
    ) -> None:
        await self.mixed(store)
        everything = await store.log_page(NAMESPACE, "e1", after=0, limit=100, min_level=level, node_id=node_id)
        cursor = await store.log_tail(NAMESPACE, "e1", count=count, min_level=level, node_id=node_id)
        tail = await store.log_page(NAMESPACE, "e1", after=cursor, limit=100, min_level=level, node_id=node_id)
        assert entries_of(tail) == entries_of(everything)[max(len(entries_of(everything)) - count, 0) :]

    async def test_page_and_status_are_of_one_moment(self, store: Store) -> None:
        await running(store)
        ended = asyncio.Event()

        async def write() -> None:
            for i in range(100):
                await store.update(update(entries=entries(*["x"] * (i % 3)), nodes_done=i))
            ended.set()

        writing = asyncio.create_task(write())
        while not ended.is_set():
            page = await store.log_page(NAMESPACE, "e1", after=0, limit=1000)
            assert [entry.sequence for entry in entries_of(page)] == list(range(1, page.status.last_sequence + 1))
        await writing


class TestUnfinished:
    async def test_highest_priority_first_then_oldest(self, store: Store) -> None:
        asked = {"a": (0, 3), "b": (5, 2), "c": (0, 1), "d": (-5, 0), "e": (5, 1), "f": (0, 1)}
        for execution_id, (priority, age) in asked.items():
            await store.create(create(execution_id, priority=priority, time=NOW + age))
        assert [item.execution_id for item in await store.unfinished()] == ["e", "b", "c", "f", "a", "d"]

    async def test_lists_what_is_pending_or_running_in_every_namespace(self, store: Store) -> None:
        for state in State:
            await store.create(create(state.lower(), concurrency_key="k", priority=2))
            if state is not State.PENDING:
                await store.update(claim(state.lower()))
            if state not in (State.PENDING, State.RUNNING):
                await store.update(move(state.lower(), state))
        await store.create(create("pending", namespace="other", time=NOW + 1))
        found = await store.unfinished()
        assert [(item.namespace, item.execution_id) for item in found] == [
            (NAMESPACE, "pending"),
            (NAMESPACE, "running"),
            ("other", "pending"),
        ]
        assert found[1] == Unfinished(
            namespace=NAMESPACE,
            execution_id="running",
            uid="uid-running",
            state=State.RUNNING,
            priority=2,
            create_time=NOW,
            concurrency_key="k",
        )
