"""A real gateway before a real server, both in the test's own event loop, and whoever calls it over HTTP."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx
import pytest
import websockets

from execsvc.gateway import Settings, running
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer


@dataclass
class Event:
    """One event of a stream."""

    id: str
    name: str
    data: Any
    #: What a comment says; empty where it is none.
    comment: str = ""


class Http:
    """Calls a gateway."""

    def __init__(self, address: str, server: Any) -> None:
        self.address = address
        self.url = f"http://{address}"
        self._server = server
        self.calls = httpx.AsyncClient(base_url=self.url, timeout=30)
        #: Whether connections outlive the gateway; whoever wants that closes them.
        self.kept = False

    @property
    def buffered(self) -> int:
        """Bytes that wait in the gateway to be sent, on the connection with most."""
        sizes = [
            connection.transport.get_write_buffer_size()
            for connection in self._server.server_state.connections
            if connection.transport is not None
        ]
        return max(sizes, default=0)

    def keep(self) -> None:
        """Leave connections open when the gateway goes down."""
        self.kept = True

    async def gone(self) -> None:
        """Wait until the gateway has dropped a connection of those that it has now."""
        before = len(self._server.server_state.connections)
        while len(self._server.server_state.connections) >= before or not before:
            before = max(before, len(self._server.server_state.connections))
            await asyncio.sleep(0.02)

    async def get(self, path: str, code: int = 200, **options: Any) -> Any:
        return await self.call("GET", path, code, **options)

    async def post(self, path: str, body: Any = None, code: int = 200, **options: Any) -> Any:
        given = {} if body is None else {"json": body}
        return await self.call("POST", path, code, **given, **options)

    async def call(self, method: str, path: str, code: int, **options: Any) -> Any:
        """Call, check the status, and answer the document."""
        answer = await self.calls.request(method, f"/api/v1{path}", **options)
        assert answer.status_code == code, answer.text
        if code >= 400:
            assert answer.headers["content-type"] == "application/problem+json"
            document = answer.json()
            assert document["status"] == code
            assert document["instance"] == httpx.URL(f"/api/v1{path}").path
            return document
        return answer.json() if answer.content else None

    @asynccontextmanager
    async def events(self, path: str, **options: Any) -> AsyncIterator[AsyncIterator[Event]]:
        """Open a stream of events."""
        async with self.calls.stream("GET", f"/api/v1{path}", timeout=None, **options) as response:
            assert response.status_code == 200, await response.aread()
            assert response.headers["content-type"].startswith("text/event-stream")
            yield parsed(response.aiter_lines())

    async def all_events(self, path: str, **options: Any) -> list[Event]:
        """The events of a stream up to its end."""
        async with self.events(path, **options) as events:
            return [event async for event in events if event.name]

    def socket(self, execution_id: str, query: str = "", **options: Any) -> websockets.connect:
        """Open a WebSocket."""
        return websockets.connect(f"ws://{self.address}/api/v1/execute/{execution_id}/ws{query}", **options)


async def parsed(lines: AsyncIterator[str]) -> AsyncIterator[Event]:
    """Read events as the standard for them has it."""
    event = Event("", "", None)
    async for line in lines:
        name, _, value = line.partition(": ")
        if name == "id":
            event.id = value
        elif name == "event":
            event.name = value
        elif name == "data":
            event.data = json.loads(value)
        elif line.startswith(":"):
            event.comment = line
        elif not line:
            yield event
            event = Event("", "", None)


async def messages(socket: Any) -> AsyncIterator[dict[str, Any]]:
    """What comes over a WebSocket."""
    while True:
        yield json.loads(await socket.recv())


async def until(socket: Any, kind: str, **facts: Any) -> list[dict[str, Any]]:
    """Read messages up to one of a type whose data have these facts; all that were read."""
    seen: list[dict[str, Any]] = []
    async for message in messages(socket):
        seen.append(message)
        if message["type"] == kind and facts.items() <= message["data"].items():
            return seen
    raise AssertionError


@asynccontextmanager
async def started(target: str, **settings: Any) -> AsyncIterator[Http]:
    """Run a gateway and connect to it."""
    async with running(Settings(target=target, **{"address": "127.0.0.1:0", **settings})) as gateway:
        http = Http(gateway.address, gateway.server)
        try:
            yield http
        finally:
            if not http.kept:
                await http.calls.aclose()


@pytest.fixture
async def http(client: AsyncExecutionClient, start_server: StartServer) -> AsyncIterator[Http]:
    """A gateway before the server of ``client``."""
    async with started(start_server.address) as http:
        yield http


async def state(http: Http, execution_id: str, *wanted: str) -> dict[str, Any]:
    """Wait until an execution is in one of these states; its status."""
    while True:
        status: dict[str, Any] = await http.get(f"/execute/{execution_id}/status")
        if status["status"] in wanted:
            return status
        await asyncio.sleep(0.01)


async def ready(http: Http) -> None:
    """Wait until the server behind a gateway serves."""
    while True:
        if (await http.calls.get("/readyz")).status_code == 200:
            return
        await asyncio.sleep(0.02)
