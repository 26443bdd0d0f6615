"""What a node costs in plans of 5 to 5,000 nodes: chains and fan-outs of effects, chains of pure nodes.

The server's processor time, since a chain that runs alone waits for the disk at each of its effects, which says
nothing about the server. How long it took is shown beside it.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import time
import uuid
from typing import Any

import grpc

from benchmarks.figures import median, spread
from benchmarks.report import Goal, report
from benchmarks.server import Server, run, server
from execsvc_client import to_definition, v1

SIZES = (5, 50, 500, 5_000)
SHAPES = ("effects in a chain", "effects side by side", "pure nodes in a chain")
#: One effect and nothing else, to set a fan-out of 1,000 against.
ONE, WIDE = "1,000 times one effect", "1,000 effects side by side"


def main(full: bool) -> None:
    """Measure every size in turn; each round runs the same number of nodes of each."""
    rounds, nodes, in_flight = (5, 5_000, 8) if full else (2, 1_000, 8)
    cpu: dict[str, list[float]] = {}
    elapsed: dict[str, list[float]] = {}

    def measured(served: Server, name: str, shape: str, size: int, count: int, at_once: int) -> None:
        before = served.cpu()
        took = run("nodes", served.address, shape, size, count, at_once)["seconds"]
        # The output is nobody's question.
        measured_nodes = (size - 1) * count
        cpu.setdefault(name, []).append(1e6 * (served.cpu() - before) / measured_nodes)
        elapsed.setdefault(name, []).append(1e6 * took / measured_nodes)

    with server(max_concurrent=64) as served:
        run("nodes", served.address, SHAPES[0], 5, 100, in_flight)
        for number in range(rounds):
            for shape in SHAPES:
                # The longest chain takes as long as all others together: once, where it has to be quick.
                for size in SIZES if full or number == 0 else SIZES[:-1]:
                    count = max(1, (5 * nodes if shape == SHAPES[2] else nodes) // size)
                    measured(served, f"{shape}: {size:,}", shape, size, count, in_flight)
            measured(served, ONE, SHAPES[1], 2, 1_000, 64)
            measured(served, WIDE, SHAPES[1], 1_001, 1, 1)
    goals = []
    rows = []
    for name, values in cpu.items():
        shape = name.partition(":")[0]
        base = ONE if name in (ONE, WIDE) else f"{shape}: 5"
        ratio = median(values) / median(cpu[base])
        rows.append((name, spread(values), spread(elapsed[name]), f"{ratio:.2f}"))
        if name != base:
            reference, limit = ("one effect, 1,000 times", 1.2) if name == WIDE else ("in a plan of 5", 1.3)
            goals.append(
                Goal(
                    question=f"cost of a node: {name}", reference=reference, measured=ratio, limit=limit, at_least=False
                )
            )
    report(
        "nodes",
        "Cost of a node, µs: median (least to most)",
        ("plan", "server's processor", "elapsed", "processor, to 5 nodes"),
        rows,
        {"processor_us": cpu, "elapsed_us": elapsed},
        goals,
        full=full,
    )


def plan(shape: str, size: int) -> dict[str, Any]:
    """A definition of so many nodes, all of the one kind but for the output they lead to."""
    effects, chained = shape != SHAPES[2], shape != SHAPES[1]
    ids = [f"n{index}" for index in range(size - 1)]
    nodes: list[dict[str, Any]] = []
    for previous, current in zip([None, *ids], ids, strict=False):
        if effects:
            nodes.append({"id": current, "type": "llm", "config": {"model": "echo:", "prompt": "Say {{input.word}}"}})
        else:
            expression = "input.word" if previous is None else f"nodes.{previous}"
            nodes.append({"id": current, "type": "transform", "config": {"expression": expression}})
    edges = [{"source": a, "target": b} for a, b in itertools.pairwise(ids)] if chained else []
    edges += [{"source": name, "target": "out"} for name in (ids[-1:] if chained else ids)]
    return {"nodes": [*nodes, {"id": "out", "type": "output", "config": {"expression": "'done'"}}], "edges": edges}


async def measure(address: str, shape: str, size: int, count: int, in_flight: int) -> float:
    """Have so many executions of a plan completed; answers seconds."""
    definition = to_definition(plan(shape, size))
    run_id = uuid.uuid4().hex[:8]
    numbers = iter(range(count))
    async with grpc.aio.insecure_channel(address) as channel:
        stub = v1.ExecutionServiceStub(channel)

        async def caller() -> None:
            for index in numbers:
                request = v1.ExecuteRequest(execution_id=f"{run_id}-{index}", definition=definition)
                request.input.update({"word": f"word {index}"})
                await stub.Execute(request)
                # Only the end: to read the log would be measured as well.
                query = v1.StreamLogsRequest(
                    execution_id=request.execution_id, min_level=v1.LOG_LEVEL_ERROR, follow=True
                )
                last = None
                async for response in stub.StreamLogs(query):
                    last = response
                assert last is not None
                assert last.final_status.state == v1.EXECUTION_STATE_COMPLETED, last

        started = time.perf_counter()
        await asyncio.gather(*(caller() for _ in range(in_flight)))
        return time.perf_counter() - started


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("size", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    given_arguments = parser.parse_args()
    print(json.dumps({"seconds": asyncio.run(measure(**vars(given_arguments)))}))
