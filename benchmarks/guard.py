"""The regression guard: durable executions over gRPC against bare LangGraph, as a ratio, in a few seconds.

A machine that does other work slows down whichever is measured at that moment, so no single round says anything, and no
rate does either. What a regression cannot do is look fast in one round of several: the guard looks at the best.
"""

from __future__ import annotations

import argparse
import asyncio
import json

from benchmarks import load, reference

#: Rounds that are measured at most; it stops at the first that is good enough.
ROUNDS = 6


async def measure(address: str, enough: float, count: int, in_flight: int) -> list[float]:
    """Answer the ratio of each round, ours to LangGraph's; the last one is enough, or none is."""
    await load.measure(address, 2 * in_flight, in_flight, follow=False)
    found: list[float] = []
    for _ in range(ROUNDS):
        theirs = await reference.measure(count, in_flight)
        ours = await load.measure(address, count, in_flight, follow=False)
        found.append(ours["per_second"] / theirs["per_second"])
        if found[-1] >= enough:
            break
    return found


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("--enough", type=float, default=0.5)
    parser.add_argument("--count", type=int, default=120)
    parser.add_argument("--in-flight", type=int, default=32)
    given = parser.parse_args()
    print(json.dumps(asyncio.run(measure(given.address, given.enough, given.count, given.in_flight))))
