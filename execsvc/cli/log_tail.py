"""The end of an execution's log, followed beside something else that is shown."""

from __future__ import annotations

import threading
from collections import deque
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from execsvc_client import LogEntry, LogStream

#: Seconds that the last entries of an execution that has ended may take to come.
_LAST = 2.0


class LogTail:
    """Follows a log in a thread of its own for as long as its context lasts.

    Args:
        stream: a log to follow.
        most: entries to keep.
    """

    def __init__(self, stream: LogStream, most: int) -> None:
        self._stream = stream
        self._entries: deque[LogEntry] = deque(maxlen=most)
        self._thread = threading.Thread(target=self._follow, name="execsvc-log-tail", daemon=True)

    def entries(self) -> list[LogEntry]:
        """Give the last entries there are now, oldest first."""
        return list(self._entries)

    def _follow(self) -> None:
        from execsvc_client import ExecsvcError

        try:
            for entry in self._stream:
                self._entries.append(entry)
        except ExecsvcError:
            # What it is beside has the same trouble, and tells it.
            return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            # It ends by itself with the execution.
            self._thread.join(_LAST)
        self._stream.close()
        self._thread.join(_LAST)
