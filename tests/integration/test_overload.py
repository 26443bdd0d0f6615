"""What crowds, and those who mean harm, can take of a server, and what is left to everybody else."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import grpc
import pytest
import trustme
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc.app import running
from execsvc.certificates import CertificateFiles
from execsvc.errors import Overloaded
from execsvc.rpc import Guard, admission, lanes
from execsvc.wire.errors import status_of
from execsvc_client import AsyncExecutionClient, ResourceExhausted, to_definition, v1
from tests.integration.conftest import StartServer, Stubs
from tests.servers.front import INSTALLED, fronted
from tests.support.nodes import Gates
from tests.support.statuses import outcome, read, refusal
from tests.support.workflows import ECHO, chain

EXECUTE = "/execsvc.v1.ExecutionService/Execute"
#: What HTTP/2 begins with, and empty SETTINGS.
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5)
SETTINGS, PING, GOAWAY = 4, 6, 7


def frame(kind: int, payload: bytes) -> bytes:
    """A frame of HTTP/2 of the connection itself."""
    return struct.pack(">I", len(payload))[1:] + bytes([kind, 0]) + bytes(4) + payload


async def frames(reader: asyncio.StreamReader) -> AsyncIterator[tuple[int, bytes]]:
    """What the other end sends: kind and payload of each frame, until it hangs up."""
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionResetError):
        while True:
            head = await reader.readexactly(9)
            yield head[3], await reader.readexactly(int.from_bytes(head[:3], "big"))


@asynccontextmanager
async def connected(address: str, **more: Any) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """A connection without a client on it."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), **more)
    try:
        yield reader, writer
    finally:
        writer.close()
        with contextlib.suppress(OSError):
            await writer.wait_closed()


@pytest.fixture
def no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody may wait for a turn: whoever finds no place is refused at once."""
    monkeypatch.setattr(lanes, "ROOM", 0)


@asynccontextmanager
async def crowded(address: str, calls: int = 1) -> AsyncIterator[list[Any]]:
    """Take so many places of Execute, with calls whose requests do not come."""
    async with grpc.aio.insecure_channel(address) as channel:
        held = [channel.stream_unary(EXECUTE)() for _ in range(calls)]
        for call in held:
            await call.wait_for_connection()
        await full(channel)
        yield held
        for call in held:
            call.cancel()


async def full(channel: grpc.aio.Channel) -> None:
    """Wait until Execute is refused."""
    request = v1.ExecuteRequest(definition=to_definition(ECHO), validate_only=True)
    while True:
        answer = await outcome(v1.ExecutionServiceStub(channel).Execute(request))
        if isinstance(answer, grpc.aio.AioRpcError):
            assert read(answer).info.reason == "OVERLOADED"
            return


@pytest.mark.usefixtures("no_room")
async def test_operators_get_through_while_execute_is_shed(start_server: StartServer, gates: Gates) -> None:
    async with start_server(guard=Guard(calls=1)) as client:
        await client.execute(chain("a", "b"), execution_id="e")
        await gates.entered("a")
        async with crowded(start_server.address), grpc.aio.insecure_channel(start_server.address) as channel:
            with pytest.raises(ResourceExhausted) as shed:
                await client.execute(ECHO)
            assert shed.value.reason == "OVERLOADED"
            assert shed.value.retry_delay
            assert (await client.status("e")).state == "RUNNING"
            assert (await client.stop("e")).state == "STOPPED"
            assert (await client.server_info()).version
            assert [item async for item in client.list_executions()]
            await client.delete("e")
            health = health_pb2_grpc.HealthStub(channel)
            answer = await health.Check(health_pb2.HealthCheckRequest())
            assert answer.status == health_pb2.HealthCheckResponse.SERVING
        # Whoever has left makes room.
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(ResourceExhausted):
                    await client.execute(ECHO, {"n": 1}, execution_id="after")
                    break
        assert (await client.wait("after")).output == {"n": 1}


async def test_a_burst_waits_for_its_turn_and_is_served_whole(start_server: StartServer) -> None:
    async with start_server(guard=Guard(calls=2)) as client:
        statuses = await asyncio.gather(*(client.execute(ECHO, {"n": n}, execution_id=f"e{n}") for n in range(200)))
        assert len({status.execution_id for status in statuses}) == 200
        for number in (0, 199):
            assert (await client.wait(f"e{number}")).output == {"n": number}


@pytest.mark.skipif(not INSTALLED, reason="there is no wheel of Envoy for this machine")
async def test_the_proxy_refuses_a_crowd_of_one_connection_as_the_server_would_and_lets_others_in(
    start_server: StartServer, tmp_path: Path
) -> None:
    channel = partial(grpc.aio.insecure_channel, options=[("grpc.use_local_subchannel_pool", 1)])
    request = v1.GetServerInfoRequest()
    async with (
        start_server(),
        fronted(tmp_path, [start_server.address], rate=20) as front,
        channel(front.address) as crowd,
        channel(front.address) as other,
    ):
        asked = [v1.ServerServiceStub(crowd).GetServerInfo(request) for _ in range(200)]
        answers = await asyncio.gather(*map(outcome, asked))
        refused = [answer for answer in answers if isinstance(answer, grpc.aio.AioRpcError)]
        assert (await v1.ServerServiceStub(other).GetServerInfo(request)).version
    # It lets go on whom it has let in, and refuses others before the server hears of them.
    assert 0 < len(refused) < len(answers)
    code, _, details = status_of(Overloaded())
    for answer in refused:
        assert answer.code() is code
        assert dict(answer.trailing_metadata())["grpc-status-details-bin"] == details


async def test_a_request_that_never_comes_holds_its_place_for_a_while_only(start_server: StartServer) -> None:
    async with (
        start_server(guard=Guard(calls=1, request=0.2)) as client,
        grpc.aio.insecure_channel(start_server.address) as channel,
    ):
        stalled = channel.stream_unary(EXECUTE)()
        await stalled.wait_for_connection()
        assert (await client.execute(ECHO, {"n": 1}, execution_id="e")).execution_id == "e"
        assert (await refusal(stalled)).info.reason == "REQUEST_STALLED"


async def test_a_call_without_a_request_is_refused(stubs: Stubs) -> None:
    call = stubs.channel.stream_unary(EXECUTE)()
    await call.done_writing()

    assert (await refusal(call)).problems == {"request": "UNREADABLE"}


@pytest.mark.usefixtures("no_room")
async def test_operators_have_an_address_of_their_own(start_server: StartServer) -> None:
    from dataclasses import replace

    settings = replace(start_server.settings, guard=Guard(calls=1), operator_address="127.0.0.1:0")
    async with running(settings) as server:
        assert server.operator_address not in (None, server.address)
        async with (
            crowded(server.address),
            AsyncExecutionClient(str(server.operator_address)) as operator,
            AsyncExecutionClient(server.address) as client,
        ):
            await operator.execute(chain("a"), execution_id="e")
            assert (await client.stop("e")).state == "STOPPED"
            assert (await operator.status("e")).state == "STOPPED"
            with pytest.raises(ResourceExhausted):
                await client.execute(ECHO)


async def test_streams_past_the_limit_are_refused_and_those_that_are_open_go_on(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server(guard=Guard(streams=4)) as client, AsyncExecutionClient(start_server.address) as other:
        await client.execute(chain("a"), execution_id="e")
        stubs = [client.logs("e", follow=True) for _ in range(3)]
        for stream in stubs:
            assert (await anext(stream)).sequence == 1
        # The crowd has most of them; one more would be beyond its share, and somebody else has theirs.
        async with other.logs("e", follow=True) as last:
            assert (await anext(last)).sequence == 1
            for asking in (client, other):
                with pytest.raises(ResourceExhausted) as refused:
                    await anext(asking.logs("e", follow=True))
                assert refused.value.reason == "TOO_MANY_STREAMS"
            gates.open("a")
            async for _ in stubs[0]:
                pass
            assert stubs[0].final_status is not None
        for stream in stubs:
            await stream.aclose()
        async with asyncio.timeout(60):
            while True:
                with contextlib.suppress(ResourceExhausted):
                    assert (await anext(client.logs("e"))).sequence == 1
                    break


async def test_streams_of_standard_services_are_limited_too(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(admission, "STANDARD_STREAMS", 1)
    async with start_server(), grpc.aio.insecure_channel(start_server.address) as channel:
        health = health_pb2_grpc.HealthStub(channel)
        watch = health.Watch(health_pb2.HealthCheckRequest())
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await health.Watch(health_pb2.HealthCheckRequest()).read()
        assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        answer = await health.Check(health_pb2.HealthCheckRequest())
        assert answer.status == health_pb2.HealthCheckResponse.SERVING
        watch.cancel()


@pytest.mark.parametrize("said", [b"", PREFACE[:10]], ids=["nothing", "half a preface"])
async def test_a_connection_that_says_nothing_is_cut_off(start_server: StartServer, said: bytes) -> None:
    async with start_server(guard=Guard(handshake=0.2)) as client:
        async with connected(start_server.address) as (reader, writer):
            writer.write(said)
            async with asyncio.timeout(60):
                with contextlib.suppress(ConnectionResetError):
                    while await reader.read(1024):
                        pass
        assert (await client.server_info()).version


async def test_a_handshake_of_tls_that_never_ends_is_cut_off(start_server: StartServer, tmp_path: Path) -> None:
    issued = trustme.CA().issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    issued.cert_chain_pems[0].write_to_path(str(tmp_path / "tls.crt"))
    files = CertificateFiles(certificate=tmp_path / "tls.crt", key=tmp_path / "tls.key")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    hello = ssl._create_unverified_context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        hello.do_handshake()
    from dataclasses import replace

    settings = replace(start_server.settings, certificates=files, guard=Guard(handshake=0.2))
    async with running(settings) as server, connected(server.address) as (reader, writer):
        writer.write(outgoing.read()[:50])
        async with asyncio.timeout(60):
            with contextlib.suppress(ConnectionResetError):
                while await reader.read(1024):
                    pass


async def test_whoever_pings_without_pause_is_sent_away(start_server: StartServer) -> None:
    async with start_server() as client, connected(start_server.address) as (reader, writer):
        writer.write(PREFACE + frame(PING, bytes(8)) * 50)
        async with asyncio.timeout(60):
            last = [payload async for kind, payload in frames(reader) if kind == GOAWAY]
        # ENHANCE_YOUR_CALM, and the connection is closed.
        assert [struct.unpack(">I", payload[4:8])[0] for payload in last][-1] == 11
        assert (await client.server_info()).version


async def test_each_connection_is_told_how_many_calls_it_may_have(start_server: StartServer) -> None:
    guard = Guard(connection_streams=3)
    async with start_server(guard=guard), connected(start_server.address) as (reader, writer):
        writer.write(PREFACE)
        async with asyncio.timeout(60):
            async for kind, payload in frames(reader):
                if kind == SETTINGS and payload:
                    told = dict(struct.iter_unpack(">HI", payload))
                    break
        # SETTINGS_MAX_CONCURRENT_STREAMS
        assert told[3] == 3


async def test_connections_past_the_limit_are_cut_off_and_the_others_go_on(start_server: StartServer) -> None:
    # The test's own client has the first.
    async with start_server(guard=Guard(connections=2)) as client:
        assert (await client.server_info()).version
        async with connected(start_server.address) as (_, first), connected(start_server.address) as (reader, second):
            first.write(PREFACE)
            second.write(PREFACE)
            async with asyncio.timeout(60):
                with contextlib.suppress(ConnectionResetError):
                    while await reader.read(1024):
                        pass
            assert (await client.server_info()).version


async def test_metadata_has_a_limit(stubs: Stubs) -> None:
    request = v1.GetServerInfoRequest()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await stubs.server.GetServerInfo(request, metadata=[("x-much", "x" * 20_000)])
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert (await stubs.server.GetServerInfo(request)).version
