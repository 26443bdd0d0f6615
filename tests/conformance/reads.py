"""What many tests of the suite do: read a whole log, bring an execution to run, gather outcomes."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from execsvc.model import (
    ExecutionStatus,
    LogEntry,
)
from execsvc.store import Store
from tests.support.changes import NAMESPACE, claim, create
from tests.support.stored_logs import entries_of


async def whole_log(store: Store, execution_id: str = "e1", *, page: int = 1000) -> list[LogEntry]:
    """The whole log, page by page."""
    found: list[LogEntry] = []
    cursor = 0
    while True:
        answer = await store.log_page(NAMESPACE, execution_id, after=cursor, limit=page)
        found.extend(entries_of(answer))
        cursor = answer.cursor
        if cursor >= answer.status.last_sequence:
            return found


async def running(store: Store, execution_id: str = "e1") -> ExecutionStatus:
    """Store an execution and take its lease."""
    await store.create(create(execution_id))
    return (await store.update(claim(execution_id))).status


async def outcomes(futures: Iterable[asyncio.Future[Any]]) -> list[Any]:
    """Wait for all of them; an error is an answer."""
    return await asyncio.gather(*futures, return_exceptions=True)


def contents(found: Iterable[LogEntry]) -> list[tuple[int, str]]:
    """Sequences and messages."""
    return [(entry.sequence, entry.message) for entry in found]
