"""A gRPC server that does nothing but stream: what StreamLogs could be at best. A process of its own.

It answers StreamLogs on the execution's own path, so the same client reads both.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import grpc

from benchmarks.server import free_address
from execsvc_client import v1

METHOD = "StreamLogs"


def entry(sequence: int, message: str) -> v1.LogEntry:
    """An entry as a node's end gives it, appended now."""
    found = v1.LogEntry(sequence=sequence, level=v1.LOG_LEVEL_INFO, node_id="n12", attempt=1, message=message)
    found.time.FromNanoseconds(time.time_ns())
    found.metadata.update({"duration_ms": 51})
    return found


class Ticker:
    """Appends an entry at each tick, and wakes all who follow."""

    def __init__(self, pace: float) -> None:
        self._pace = pace
        self._last: v1.StreamLogsResponse | None = None
        self._changed = asyncio.Event()

    async def run(self) -> None:
        """Tick for ever."""
        sequence = 0
        while True:
            await asyncio.sleep(self._pace)
            sequence += 1
            message = "node n12 completed in 51 ms, attempt 1"
            self._last = v1.StreamLogsResponse(entries=[entry(sequence, message)], last_sequence=sequence)
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()

    async def follow(self, request: v1.StreamLogsRequest, context: Any) -> AsyncIterator[v1.StreamLogsResponse]:
        """Stream what is appended from now on."""
        while True:
            await self._changed.wait()
            assert self._last is not None
            yield self._last


def keep(responses: list[v1.StreamLogsResponse], path: Path) -> None:
    """Write responses to a file, for ``--replay``."""
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
    parser.add_argument("--pace", type=float, default=1.0, help="seconds between entries")
    parser.add_argument("--replay", type=Path, help="stream the responses kept in this file, and end")
    arguments = parser.parse_args()
    ticker = Ticker(arguments.pace)
    replayed = [] if arguments.replay is None else kept(arguments.replay)

    async def whole(request: v1.StreamLogsRequest, context: Any) -> AsyncIterator[v1.StreamLogsResponse]:
        for response in replayed:
            yield response

    method = grpc.unary_stream_rpc_method_handler(
        whole if replayed else ticker.follow,
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
    ticking = asyncio.create_task(ticker.run())
    await asyncio.to_thread(sys.stdin.read)
    ticking.cancel()
    await server.stop(0)


if __name__ == "__main__":
    from execsvc.app import run_tuned

    run_tuned(main())
