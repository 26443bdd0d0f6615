"""One connection of HTTP/1: how many there are, and how long its requests may take to come."""

from __future__ import annotations

import asyncio
import logging
from typing import Any, Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

logger = logging.getLogger(__name__)

#: Connections that are open at once; more are cut off.
MOST: Final = 2_000
#: Seconds within which the headers of a request have to be there, from when its connection is open or they begin.
HEADERS: Final = 10.0


class GuardedProtocol(H11Protocol):
    """HTTP/1 as uvicorn speaks it, without connections that hold on to their places and say nothing."""

    #: As above; tests have less.
    most = MOST
    header_seconds = HEADERS

    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: Any) -> None:
        """See ``asyncio.Protocol``."""
        super().connection_made(transport)
        if len(self.connections) > self.most:
            logger.warning("a connection is cut off: there are %d", self.most)
            transport.abort()
        else:
            self._late = self.loop.call_later(self.header_seconds, self._cut_off)

    def data_received(self, data: bytes) -> None:
        """See ``asyncio.Protocol``."""
        super().data_received(data)
        # Idle: no request has begun for the server yet, whatever has come of it.
        if self.conn.their_state is not h11.IDLE:
            self._in_time()
        elif self._late is None and not self.transport.is_closing():
            self._late = self.loop.call_later(self.header_seconds, self._cut_off)

    def on_response_complete(self) -> None:
        """See ``H11Protocol``."""
        self._in_time()
        super().on_response_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        """See ``asyncio.Protocol``."""
        self._in_time()
        super().connection_lost(exc)

    def _in_time(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _cut_off(self) -> None:
        self._late = None
        if not self.transport.is_closing():
            self.transport.abort()
