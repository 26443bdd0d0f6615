"""What a call costs over HTTP, through the gateway, against the same call over gRPC, in the same run."""

from __future__ import annotations

import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Final

import httpx

from benchmarks.report import report
from benchmarks.server import server
from execsvc_client import AsyncExecutionClient

Call = Callable[[int], Awaitable[object]]

_DEFINITION: Final = {
    "nodes": [{"id": "start", "type": "input"}, {"id": "out", "type": "output"}],
    "edges": [{"source": "start", "target": "out"}],
}


@contextlib.contextmanager
def _gateway(target: str) -> Iterator[str]:
    """Start ``execsvc gateway`` on a free port; answers its address."""
    command = [sys.executable, "-m", "execsvc", "gateway", "--target", target, "--http", "127.0.0.1:0", "--json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        try:
            yield json.loads(process.stdout.readline())["http"]
        finally:
            process.terminate()


def _grpc(client: AsyncExecutionClient, prefix: str) -> dict[str, Call]:
    return {
        "status": lambda _: client.status("e"),
        "logs": lambda _: client.list_logs_page("e", page_size=10),
        "execute": lambda n: client.execute(_DEFINITION, {"n": n}, execution_id=f"{prefix}-{n}"),
    }


def _http(client: httpx.AsyncClient, prefix: str) -> dict[str, Call]:
    def execute(number: int) -> Awaitable[httpx.Response]:
        body = {"execution_id": f"{prefix}-{number}", "definition": _DEFINITION, "input_data": {"n": number}}
        return client.post("/api/v1/execute", json=body)

    return {
        "status": lambda _: client.get("/api/v1/execute/e/status"),
        "logs": lambda _: client.get("/api/v1/execute/e/logs?limit=10"),
        "execute": execute,
    }


async def _times(call: Call, count: int) -> list[float]:
    """Seconds of so many calls, one after the other."""
    taken = []
    for number in range(count):
        begun = time.perf_counter()
        answer = await call(number)
        taken.append(time.perf_counter() - begun)
        if isinstance(answer, httpx.Response):
            answer.raise_for_status()
    return taken


async def _measure(target: str, address: str, count: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    figures: dict[str, dict[str, list[float]]] = {}
    async with AsyncExecutionClient(target) as client, httpx.AsyncClient(base_url=f"http://{address}") as http:
        await client.execute(_DEFINITION, {}, execution_id="e")
        await client.wait("e")
        # In turn, so that a change of the machine's speed touches both.
        for turn in range(rounds + 1):
            for way, calls in (("gRPC", _grpc(client, f"g{turn}")), ("HTTP", _http(http, f"h{turn}"))):
                for name, call in calls.items():
                    taken = await _times(call, count)
                    if turn:
                        # The first round warms up.
                        figures.setdefault(name, {}).setdefault(way, []).append(statistics.median(taken) * 1e3)
    return figures


def main(full: bool) -> None:
    """Measure one call at a time; the HTTP client's own cost is in the figures."""
    count, rounds = (1_000, 7) if full else (200, 3)
    with server(max_concurrent=64) as running, _gateway(running.address) as address:
        figures = asyncio.run(_measure(running.address, address, count, rounds))
    rows = []
    for name, ways in figures.items():
        grpc, http = (statistics.median(ways[way]) for way in ("gRPC", "HTTP"))
        over = statistics.median([theirs - ours for ours, theirs in zip(ways["gRPC"], ways["HTTP"], strict=True)])
        rows.append((name, f"{grpc:.2f}", f"{http:.2f}", f"{over:.2f}", f"{http / grpc:.1f}"))
    report(
        "gateway",
        "A call over HTTP through the gateway, against the same over gRPC (ms, median)",
        ("call", "gRPC", "HTTP", "more", "times"),
        rows,
        figures,
    )
