"""What an execution leaves on the disk, against LangGraph with its SQLite saver; chains of effects, 5 and 50 long."""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from pathlib import Path
from typing import Any

from benchmarks.report import Goal, report
from benchmarks.server import folder, run, server
from benchmarks.shape import ANSWER
from execsvc_client import AsyncExecutionClient

LENGTHS = (5, 50)
OURS, SAVED = "execsvc, with its log", "LangGraph + AsyncSqliteSaver"


def main(full: bool) -> None:
    """Run the same chains on both; the bytes do not depend on the machine."""
    count = 1_000 if full else 50
    bytes_each: dict[str, dict[int, float]] = {OURS: {}, SAVED: {}}
    with folder() as place:
        for length in LENGTHS:
            ours, theirs = place / f"ours{length}.db", place / f"theirs{length}.db"
            with server(max_concurrent=64, database=ours) as served:
                run("disk", served.address, length, 1)
            before = size(ours)
            with server(max_concurrent=64, database=ours) as served:
                run("disk", served.address, length, count)
            bytes_each[OURS][length] = (size(ours) - before) / count
            run("reference_disk", theirs, length, 1)
            before = size(theirs)
            run("reference_disk", theirs, length, count)
            bytes_each[SAVED][length] = (size(theirs) - before) / count
    short, long = LENGTHS
    growth = {name: each[long] / each[short] / (long / short) for name, each in bytes_each.items()}
    goals = [
        Goal(
            question=f"bytes on disk, {length} nodes",
            reference=SAVED,
            measured=bytes_each[OURS][length] / bytes_each[SAVED][length],
            limit=0.3,
            at_least=False,
        )
        for length in LENGTHS
    ]
    goals.append(
        Goal(
            question=f"bytes for each of {long} nodes",
            reference=f"for each of {short}",
            measured=growth[OURS],
            limit=1.0,
            at_least=False,
        )
    )
    report(
        "disk",
        "Bytes on disk for each execution",
        ("what", *(f"{length} nodes" for length in LENGTHS), f"for a node, {long} to {short}"),
        [
            (name, *(f"{each[length]:,.0f}" for length in LENGTHS), f"{growth[name]:.2f}")
            for name, each in bytes_each.items()
        ],
        bytes_each,
        goals,
        full=full,
    )


def size(database: Path) -> int:
    """Bytes of a database that nobody has open, all that belongs to it."""
    return sum(path.stat().st_size for path in database.parent.glob(f"{database.name}*") if path.suffix != ".lock")


def chain(length: int) -> dict[str, Any]:
    """The same chain for us: models that answer, each result kept, and an output."""
    prompt = ANSWER.format(word="{{input.word}}")
    nodes: list[dict[str, Any]] = [
        {"id": f"n{index}", "type": "llm", "config": {"model": "echo:", "prompt": prompt}}
        for index in range(length - 1)
    ]
    nodes.append({"id": "out", "type": "output", "config": {"expression": f"nodes.n{length - 2}"}})
    edges = [{"source": a["id"], "target": b["id"]} for a, b in itertools.pairwise(nodes)]
    return {"nodes": nodes, "edges": edges}


async def execute(address: str, length: int, count: int) -> None:
    """Run so many."""
    plan = chain(length)
    async with AsyncExecutionClient(address) as client:
        names = [(await client.execute(plan, {"word": f"word {index}"})).execution_id for index in range(count)]
        for name in names:
            status = await client.wait(name)
            assert status.state == "COMPLETED", status


if __name__ == "__main__":
    print(json.dumps(asyncio.run(execute(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))))
