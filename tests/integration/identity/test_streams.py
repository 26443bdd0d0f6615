"""Credentials that end while a stream goes on."""

from __future__ import annotations

from typing import Any

import grpc
import pytest

from execsvc.clock import SystemClock
from execsvc_client import AsyncExecutionClient, Unauthenticated, v1
from tests.integration.conftest import StartServer
from tests.support.nodes import Gates
from tests.support.statuses import read
from tests.support.workflows import chain


async def to_the_end(call: Any) -> None:
    """Read a stream until it ends."""
    while await call.read() is not grpc.aio.EOF:
        pass


async def followed(client: AsyncExecutionClient) -> None:
    """Follow a log to its end."""
    async with client.logs("e", follow=True) as entries:
        async for _ in entries:
            pass


async def asked_for_ever(client: AsyncExecutionClient) -> None:
    """Ask where an execution stands, again and again."""
    while True:
        await client.status("e")


@pytest.mark.every_store
@pytest.mark.parametrize("method", ["StreamLogs", "WatchExecution"])
async def test_a_stream_ends_soon_after_its_token_was_revoked(
    start_server: StartServer, gates: Gates, method: str
) -> None:
    token = await start_server.token()
    async with (
        start_server(auth="token", grace=0.0, token=token) as client,
        grpc.aio.insecure_channel(start_server.address) as channel,
    ):
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        request = getattr(v1, f"{method}Request")(execution_id="e")
        if method == "StreamLogs":
            request.follow = True
        call = getattr(v1.ExecutionServiceStub(channel), method)(
            request, metadata=[("authorization", f"Bearer {token}")], timeout=60
        )
        assert await call.read() is not grpc.aio.EOF
        await start_server.revoke(token)
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await to_the_end(call)
        assert read(error.value).info.reason == "CREDENTIALS_INVALID"


async def test_a_stream_ends_soon_after_its_token_has_expired(start_server: StartServer, gates: Gates) -> None:
    clock = SystemClock()
    now = clock()
    token = await start_server.token(now=now, expire_time=now + 3_000_000)
    async with start_server(auth="token", grace=0.0, token=token, clock=clock) as client:
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        with pytest.raises(Unauthenticated):
            await followed(client)


async def test_a_stream_of_a_valid_token_goes_on(start_server: StartServer, gates: Gates) -> None:
    token, other = await start_server.token(), await start_server.token()
    async with (
        start_server(auth="token", grace=0.0, token=token) as client,
        AsyncExecutionClient(start_server.address, token=other) as second,
    ):
        await client.execute(chain("a"), execution_id="e")
        await gates.entered("a")
        async with client.watch("e") as snapshots:
            await anext(aiter(snapshots))
            await start_server.revoke(other)
            with pytest.raises(Unauthenticated):
                await asked_for_ever(second)
            gates.open("a")
            async for snapshot in snapshots:
                last = snapshot
        assert last.state == "COMPLETED"
