"""What an execution costs in the server's memory: in flight, paused, and after it has ended."""

from __future__ import annotations

import argparse
import asyncio
import copy
import json
import uuid
from typing import Any

from benchmarks.hosted import Hosted, hosted
from benchmarks.report import Goal, report
from benchmarks.server import folder, run
from benchmarks.shape import DEFINITION, given
from execsvc_client import AsyncExecutionClient

#: Seconds that a model takes which is to be in flight.
LONG = 600.0


def main(full: bool) -> None:
    """Measure what is there before and after."""
    flying, paused, ended, step = (5_000, 5_000, 1_000_000, 100_000) if full else (1_000, 500, 12_000, 4_000)
    with folder() as place:
        in_flight = _flying(place, flying)
        resting = _paused(place, paused)
        kept = _ended(place, ended, step)
    # The first step fills caches and the allocator's arenas.
    first, last = kept[1]["bytes"], kept[-1]["bytes"]
    growth = (last - first) / ((len(kept) - 2) * step)
    kib = 1024
    report(
        "memory",
        "Resident memory of the server",
        ("what", "KiB each", "asyncio tasks each"),
        [
            (f"in flight: {flying:,}", f"{in_flight['bytes'] / kib:.1f}", f"{in_flight['tasks']:.2f}"),
            (f"paused: {paused:,}", f"{resting['bytes'] / kib:.1f}", f"{resting['tasks']:.2f}"),
            (f"ended: {ended:,}, growth after the first {step:,}", f"{growth / kib:.2f}", ""),
            (f"in all, after {step:,} and {ended:,}", f"{first / kib:,.0f} to {last / kib:,.0f}", ""),
            ("pages of files beside that", " to ".join(f"{at['mapped'] / kib:,.0f}" for at in (kept[1], kept[-1])), ""),
        ],
        {"in_flight": in_flight, "paused": resting, "ended": {"every": step, "held": kept}},
        [
            Goal(
                question="memory of an execution in flight",
                reference="the server at rest",
                measured=in_flight["bytes"] / 1000,
                limit=50,
                at_least=False,
                unit="KB",
            ),
            Goal(
                question="memory of a paused execution",
                reference="the server at rest",
                measured=resting["bytes"] / 1000,
                limit=50,
                at_least=False,
                unit="KB",
            ),
            Goal(
                question="tasks of a paused execution",
                reference="the server at rest",
                measured=resting["tasks"],
                limit=0,
                at_least=False,
                unit="tasks",
            ),
            Goal(
                question=f"memory after {ended:,} executions",
                reference=f"after {step:,}",
                measured=last / first,
                limit=1.05,
                at_least=False,
            ),
        ],
        full=full,
    )


def _warm(server: Hosted) -> dict[str, int]:
    run("load", server.address, 500, 32)
    return server.held()


def _each(before: dict[str, int], after: dict[str, int], count: int) -> dict[str, float]:
    return {key: (after[key] - before[key]) / count for key in before}


def _flying(place: Any, count: int) -> dict[str, float]:
    with hosted(place / "flying.db", max_concurrent=count) as server:
        before = _warm(server)
        run("memory", server.address, "fly", count)
        return _each(before, server.held(), count)


def _paused(place: Any, count: int) -> dict[str, float]:
    with hosted(place / "paused.db", max_concurrent=count) as server:
        _warm(server)
        # The first ones leave the allocator with room that they had while they were in flight; the second ones use it.
        run("memory", server.address, "pause", count)
        before = server.held()
        run("memory", server.address, "pause", count)
        return _each(before, server.held(), count)


def _ended(place: Any, count: int, step: int) -> list[dict[str, int]]:
    with hosted(place / "ended.db", max_concurrent=64) as server:
        held = [_warm(server)]
        for _ in range(count // step):
            # Followed, so that no queue builds up whose length would say more than what is left behind.
            run("load", server.address, step, 64, "--follow")
            held.append(server.held())
        return held


async def fly(address: str, count: int, pause: bool) -> None:
    """Have so many executions in flight, waiting for their models; or paused behind them."""
    document = copy.deepcopy(DEFINITION)
    # Paused ones let go of their slot once the node that is under way has ended.
    document["nodes"][2]["config"]["parameters"] = {"delay": 5.0 if pause else LONG}
    async with AsyncExecutionClient(address) as client:
        numbers = iter(range(count))
        prefix = uuid.uuid4().hex[:8]

        async def caller() -> None:
            for index in numbers:
                name = f"{prefix}-{index}"
                await client.execute(document, given(index), execution_id=name)
                await _until(client, name, running=("ask",))
                if pause:
                    await client.pause(name)

        await asyncio.gather(*(caller() for _ in range(32)))
        if pause:
            for index in range(count):
                await _until(client, f"{prefix}-{index}", running=())
                assert (await client.status(f"{prefix}-{index}")).state == "PAUSED"


async def _until(client: AsyncExecutionClient, execution_id: str, running: tuple[str, ...]) -> None:
    """Wait until these nodes are under way, and no others."""
    async with client.watch(execution_id) as snapshots:
        async for snapshot in snapshots:
            if snapshot.status.running_nodes == running:
                return


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("action", choices=("fly", "pause"))
    parser.add_argument("count", type=int)
    arguments = parser.parse_args()
    print(json.dumps(asyncio.run(fly(arguments.address, arguments.count, arguments.action == "pause"))))
