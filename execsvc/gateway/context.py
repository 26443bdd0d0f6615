"""What every route of a gateway shares."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from execsvc.gateway.settings import Settings
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What every route of a gateway shares."""

    settings: Settings
    #: For single calls: without a server they fail at once.
    calls: AsyncExecutionClient
    #: For streams, on a connection of their own: they wait for the server to come back.
    streams: AsyncExecutionClient
    connections: Connections = field(default_factory=Connections)
    #: Set when the gateway goes down: streams end.
    closing: asyncio.Event = field(default_factory=asyncio.Event)
