"""What every route of a gateway shares."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

from execsvc.gateway.settings import Settings
from execsvc_client import AsyncExecutionClient


@dataclass(frozen=True, slots=True, kw_only=True)
class Gateway:
    """What every route of a gateway shares."""

    settings: Settings
    #: For single calls: without a server they fail at once.
    calls: AsyncExecutionClient
    #: For streams, on a connection of their own: they wait for the server to come back.
    streams: AsyncExecutionClient
    #: Set when the gateway goes down: streams end.
    closing: asyncio.Event = field(default_factory=asyncio.Event)
