"""What every route of a gateway shares."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from execsvc.gateway.problems import Problem, Refused
from execsvc.gateway.settings import DEFAULT_MAX_STREAMS, Settings
from execsvc_client import AsyncExecutionClient


class Connections:
    """The connections that are open, to cut off whose reader does not read: closed politely they would wait for it."""

    def __init__(self) -> None:
        self._open: Collection[Any] = ()

    def belong_to(self, connections: Collection[Any]) -> None:
        """Take over the server's own set of its connections."""
        self._open = connections

    async def cut(self, client: object) -> None:
        """Drop the connection of a client, and what it has not read.

        Args:
            client: ``(host, port)`` at its end.
        """
        for connection in list(self._open):
            if connection.client == client:
                connection.transport.abort()
        # The server hears of it in the next turns of the loop.
        await asyncio.sleep(0)
        await asyncio.sleep(0)


class Places:
    """Counts streams and WebSockets.

    Args:
        most: at most so many.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._taken = 0

    def require(self) -> None:
        """Raise Refused where there is no place left."""
        if self._taken >= self._most:
            raise Refused(
                Problem(
                    status=429,
                    reason="TOO_MANY_STREAMS",
                    detail=f"this gateway has {self._most} streams open, as many as it allows; try again later, or ask "
                    "another gateway",
                    retry_after=5.0,
                    facts={"limit": self._most},
                )
            )

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Count one for as long as the context lasts."""
        self._taken += 1
        try:
            yield
        finally:
            self._taken -= 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What every route of a gateway shares."""

    settings: Settings
    #: For single calls: without a server they fail at once.
    calls: AsyncExecutionClient
    #: For streams, on a connection of their own: they wait for the server to come back.
    streams: AsyncExecutionClient
    places: Places = field(default_factory=lambda: Places(DEFAULT_MAX_STREAMS))
    connections: Connections = field(default_factory=Connections)
    #: Set when the gateway goes down: streams end.
    closing: asyncio.Event = field(default_factory=asyncio.Event)
