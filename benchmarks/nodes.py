"""What a node costs in plans of 5 to 5,000 nodes: chains and fan-outs of effects, chains of pure nodes.

The server's processor time, since a chain that runs alone waits for the disk at each of its effects, which says
nothing about the server; how long it took is shown beside it. What an execution costs by itself is taken off first:
else large plans would look cheap because small ones share that among few nodes.
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
from benchmarks.server import Server, processor_of, run, server
from execsvc_client import to_definition, v1

SIZES = (5, 50, 500, 5_000)
SHAPES = ("effects in a chain", "effects side by side", "pure nodes in a chain")
#: An execution of nothing but an output, whose cost is taken off the others'.
EMPTY: tuple[str, int] = (SHAPES[2], 1)
#: One effect, to set a fan-out of 1,000 against; both with an output behind.
ONE: tuple[str, int] = (SHAPES[1], 2)
WIDE: tuple[str, int] = (SHAPES[1], 1_001)


def main(full: bool) -> None:
    """Measure every size in turn; each round runs about the same number of nodes of each, large plans more."""
    rounds, nodes, in_flight = (5, 5_000, 8) if full else (2, 1_000, 8)
    #: Microseconds an execution: of the server's processor, and elapsed.
    processor: dict[tuple[str, int], list[float]] = {}
    elapsed: dict[tuple[str, int], list[float]] = {}
    #: The same of the first check of a definition.
    first: dict[tuple[str, int], list[float]] = {}

    def measured(served: Server, shape: str, size: int, count: int, at_once: int) -> None:
        found = run("nodes", served.address, served.process.pid, shape, size, count, at_once)
        processor.setdefault((shape, size), []).append(1e6 * found["processor"] / count)
        elapsed.setdefault((shape, size), []).append(1e6 * found["elapsed"] / count)
        first.setdefault((shape, size), []).append(1e6 * found["first"])

    with server(max_concurrent=64) as served:
        run("nodes", served.address, served.process.pid, SHAPES[0], 6, 100, in_flight)
        for number in range(rounds):
            measured(served, *EMPTY, nodes // 2, in_flight)
            for shape in SHAPES:
                # The longest chain takes as long as all others together: once, where it has to be quick.
                for size in SIZES if full or number == 0 else SIZES[:-1]:
                    # As many in flight whatever the size: those that run alone share no commit with anybody.
                    count = max(in_flight, (5 * nodes if shape == SHAPES[2] else nodes) // size)
                    measured(served, shape, size, count, in_flight)
            measured(served, *ONE, nodes, in_flight)
            measured(served, *WIDE, 1, 1)
    own = median(processor[EMPTY])
    each = {
        (shape, size): [(value - own) / (size - 1) for value in values]
        for (shape, size), values in processor.items()
        if size > 1
    }
    rows = [("an execution of its output alone", "", spread(processor[EMPTY]), spread(elapsed[EMPTY]), "")]
    goals = []
    for (shape, size), values in each.items():
        # So little is left of five pure nodes once the execution's own cost is taken off that it says nothing.
        base = ONE if (shape, size) == WIDE else (shape, SIZES[1 if shape == SHAPES[2] else 0])
        ratio = median(values) / median(each[base])
        took = [value / (size - 1) for value in elapsed[shape, size]]
        rows.append((shape, f"{size:,}", spread(values), spread(took), f"{ratio:.2f}"))
        if size <= base[1] or (shape, size) == ONE:
            continue
        reference, limit = ("in a plan of one", 1.2) if base == ONE else (f"in a plan of {base[1]}", 1.3)
        question = f"cost of a node, {size:,} nodes, {shape}"
        goals.append(Goal(question=question, reference=reference, measured=ratio, limit=limit, at_least=False))
    longest = (SHAPES[2], SIZES[-1])
    checked = [value / longest[1] for value in first[longest][:1]]
    rows.append(("first check of a definition", f"{longest[1]:,}", spread(checked), "", ""))
    report(
        "nodes",
        "Cost of a node, µs: median (least to most)",
        ("plan", "nodes", "server's processor", "elapsed", "processor, to the least"),
        rows,
        {
            "processor_us": {f"{shape}: {size}": values for (shape, size), values in processor.items()},
            "first_check_us": {f"{shape}: {size}": values for (shape, size), values in first.items()},
            "elapsed_us": {f"{shape}: {size}": values for (shape, size), values in elapsed.items()},
        },
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


async def measure(address: str, server: int, shape: str, size: int, count: int, in_flight: int) -> dict[str, float]:
    """Have so many executions of a plan completed; answers seconds of the server's processor, and elapsed.

    The definition is known by then: what it takes to check it the first time is answered beside.
    """
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

        before = processor_of(server)
        check = v1.ExecuteRequest(definition=definition, validate_only=True)
        check.input.update({"word": "word"})
        await stub.Execute(check)
        started, known = time.perf_counter(), processor_of(server)
        await asyncio.gather(*(caller() for _ in range(in_flight)))
        elapsed, after = time.perf_counter() - started, processor_of(server)
        return {"processor": after - known, "elapsed": elapsed, "first": known - before}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("server", type=int, help="its process id")
    parser.add_argument("shape", choices=SHAPES)
    parser.add_argument("size", type=int)
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    given_arguments = parser.parse_args()
    print(json.dumps(asyncio.run(measure(**vars(given_arguments)))))
