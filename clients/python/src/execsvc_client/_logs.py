"""The log of an execution as a stream, for loops and for async loops."""

from __future__ import annotations

from execsvc_client._log_cursor import LogCursor
from execsvc_client._models import ExecutionStatus, LogEntry
from execsvc_client._streams import AsyncStream, Connect, Stream


class _Place:
    """What both kinds of stream show of their cursor."""

    _log: LogCursor

    @property
    def last_sequence(self) -> int:
        """The place reached: everything up to here was handed out or left out by the filter. Resume with it."""
        return self._log.last_sequence

    @property
    def uid(self) -> str:
        """Uid of the execution, to be kept with ``last_sequence``; empty before the server's first answer."""
        return self._log.uid

    @property
    def final_status(self) -> ExecutionStatus | None:
        """Where the execution stands, once it has ended and every entry was handed out; None before."""
        return self._log.final_status


class AsyncLogStream(_Place, AsyncStream[LogEntry]):
    """The log of an execution, for ``async for``. Made by ``AsyncExecutionClient.logs``; for one task at a time.

    A loop that is left early should close the stream: ``async with client.logs(…) as log: async for entry in log: …``.
    A read that is cancelled or times out loses nothing; the next one goes on where it stood.
    """

    def __init__(self, cursor: LogCursor, connect: Connect) -> None:
        super().__init__(cursor, connect)
        self._log = cursor


class LogStream(_Place, Stream[LogEntry]):
    """The log of an execution, for ``for``. Made by ``ExecutionClient.logs``; for one thread at a time.

    A loop that is left early should close the stream: ``with client.logs(…) as log: for entry in log: …``.
    """

    def __init__(self, cursor: LogCursor, connect: Connect) -> None:
        super().__init__(cursor, connect)
        self._log = cursor
