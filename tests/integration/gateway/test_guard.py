"""What connections over HTTP may take of a gateway: places, and time for headers and bodies."""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
import websockets

from execsvc.gateway.connections import GuardedProtocol
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.integration.gateway.conftest import started
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain


@asynccontextmanager
async def connected(address: str) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection without a client on it."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


async def cut_off(reader: asyncio.StreamReader) -> bytes:
    """Wait until the gateway hangs up; what it said before."""
    said = b""
    async with asyncio.timeout(60):
        with contextlib.suppress(ConnectionResetError):
            while part := await reader.read(4096):
                said += part
    return said


HEAD = b"GET /healthz HTTP/1.1\r\nHost: a\r\n"


@pytest.mark.parametrize("said", [b"", b"GET /hea", HEAD + b"X-Slow: "], ids=["nothing", "half a line", "no end"])
async def test_headers_that_do_not_come_are_not_waited_for(
    client: AsyncExecutionClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    monkeypatch.setattr(GuardedProtocol, "header_seconds", 0.2)
    async with started(start_server.address) as http, connected(http.address) as (reader, writer):
        writer.write(said)
        assert await cut_off(reader) == b""
        assert (await http.calls.get("/healthz")).status_code == 200


async def test_headers_that_stop_in_a_later_request_are_not_waited_for(
    client: AsyncExecutionClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "header_seconds", 0.2)
    async with started(start_server.address) as http, connected(http.address) as (reader, writer):
        writer.write(HEAD + b"\r\n")
        assert b"200 OK" in await reader.readuntil(b"\r\n\r\n")
        writer.write(HEAD)
        assert b"HTTP/1.1" not in await cut_off(reader)


async def test_requests_that_take_their_time_to_be_answered_are_not_cut_off(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "header_seconds", 0.05)
    await client.execute(chain("a"), execution_id="e")
    async with (
        started(start_server.address, keep_alive=0.1) as http,
        http.events("/execute/e/events") as events,
        http.socket("e") as socket,
    ):
        comments = 0
        async for event in events:
            comments += bool(event.comment)
            if comments == 3:
                gates.open("a")
            if event.name == "end":
                break
        assert comments >= 3
        async for message in socket:
            if json.loads(message)["type"] == "end":
                break


async def test_a_body_that_does_not_come_is_told_so(client: AsyncExecutionClient, start_server: StartServer) -> None:
    async with started(start_server.address, body_timeout=0.2) as http, connected(http.address) as (reader, writer):
        head = (
            "POST /api/v1/execute HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{"
        )
        writer.write(head.encode())
        said = await cut_off(reader)
        assert b" 408 " in said.splitlines()[0]
        assert json.loads(said.partition(b"\r\n\r\n")[2])["reason"] == "REQUEST_STALLED"


async def test_connections_past_the_limit_are_cut_off(
    client: AsyncExecutionClient, start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(GuardedProtocol, "most", 2)
    async with started(start_server.address) as http:
        assert (await http.calls.get("/healthz")).status_code == 200
        async with connected(http.address), connected(http.address) as (reader, _):
            assert await cut_off(reader) == b""
            assert (await http.calls.get("/healthz")).status_code == 200


async def test_streams_past_the_limit_are_told_so_and_make_room_when_they_end(
    client: AsyncExecutionClient, start_server: StartServer
) -> None:
    await client.execute(chain("a"), execution_id="e")
    await client.execute(ECHO, {}, execution_id="done")
    await client.wait("done")
    async with started(start_server.address, max_streams=1) as http:
        async with http.events("/execute/e/logs/stream") as events:
            assert (await anext(aiter(events))).id
            refused = await http.get("/execute/e/events", 429)
            assert refused["reason"] == "TOO_MANY_STREAMS"
            assert refused["limit"] == 1
            async with http.socket("e") as socket:
                assert json.loads(await socket.recv())["data"]["reason"] == "TOO_MANY_STREAMS"
                with pytest.raises(websockets.ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 4429
        async with asyncio.timeout(60):
            while True:
                answer = await http.calls.get("/api/v1/execute/done/logs/stream")
                if answer.status_code == 200:
                    break
