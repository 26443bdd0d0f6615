"""What the first answer of a stream waits for, and that it comes whatever happens."""

from __future__ import annotations

from contextlib import aclosing

import pytest

from execsvc.model import ExecutionState
from execsvc.service import Changes
from execsvc.service.commands import LogFilter
from execsvc.service.logs import Logs
from execsvc.store import BUSY, SqliteStore
from tests.support.changes import NAMESPACE, claim, create, entries, move, update


@pytest.fixture
def changes(store: SqliteStore) -> Changes:
    changes = Changes()
    store.listen(changes.publish)
    return changes


async def first_answer(store: SqliteStore, changes: Changes, *, follow: bool = True) -> int:
    """Begin to stream the log of e1; answers the cursor after the first answer."""
    logs = Logs(store=store, changes=changes)
    parts = logs.stream(NAMESPACE, "e1", after=0, tail=0, filter=LogFilter(), follow=follow)
    async with aclosing(parts):
        return (await anext(parts)).last_sequence


def make_busy(store: SqliteStore) -> None:
    for number in range(BUSY + 1):
        store.create(create(f"other{number}"))


async def test_a_busy_server_joins_the_first_answer_with_what_is_on_its_way_to_the_disk(
    store: SqliteStore, changes: Changes
) -> None:
    await store.create(create())
    store.update(claim())
    make_busy(store)
    assert await first_answer(store, changes) == 2


async def test_a_server_that_is_not_busy_answers_with_what_there_is(store: SqliteStore, changes: Changes) -> None:
    await store.create(create())
    store.update(claim())
    assert await first_answer(store, changes) == 1


async def test_a_busy_server_answers_although_nothing_comes(store: SqliteStore, changes: Changes) -> None:
    await store.create(create())
    make_busy(store)
    assert await first_answer(store, changes) == 1


@pytest.mark.parametrize("state", [ExecutionState.PAUSED, ExecutionState.COMPLETED])
async def test_what_does_not_go_on_is_not_waited_for(
    store: SqliteStore, changes: Changes, state: ExecutionState
) -> None:
    await store.create(create())
    await store.update(claim())
    await store.update(move("e1", state))
    store.update(update(entries=entries("more")))
    make_busy(store)
    assert await first_answer(store, changes) == 3


async def test_a_log_that_is_not_followed_is_not_waited_for(store: SqliteStore, changes: Changes) -> None:
    await store.create(create())
    store.update(claim())
    make_busy(store)
    assert await first_answer(store, changes, follow=False) == 1
