"""Watches of an execution as streams of snapshots, for loops and for async loops."""

from __future__ import annotations

from execsvc_client._models import ExecutionStatus
from execsvc_client._snapshots import Snapshot
from execsvc_client._streams import AsyncStream, Connect, Stream
from execsvc_client._watch_cursor import WatchCursor


class _Seen:
    """What both kinds of stream show of their cursor."""

    _watch: WatchCursor

    @property
    def final_status(self) -> ExecutionStatus | None:
        """Where the execution stands, once it has ended; None before."""
        return self._watch.final_status


class AsyncWatchStream(_Seen, AsyncStream[Snapshot]):
    """Snapshots of an execution, for ``async for``. Made by ``AsyncExecutionClient.watch``; for one task at a time.

    A loop that is left early should close the stream: ``async with client.watch(…) as watch: async for … in watch: …``.
    """

    def __init__(self, cursor: WatchCursor, connect: Connect) -> None:
        super().__init__(cursor, connect)
        self._watch = cursor


class WatchStream(_Seen, Stream[Snapshot]):
    """Snapshots of an execution, for ``for``. Made by ``ExecutionClient.watch``; for one thread at a time.

    A loop that is left early should close the stream: ``with client.watch(…) as watch: for snapshot in watch: …``.
    """

    def __init__(self, cursor: WatchCursor, connect: Connect) -> None:
        super().__init__(cursor, connect)
        self._watch = cursor
