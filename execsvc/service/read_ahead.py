"""Reads a log from the store part by part: the next one while this one is made into a response and sent."""

from __future__ import annotations

import asyncio
from typing import Final, Self

from execsvc.service.commands import LogFilter
from execsvc.store import LogPage, Store

#: Entries in one response of a stream, and bytes of them, about. A stream whose client does not read holds
#: one response, and there may be thousands of those.
PART_ENTRIES: Final = 500
PART_BYTES: Final = 64 * 1024
#: Streams that may hold a second part, read ahead.
AHEAD: Final = 16


class ReadAhead:
    """Counts the streams that hold a part more than the one they send."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.held = 0

    def parts(self, namespace: str, execution_id: str, filter: LogFilter) -> LogParts:
        """Give the parts of one log, for as long as the context lasts."""
        return LogParts(self, namespace, execution_id, filter)


class LogParts:
    """The parts of one log, for one stream."""

    def __init__(self, shared: ReadAhead, namespace: str, execution_id: str, filter: LogFilter) -> None:
        self._shared = shared
        self._namespace = namespace
        self._execution_id = execution_id
        self._filter = filter
        self._limit = PART_ENTRIES
        self._next: asyncio.Task[LogPage] | None = None

    @property
    def begun(self) -> bool:
        """Whether the next part is being read already; it shows the log as it was then, or later."""
        return self._next is not None

    async def after(self, cursor: int) -> LogPage:
        """Answer the part that follows a sequence: where it is read already, that of the cursor it was begun with.

        Raises:
            ExecutionNotFound: there is no such execution.
            StorageUnavailable: the database cannot be read.
        """
        if self._next is None:
            return self._measured(await self._read(cursor))
        try:
            return self._measured(await self._next)
        finally:
            self._next = None
            self._shared.held -= 1

    def begin(self, cursor: int) -> None:
        """Begin to read the part that follows a sequence, unless as many streams read ahead as may."""
        if self._next is not None or self._shared.held >= AHEAD:
            return
        self._shared.held += 1
        self._next = asyncio.create_task(self._read(cursor), name="read-ahead")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of what was read ahead: it ends with the next turn of the loop."""
        reading, self._next = self._next, None
        if reading is not None:
            self._shared.held -= 1
            reading.cancel()

    async def _read(self, cursor: int) -> LogPage:
        return await self._shared.store.log_page(
            self._namespace,
            self._execution_id,
            after=cursor,
            limit=self._limit,
            max_bytes=PART_BYTES,
            min_level=self._filter.min_level,
            node_id=self._filter.node_id,
        )

    def _measured(self, page: LogPage) -> LogPage:
        # Where messages are long, those that would be left out are not even read.
        cut = len(page.entries) < self._limit and page.cursor < page.status.last_sequence
        self._limit = min(PART_ENTRIES, 2 * (len(page.entries) if cut else self._limit))
        return page
