"""How long reads take with 1,000 to a million stored executions, against the same with 1,000.

The databases are filled with copies of executions that really ran. Servers of all of them are up together and asked in
turn, one call at a time.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import random
import shutil
import time
from pathlib import Path
from typing import Any

import grpc

from benchmarks.figures import median, percentile, ratios
from benchmarks.fill import copies
from benchmarks.report import Goal, report
from benchmarks.server import folder, run, server
from execsvc_client import v1

BASE = 1_000
READS = (
    "GetStatus",
    "GetExecution",
    "ListLogs",
    "ListExecutions, newest",
    "ListExecutions, of a state",
    "ListExecutions, of a label and time",
    "ListExecutions, a page in the middle",
)


def main(full: bool) -> None:
    """Fill, start and ask in turn."""
    sizes, rounds, count = ((BASE, 100_000, 1_000_000), 7, 400) if full else ((BASE, 100_000), 3, 60)
    taken: dict[int, dict[str, list[list[float]]]] = {size: {read: [] for read in READS} for size in sizes}
    with folder() as place, contextlib.ExitStack() as stack:
        seed = place / "seed.db"
        with server(max_concurrent=16, database=seed) as served:
            run("history", served.address, "fill", 50)
        addresses = {}
        for size in sizes:
            database = filled(seed, place, size)
            addresses[size] = stack.enter_context(server(max_concurrent=16, database=database)).address
        for number in range(rounds + 1):
            for size in sizes:
                found = run("history", addresses[size], "read", size - 50, "--count", count)
                # The first round fills caches.
                for read, values in found.items() if number else ():
                    taken[size][read].append(values)
    rows = []
    goals = []
    for read in READS:
        for size in sizes:
            p50 = [percentile(values, 50) for values in taken[size][read]]
            p99 = [percentile(values, 99) for values in taken[size][read]]
            base = [percentile(values, 99) for values in taken[BASE][read]]
            base50 = [percentile(values, 50) for values in taken[BASE][read]]
            worse, worse50 = median(ratios(p99, base)), median(ratios(p50, base50))
            rows.append(
                (read, f"{size:,}", f"{median(p50):.2f}", f"{median(p99):.2f}", f"{worse50:.2f}", f"{worse:.2f}")
            )
            if size != BASE:
                question = f"{read}, p99, {size:,} stored"
                goals.append(
                    Goal(question=question, reference="1,000 stored", measured=worse, limit=1.5, at_least=False)
                )
    report(
        "history",
        "Reads with many executions stored, ms",
        ("read", "stored", "p50", "p99", "p50, to 1,000", "p99, to 1,000"),
        rows,
        {str(size): found for size, found in taken.items()},
        goals,
        full=full,
    )


def filled(seed: Path, place: Path, size: int) -> Path:
    """A copy of a database with executions added up to a number."""
    database = place / f"{size}.db"
    shutil.copy(seed, database)
    copies(database, size - 50)
    return database


async def fill(address: str, count: int) -> None:
    """Run executions to be copied, with labels, some of which fail."""
    from benchmarks.shape import DEFINITION, given
    from execsvc_client import AsyncExecutionClient

    async with AsyncExecutionClient(address) as client:
        for index in range(count):
            inputs: dict[str, Any] = given(index) if index % 10 else {"text": "no number"}
            labels = {"customer": f"c{index % 20}", "team": "support"}
            status = await client.execute(
                DEFINITION, inputs, execution_id=f"seed-{index}", workflow_id=f"w{index % 5}", labels=labels
            )
            await client.wait(status.execution_id)


async def read(address: str, stored: int, count: int) -> dict[str, list[float]]:
    """Ask each kind of question so many times, in turn; answers milliseconds by question."""
    rng = random.Random(1)
    async with grpc.aio.insecure_channel(address) as channel:
        stub: Any = v1.ExecutionServiceStub(channel)
        oldest, middle = [
            (await stub.GetStatus(v1.GetStatusRequest(execution_id=name))).status.create_time.ToJsonString()
            for name in (f"copy-{stored - 1}", f"copy-{stored // 2}")
        ]
        taken: dict[str, list[float]] = {read: [] for read in READS}
        lists = {
            "ListExecutions, newest": "",
            "ListExecutions, of a state": 'state = "FAILED"',
            "ListExecutions, of a label and time": f'labels.customer = "c3" AND create_time > "{oldest}"',
            "ListExecutions, a page in the middle": f'create_time < "{middle}"',
        }
        for _ in range(count):
            name = f"copy-{rng.randrange(stored)}"
            for kind in READS:
                started = time.perf_counter()
                if kind == "GetStatus":
                    await stub.GetStatus(v1.GetStatusRequest(execution_id=name))
                elif kind == "GetExecution":
                    await stub.GetExecution(v1.GetExecutionRequest(execution_id=name, view=v1.EXECUTION_VIEW_FULL))
                elif kind == "ListLogs":
                    found = await stub.ListLogs(v1.ListLogsRequest(execution_id=name, page_size=50))
                    assert found.entries
                else:
                    answer = await stub.ListExecutions(v1.ListExecutionsRequest(filter=lists[kind], page_size=50))
                    assert answer.executions, kind
                taken[kind].append(1000 * (time.perf_counter() - started))
    return taken


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("action", choices=("fill", "read"))
    parser.add_argument("executions", type=int)
    parser.add_argument("--count", type=int, default=0)
    arguments = parser.parse_args()
    if arguments.action == "fill":
        print(json.dumps(asyncio.run(fill(arguments.address, arguments.executions))))
    else:
        print(json.dumps(asyncio.run(read(arguments.address, arguments.executions, arguments.count))))
