"""How late followers read what is appended, and how fast a finished log streams; against gRPC that does nothing else.

An entry's time is when it was appended, the clock is the same machine's. All followers follow one execution, whose
nodes end at a steady pace. The reference streams the same responses at the same pace. Followers share a process, and
what they read is looked at when all is over: in life each has a machine of its own for that.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import itertools
import json
import math
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import uvloop

from benchmarks.figures import median, percentile, ratios, spread
from benchmarks.fill import long_log
from benchmarks.report import Goal, report
from benchmarks.server import folder, run, server
from benchmarks.stream import keep
from execsvc_client import AsyncExecutionClient, v1

FOLLOWERS = (1, 100, 1_000)
OURS, BARE = "execsvc", "gRPC stream"


def main(full: bool) -> None:
    """Measure both in turn."""
    rounds, ticks, entries = (5, 100, 100_000) if full else (2, 40, 100_000)
    late: dict[int, dict[str, list[dict[str, float]]]] = {}
    goals: list[Goal] = []
    rows: list[tuple[str, ...]] = []
    for followers in FOLLOWERS:
        # A thousand followers keep a core busy at some entries a second, whoever serves them.
        pace, wanted = (0.1, ticks) if followers <= 100 else (1.0, max(3, ticks // 5))
        found: dict[str, list[dict[str, float]]] = {OURS: [], BARE: []}
        with server(max_concurrent=16) as served, folder() as place:
            kept = place / "script"
            run("logs", served.address, "follow", 1, wanted, pace, "--execute", "--keep", kept)
            with stream(kept, "--paced") as bare:
                for _ in range(rounds if full or followers <= 100 else 1):
                    ours = run("logs", served.address, "follow", followers, wanted, pace, "--execute")
                    found[OURS].append(ours)
                    found[BARE].append(run("logs", bare, "follow", followers, int(ours["responses"]), pace))
        late[followers] = found
        for name, measured in found.items():
            cells = [spread([one[key] for one in measured], digits=1) for key in ("p50", "p99")]
            rows.append((f"{followers:,} followers", name, *cells))
        if followers == 100:
            measured_p99 = median([one["p99"] for one in found[OURS]])
            bare_p99 = median([one["p99"] for one in found[BARE]])
            goals.append(
                Goal(
                    question="appended until read, p99, 100 followers",
                    reference=f"gRPC stream: {bare_p99:.1f} ms",
                    measured=measured_p99,
                    limit=10,
                    at_least=False,
                    unit="ms",
                )
            )
    rates = finished(entries, rounds)
    rate = median(ratios(rates[OURS], rates[BARE]))
    for name, values in rates.items():
        rows.append((f"finished log of {entries:,}", name, f"{spread(values)} entries/s", ""))
    goals.append(
        Goal(
            question=f"finished log of {entries:,} entries, entries/s",
            reference="gRPC stream of the same batches",
            measured=rate,
            limit=0.5,
            at_least=True,
        )
    )
    report(
        "logs",
        "Log entries: appended until read, ms; and a finished log",
        ("what", "who", "p50: median (least to most)", "p99"),
        rows,
        {"follow": late, "finished_per_second": rates},
        goals,
        full=full,
    )


def finished(entries: int, rounds: int) -> dict[str, list[float]]:
    """Entries a second of a whole log, in turn."""
    rates: dict[str, list[float]] = {OURS: [], BARE: []}
    with folder() as place:
        database = place / "logs.db"
        with server(max_concurrent=16, database=database) as served:
            run("logs", served.address, "execute", 0, 10, 0)
        long_log(database, "long", entries)
        with server(max_concurrent=16, database=database) as served:
            run("logs", served.address, "read", 1, entries, 0, "--keep", place / "batches")
            with stream(place / "batches") as bare:
                for _ in range(rounds):
                    rates[OURS].append(run("logs", served.address, "read", 1, entries, 0)["per_second"])
                    rates[BARE].append(run("logs", bare, "read", 1, entries, 0)["per_second"])
    return rates


@contextlib.contextmanager
def stream(*arguments: object) -> Iterator[str]:
    """Run the reference; answers its address."""
    command = [sys.executable, "-m", "benchmarks.stream", *map(str, arguments)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        try:
            yield process.stdout.readline().strip()
        finally:
            process.stdin.close()
            process.wait(30)


def chain(length: int, pace: float) -> dict[str, Any]:
    """A chain of nodes that end at a pace."""
    config = {"model": "echo:", "prompt": "tick", "parameters": {"delay": pace} if pace else {}}
    nodes = [{"id": f"n{index}", "type": "llm", "config": config} for index in range(length)]
    nodes.append({"id": "out", "type": "output", "config": {"expression": "'done'"}})
    edges = [{"source": a["id"], "target": b["id"]} for a, b in itertools.pairwise(nodes)]
    return {"nodes": nodes, "edges": edges}


async def follow(
    address: str, followers: int, size: int, pace: float, execute: bool, path: Path | None
) -> dict[str, float]:
    """Follow with so many streams; answers percentiles of milliseconds from the append to the read.

    Args:
        size: nodes of the execution that is followed; without ``execute`` responses that each follower reads.
        path: where to keep what the first follower read.
    """
    # When each response was read, by which follower, and its bytes.
    received: list[tuple[int, int, bytes]] = []
    execution_id = uuid.uuid4().hex
    begin = math.inf
    standing = asyncio.Semaphore(0)
    # One connection for each hundred streams: the server's limit, and what many clients would look like.
    options = [("grpc.use_local_subchannel_pool", 1)]
    channels = [grpc.aio.insecure_channel(address, options) for _ in range(-(-followers // 100))]

    async def follower(number: int) -> None:
        channel = channels[number % len(channels)]
        stream: Any = channel.unary_stream(
            "/execsvc.v1.ExecutionService/StreamLogs", request_serializer=v1.StreamLogsRequest.SerializeToString
        )
        stood, counted = False, 0
        async for data in stream(v1.StreamLogsRequest(execution_id=execution_id, follow=True)):
            now = time.time_ns()
            received.append((now, number, data))
            if not stood:
                stood = True
                standing.release()
            counted += now >= begin
            if not execute and counted == size:
                return

    async with contextlib.AsyncExitStack() as stack:
        for channel in channels:
            await stack.enter_async_context(channel)
        if execute:
            client = await stack.enter_async_context(AsyncExecutionClient(address))
            # The first node takes as long as it takes the followers to come.
            plan = chain(size + 1, pace)
            plan["nodes"][0]["config"] = plan["nodes"][0]["config"] | {"parameters": {"delay": 0.5 + 0.003 * followers}}
            await client.execute(plan, {}, execution_id=execution_id)
        tasks = [asyncio.create_task(follower(number)) for number in range(followers)]
        for _ in range(followers):
            await standing.acquire()
        begin = time.time_ns()
        await asyncio.gather(*tasks)
    late: list[float] = []
    first: list[v1.StreamLogsResponse] = []
    for now, number, data in received:
        response = v1.StreamLogsResponse.FromString(data)
        # What was there before all followers stood waited for them, not for the server.
        appended = [since for entry in response.entries if (since := entry.time.ToNanoseconds()) >= begin]
        late += [(now - since) / 1e6 for since in appended]
        if number == 0 and appended:
            first.append(response)
    assert late
    if path is not None:
        keep(first, path)
    return {"p50": percentile(late, 50), "p99": percentile(late, 99), "responses": len(first)}


async def execute(address: str, length: int) -> None:
    """Run a chain under the id ``long``."""
    async with AsyncExecutionClient(address) as client:
        await client.execute(chain(length, 0), {}, execution_id="long")
        await client.wait("long")


async def read(address: str, entries: int, path: Path | None) -> dict[str, float]:
    """Read a whole log; answers entries a second. With ``path`` its batches are kept there."""
    kept: list[v1.StreamLogsResponse] = []
    async with grpc.aio.insecure_channel(address) as channel:
        await channel.channel_ready()
        stub: Any = v1.ExecutionServiceStub(channel)
        started = time.perf_counter()
        seen = 0
        async for response in stub.StreamLogs(v1.StreamLogsRequest(execution_id="long")):
            seen += len(response.entries)
            if path is not None:
                kept.append(response)
        assert seen == entries, seen
        rate = seen / (time.perf_counter() - started)
    if path is not None:
        keep(kept, path)
    return {"per_second": rate}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("action", choices=("follow", "execute", "read"))
    parser.add_argument("followers", type=int)
    parser.add_argument("size", type=int)
    parser.add_argument("pace", type=float)
    parser.add_argument("--execute", action="store_true")
    parser.add_argument("--keep", type=Path)
    given = parser.parse_args()
    if given.action == "follow":
        sizes = given.followers, given.size, given.pace
        gc.disable()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            print(json.dumps(runner.run(follow(given.address, *sizes, given.execute, given.keep))))
    elif given.action == "execute":
        print(json.dumps(asyncio.run(execute(given.address, given.size))))
    else:
        print(json.dumps(asyncio.run(read(given.address, given.size, given.keep))))
