"""A gRPC server that does nothing but stream: what StreamLogs could be at best. A process of its own.

It answers StreamLogs on the execution's own path, so the same client reads both.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import grpc

from benchmarks.server import free_address
from execsvc_client import v1

METHOD = "StreamLogs"


class Player:
    """Appends what a log once gained, at the pace it did, over and over; and wakes all who follow."""

    def __init__(self, script: list[v1.StreamLogsResponse]) -> None:
        self._script = [response for response in script if response.entries]
        self._last: v1.StreamLogsResponse | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Play for ever."""
        times = [response.entries[-1].time.ToNanoseconds() / 1e9 for response in self._script]
        # A second between the end and the next beginning.
        waits = [1.0, *(after - before for before, after in pairwise(times))]
        while True:
            for wait, response in zip(waits, self._script, strict=True):
                await asyncio.sleep(max(0.0, wait))
                appended = v1.StreamLogsResponse()
                appended.CopyFrom(response)
                now = time.time_ns()
                for entry in appended.entries:
                    entry.time.FromNanoseconds(now)
                self._last = appended
                changed, self._changed = self._changed, asyncio.Event()
                changed.set()

    async def follow(self, request: v1.StreamLogsRequest, context: Any) -> AsyncIterator[v1.StreamLogsResponse]:
        """Stream what is appended from now on."""
        while True:
            await self._changed.wait()
            assert self._last is not None
            yield self._last


def keep(responses: list[v1.StreamLogsResponse], path: Path) -> None:
    """Write responses to a file, to be streamed again."""
    with path.open("wb") as file:
        for response in responses:
            data = response.SerializeToString()
            file.write(len(data).to_bytes(4, "big") + data)


def kept(path: Path) -> list[v1.StreamLogsResponse]:
    """Read what ``keep`` wrote."""
    data, at, found = path.read_bytes(), 0, []
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        found.append(v1.StreamLogsResponse.FromString(data[at + 4 : at + 4 + size]))
        at += 4 + size
    return found


async def main() -> None:
    """Serve until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("kept", type=Path, help="responses to stream")
    parser.add_argument("--paced", action="store_true", help="at the pace they were appended, for ever")
    arguments = parser.parse_args()
    replayed = kept(arguments.kept)
    player = Player(replayed)

    async def whole(request: v1.StreamLogsRequest, context: Any) -> AsyncIterator[v1.StreamLogsResponse]:
        for response in replayed:
            yield response

    method = grpc.unary_stream_rpc_method_handler(
        player.follow if arguments.paced else whole,
        request_deserializer=v1.StreamLogsRequest.FromString,
        response_serializer=v1.StreamLogsResponse.SerializeToString,
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("execsvc.v1.ExecutionService", {METHOD: method}),)
    )
    address = free_address()
    server.add_insecure_port(address)
    await server.start()
    print(address, flush=True)
    playing = asyncio.create_task(player.run())
    await asyncio.to_thread(sys.stdin.read)
    playing.cancel()
    await server.stop(0)


if __name__ == "__main__":
    from execsvc.app import run_tuned

    run_tuned(main())
