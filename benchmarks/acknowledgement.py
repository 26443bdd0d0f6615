"""How long Execute takes to acknowledge: until the execution is on disk; against one fsync measured beside it.

Three loads: one caller that waits for each execution to end; 64 callers whose executions take half a second each, as
they do with a model; 64 callers that leave the server no pause, which measures the length of its queue.
"""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import os
import time
import uuid
from pathlib import Path
from typing import Any

import grpc

from benchmarks.figures import median, percentile
from benchmarks.report import Goal, report
from benchmarks.server import folder, run, server
from benchmarks.shape import DEFINITION, given
from execsvc_client import to_definition, v1

#: Name, executions in flight, seconds an execution's model takes.
LOADS = (("1 in flight", 1, 0.0), ("64 in flight, 0.5 s each", 64, 0.5), ("64 in flight, no pause", 64, 0.0))
FSYNC = "one write and fsync"


def main(full: bool) -> None:
    """Measure each load and the disk in turn."""
    rounds, count = (5, 2_000) if full else (3, 256)
    taken: dict[str, list[list[float]]] = {FSYNC: [], **{name: [] for name, _, _ in LOADS}}
    with server(max_concurrent=64) as served, folder() as disk:
        run("load", served.address, 256, 64)
        for _ in range(rounds):
            taken[FSYNC].append(fsyncs(disk / "probe", count))
            for name, in_flight, delay in LOADS:
                wanted = min(count, 200) if in_flight == 1 else count
                found = run("acknowledgement", served.address, wanted, in_flight, delay)
                taken[name].append(found["milliseconds"])
    middles = {name: [percentile(values, 50) for values in taken[name]] for name in taken}
    worst = {name: [percentile(values, 99) for values in taken[name]] for name in taken}
    fsync = median(middles[FSYNC])
    goals = [
        Goal(
            question=f"Execute acknowledged, p50, {name}",
            reference=f"one fsync: {fsync:.2f} ms",
            measured=median(middles[name]),
            limit=3,
            at_least=False,
            unit="ms",
        )
        for name, _, _ in LOADS[:2]
    ]
    report(
        "acknowledgement",
        "Execute until its acknowledgement, ms",
        ("what", "p50", "p99", "p50 in fsyncs"),
        [
            (name, f"{median(middles[name]):.2f}", f"{median(worst[name]):.2f}", f"{median(middles[name]) / fsync:.1f}")
            for name in taken
        ],
        {"p50": middles, "p99": worst},
        goals,
        full=full,
    )


def fsyncs(path: Path, count: int) -> list[float]:
    """Append 4 KiB and make them durable, so many times; answers milliseconds each."""
    taken = []
    block = os.urandom(4096)
    with path.open("ab", buffering=0) as file:
        for _ in range(count):
            started = time.perf_counter()
            file.write(block)
            os.fsync(file.fileno())
            taken.append(1000 * (time.perf_counter() - started))
    return taken


async def measure(address: str, count: int, in_flight: int, delay: float) -> list[float]:
    """Execute so many, each caller following its own to the end before the next; answers milliseconds each."""
    document: dict[str, Any] = copy.deepcopy(DEFINITION)
    if delay:
        document["nodes"][2]["config"]["parameters"] = {"delay": delay}
    definition = to_definition(document)
    run_id = uuid.uuid4().hex[:8]
    numbers = iter(range(count))
    taken: list[float] = []
    async with grpc.aio.insecure_channel(address) as channel:
        stub = v1.ExecutionServiceStub(channel)

        async def caller(number: int) -> None:
            # Callers that start together stay together, and would measure how they wait for each other.
            await asyncio.sleep(delay * number / in_flight)
            for index in numbers:
                request = v1.ExecuteRequest(execution_id=f"{run_id}-{index}", definition=definition)
                request.input.update(given(index))
                started = time.perf_counter()
                await stub.Execute(request)
                taken.append(1000 * (time.perf_counter() - started))
                last = None
                async for response in stub.StreamLogs(
                    v1.StreamLogsRequest(execution_id=request.execution_id, follow=True)
                ):
                    last = response
                assert last is not None
                assert last.final_status.state == v1.EXECUTION_STATE_COMPLETED, last

        await asyncio.gather(*(caller(number) for number in range(in_flight)))
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    parser.add_argument("delay", type=float)
    given_arguments = parser.parse_args()
    print(json.dumps({"milliseconds": asyncio.run(measure(**vars(given_arguments)))}))
