"""How many durable executions a second over gRPC, against bare LangGraph in memory."""

from __future__ import annotations

import json
import subprocess
import sys

from benchmarks.report import median, report, spread
from benchmarks.server import server


def _rate(module: str, *arguments: str) -> float:
    command = [sys.executable, "-m", f"benchmarks.{module}", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    return float(json.loads(done.stdout)["per_second"])


def main(full: bool) -> None:
    """Measure in turn, so that a change of the machine's speed touches both."""
    rounds, count = (7, 6_000) if full else (3, 2_000)
    figures: dict[str, dict[str, list[float]]] = {}
    rows: list[tuple[str, ...]] = []
    for in_flight in (64, 256) if full else (64,):
        rates: dict[str, list[float]] = {"StateGraph": [], "execsvc": [], "execsvc, log followed": []}
        with server(max_concurrent=in_flight) as address:
            _rate("load", address, str(in_flight * 4), str(in_flight))
            for _ in range(rounds):
                rates["StateGraph"].append(_rate("reference", str(count), str(in_flight)))
                rates["execsvc"].append(_rate("load", address, str(count), str(in_flight)))
                rates["execsvc, log followed"].append(_rate("load", address, str(count), str(in_flight), "--follow"))
        figures[str(in_flight)] = rates
        reference = rates["StateGraph"]
        for name, values in rates.items():
            ratio = median([ours / theirs for ours, theirs in zip(values, reference, strict=True)])
            rows.append((str(in_flight), name, spread(values), f"{ratio:.2f}"))
    report(
        "throughput",
        "Completed executions of 5 nodes, one an echo llm",
        ("in flight", "what", "a second: median (least to most)", "to StateGraph"),
        rows,
        figures,
    )
