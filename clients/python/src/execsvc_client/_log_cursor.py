"""Where a reader stands in a log: what was delivered, what is next, and how to go on after a break. No I/O."""

from __future__ import annotations

from collections import deque

from execsvc_client import v1
from execsvc_client._errors import ExecsvcError, Unavailable
from execsvc_client._models import ExecutionStatus, LogEntry
from execsvc_client._retry import Reconnect


class LogCursor:
    """Turns the responses of any number of broken connections into one log without repeats or holes.

    A response's ``last_sequence`` counts only once its entries were handed out, so that ``last_sequence`` always is a
    place from which another reader, or another process, can go on.
    """

    def __init__(self, request: v1.StreamLogsRequest, reconnect: Reconnect) -> None:
        self._first = request
        self._reconnect = reconnect
        self._placed = request.tail == 0
        self._waiting: deque[v1.LogEntry] = deque()
        self._upto = request.after_sequence
        #: Of the execution whose log it is, once the server has named it.
        self.uid: str = request.uid
        self._final: v1.ExecutionStatus | None = None
        self._complete = False
        self.last_sequence: int = request.after_sequence
        self.final_status: ExecutionStatus | None = None

    @property
    def ended(self) -> bool:
        """Whether everything was handed out and nothing more will come."""
        return self._complete and not self._waiting

    def request(self) -> v1.StreamLogsRequest:
        """Return what the next connection must ask for."""
        request = v1.StreamLogsRequest()
        request.CopyFrom(self._first)
        if self._placed:
            # "The last so many" was answered; from here on the place is known.
            request.tail = 0
            request.after_sequence = self.last_sequence
        # An execution that takes the id meanwhile has a log of its own, in which this place means nothing.
        request.uid = self.uid
        return request

    def call_timeout(self) -> float | None:
        """Return the seconds that the next connection may last; None: without end."""
        return self._reconnect.call_timeout()

    def receive(self, response: v1.StreamLogsResponse) -> None:
        """Take one response in; entries that were handed out before are dropped."""
        before = self._upto
        for entry in response.entries:
            if entry.sequence > self._upto:
                self._waiting.append(entry)
                self._upto = entry.sequence
        self._upto = max(self._upto, response.last_sequence)
        self._placed = True
        self.uid = response.uid
        if response.HasField("final_status"):
            self._final = response.final_status
            self._complete = True
        self._reconnect.progress(advanced=self._upto > before or self._complete)
        self._settle()

    def next_item(self) -> LogEntry | None:
        """Hand out the next entry; None: read another response first, unless ``ended``."""
        if not self._waiting:
            return None
        entry = self._waiting.popleft()
        self.last_sequence = entry.sequence
        self._settle()
        return LogEntry.from_proto(entry)

    def _settle(self) -> None:
        if not self._waiting:
            self.last_sequence = self._upto
            if self._final is not None and self.final_status is None:
                self.final_status = ExecutionStatus.from_proto(self._final)

    def closed_by_server(self) -> float | None:
        """Note that the stream ended without an error.

        Returns:
            The seconds to wait before connecting again; None: this was the end.
        """
        if self._complete or not self._first.follow:
            self._complete = True
            return None
        return self.broken(Unavailable("the server closed the log before the execution had ended"))

    def broken(self, error: ExecsvcError) -> float:
        """Note that the stream failed; return the seconds to wait before connecting again.

        Raises:
            ExecsvcError: connecting again would not help, or was tried for too long.
        """
        return self._reconnect.delay_after(error)
