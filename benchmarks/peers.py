"""How many durable executions a second over gRPC, against durable peers that run in the caller's own process."""

from __future__ import annotations

from benchmarks.figures import median, ratios, spread
from benchmarks.report import Goal, report
from benchmarks.server import folder, run, server

OURS = "execsvc over gRPC"
SAVED = "LangGraph + AsyncSqliteSaver"
SYNC = f"{SAVED}, durability sync"
DBOS = "DBOS (SQLite), 5 steps"
DBOS_ONE = "DBOS (SQLite), 1 step"


def main(full: bool) -> None:
    """Measure in turn; every peer begins each round with a new database, which is the best it can have."""
    rounds, ours, theirs, in_flight = (5, 6_000, 600, 64) if full else (2, 800, 128, 64)
    rates: dict[str, list[float]] = {OURS: [], SAVED: [], SYNC: [], DBOS: [], DBOS_ONE: []}
    with server(max_concurrent=in_flight) as served, folder() as databases:
        run("load", served.address, in_flight * 4, in_flight)
        for number in range(rounds):
            paths = iter(databases / f"{number}-{part}.db" for part in range(4))
            rates[OURS].append(run("load", served.address, ours, in_flight)["per_second"])
            for name, durability in ((SAVED, "async"), (SYNC, "sync")):
                options = ("--saved", next(paths), "--durability", durability)
                rates[name].append(run("reference", theirs, in_flight, *options)["per_second"])
            rates[DBOS].append(run("reference_dbos", theirs, in_flight, next(paths))["per_second"])
            rates[DBOS_ONE].append(run("reference_dbos", theirs, in_flight, next(paths), "--one-step")["per_second"])
    times = {name: median(ratios(rates[OURS], values)) for name, values in rates.items()}
    report(
        "peers",
        f"Completed durable executions of 5 nodes, one an echo llm, {in_flight} in flight",
        ("what", "a second: median (least to most)", "execsvc is so many times as fast"),
        [(name, spread(values), "" if name == OURS else f"{times[name]:.1f}") for name, values in rates.items()],
        rates,
        [
            Goal(question="executions/s, durable", reference=name, measured=times[name], limit=8, at_least=True)
            for name in (SAVED, DBOS)
        ],
        full=full,
    )
