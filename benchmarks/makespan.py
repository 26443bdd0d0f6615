"""How long unequal graphs take, against their critical path; and what LangGraph's lock-step makes of them.

Each node is a model that answers after a known time. Server and clock are one: the record's create_time and end_time.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.figures import median, spread
from benchmarks.report import Goal, report
from benchmarks.server import run, server
from execsvc_client import ExecutionClient

#: What is added to the critical path by all that runs once an execution, seconds.
ALLOWANCE = 0.020


@dataclass(frozen=True, slots=True)
class Dag:
    """Nodes by id, each with the seconds it takes and the nodes it waits for; in an order that respects them."""

    durations: Mapping[str, float]
    needs: Mapping[str, tuple[str, ...]]

    def critical_path(self) -> float:
        """Seconds that nobody can be quicker than."""
        ends: dict[str, float] = {}
        for name, duration in self.durations.items():
            ends[name] = duration + max((ends[need] for need in self.needs[name]), default=0.0)
        return max(ends.values())

    def last(self) -> list[str]:
        """Nodes that none waits for."""
        needed = {need for needs in self.needs.values() for need in needs}
        return [name for name in self.durations if name not in needed]


def main(full: bool) -> None:
    """Run every shape in turn, alone on the server."""
    rounds, scale = (7, 2.0) if full else (2, 1.0)
    taken: dict[str, list[float]] = {}
    lockstep: dict[str, list[float]] = {}
    paths = {name: dag.critical_path() for name, dag in shapes(scale).items()}
    with server(max_concurrent=64) as served, ExecutionClient(served.address) as client:
        run_on_server(client, shapes(0.1)["diamond"])
        for _ in range(rounds):
            theirs = run("makespan", scale)
            for name, dag in shapes(scale).items():
                taken.setdefault(name, []).append(run_on_server(client, dag))
                lockstep.setdefault(name, []).append(theirs[name])
    goals = []
    rows = []
    for name, values in taken.items():
        path = paths[name]
        ratio = (median(values) - ALLOWANCE) / path
        reference = f"critical path, {1000 * path:.0f} ms + 20 ms"
        goals.append(
            Goal(question=f"makespan, {name}", reference=reference, measured=ratio, limit=1.05, at_least=False)
        )
        rows.append(
            (
                name,
                str(len(shapes(scale)[name].durations)),
                f"{1000 * path:.0f}",
                spread(values, scale=1000),
                f"{median(values) / path:.2f}",
                f"{median(lockstep[name]) / path:.2f}",
            )
        )
    report(
        "makespan",
        "Makespan of unequal graphs, ms",
        ("shape", "nodes", "critical path", "execsvc: median (least to most)", "to critical path", "StateGraph to it"),
        rows,
        {"critical_path": paths, "execsvc": taken, "StateGraph": lockstep},
        goals,
        full=full,
    )


def shapes(scale: float) -> dict[str, Dag]:
    """The graphs; the same in every process and run."""
    rng = random.Random(7)

    def draw() -> float:
        return round(scale * rng.choice((0.02, 0.05, 0.1, 0.3)), 3)

    layered: dict[str, tuple[str, ...]] = {}
    for layer in range(5):
        for place in range(6):
            before = [f"l{layer - 1}_{other}" for other in range(6)] if layer else []
            layered[f"l{layer}_{place}"] = tuple(rng.sample(before, min(2, len(before))))
    scattered: dict[str, tuple[str, ...]] = {}
    for number in range(30):
        before = [f"r{other}" for other in range(max(0, number - 12), number)]
        scattered[f"r{number}"] = tuple(rng.sample(before, min(len(before), rng.randrange(3))))
    # Two sides that take the same in all, one slow first and one slow last: lock-step pays for both.
    diamond: dict[str, tuple[str, ...]] = {"top": (), "left1": ("top",), "left2": ("left1",)}
    diamond |= {"right1": ("top",), "right2": ("right1",), "bottom": ("left2", "right2")}
    slow, quick = 0.4 * scale, 0.05 * scale
    sides = {"top": quick, "left1": slow, "left2": quick, "right1": quick, "right2": slow, "bottom": quick}
    wide: dict[str, tuple[str, ...]] = {f"w{number}": () for number in range(100)}
    wide["join"] = tuple(wide)
    return {
        "random": Dag({name: draw() for name in scattered}, scattered),
        "layered": Dag({name: draw() for name in layered}, layered),
        "diamond": Dag(sides, diamond),
        "wide join": Dag({name: draw() for name in wide}, wide),
    }


def run_on_server(client: ExecutionClient, dag: Dag) -> float:
    """Run a graph; answers the seconds from its acknowledgement to its end."""
    nodes = [
        {"id": name, "type": "llm", "config": {"model": "echo:", "prompt": "go", "parameters": {"delay": duration}}}
        for name, duration in dag.durations.items()
    ]
    nodes.append({"id": "out", "type": "output", "config": {"expression": "'done'"}})
    edges = [{"source": need, "target": name} for name, needs in dag.needs.items() for need in needs]
    edges += [{"source": name, "target": "out"} for name in dag.last()]
    execution_id = f"makespan-{uuid.uuid4().hex}"
    client.execute({"nodes": nodes, "edges": edges}, {}, execution_id=execution_id)
    status = client.wait(execution_id).status
    assert status.state == "COMPLETED", status
    assert status.end_time is not None
    return (status.end_time - status.create_time).total_seconds()


async def run_in_lockstep(dag: Dag) -> float:
    """Run a graph as a StateGraph in memory, its nodes mere sleeps; answers seconds."""
    from typing import TypedDict

    from langgraph.graph import END, START, StateGraph

    class State(TypedDict, total=False):
        pass

    def sleeper(seconds: float) -> Any:
        async def sleep(state: State) -> State:
            await asyncio.sleep(seconds)
            return {}

        return sleep

    builder = StateGraph(State)
    for name, duration in dag.durations.items():
        builder.add_node(name, sleeper(duration))
    for name, needs in dag.needs.items():
        builder.add_edge(list(needs) if needs else START, name)
    builder.add_edge(dag.last(), END)
    compiled = builder.compile()
    started = time.perf_counter()
    await compiled.ainvoke({}, {"recursion_limit": 200})
    return time.perf_counter() - started


async def lockstep_of_all(scale: float) -> dict[str, float]:
    """Run all graphs in lock-step; answers seconds by shape."""
    await run_in_lockstep(shapes(0.1)["diamond"])
    return {name: await run_in_lockstep(dag) for name, dag in shapes(scale).items()}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("scale", type=float)
    print(json.dumps(asyncio.run(lockstep_of_all(parser.parse_args().scale))))
