"""How many durable executions a second over gRPC, against bare LangGraph in memory."""

from __future__ import annotations

from benchmarks.figures import median, ratios, spread
from benchmarks.report import Goal, report
from benchmarks.server import run, server

PLAIN = "execsvc"
FOLLOWED = "execsvc, log followed"
BARE = "StateGraph in memory"


def main(full: bool) -> None:
    """Measure in turn, so that a change of the machine's speed touches both.

    The processor's time, the server's and LangGraph's, says the same of a machine that is busy with other things: there
    rates suffer, and ours more, since server and clients are two processes. What the clients take is shown beside it.
    """
    rounds, count = (7, 6_000) if full else (3, 600)
    figures: dict[str, dict[str, dict[str, list[float]]]] = {}
    rows: list[tuple[str, ...]] = []
    goals: list[Goal] = []
    for in_flight in (64, 256):
        rates: dict[str, list[float]] = {BARE: [], PLAIN: [], FOLLOWED: []}
        processor: dict[str, list[float]] = {name: [] for name in rates}
        load: dict[str, list[float]] = {PLAIN: [], FOLLOWED: []}
        with server(max_concurrent=in_flight) as served:
            run("load", served.address, in_flight * 4, in_flight)
            for _ in range(rounds):
                bare = run("reference", count, in_flight)
                rates[BARE].append(bare["per_second"])
                processor[BARE].append(bare["processor"])
                for name, options in ((PLAIN, ()), (FOLLOWED, ("--follow",))):
                    before = served.cpu()
                    ours = run("load", served.address, count, in_flight, *options)
                    rates[name].append(ours["per_second"])
                    processor[name].append((served.cpu() - before) / count)
                    load[name].append(ours["processor"])
        figures[str(in_flight)] = {
            "per_second": rates,
            "processor_seconds": processor,
            "load_processor_seconds": load,
        }
        for name, values in rates.items():
            ratio = median(ratios(values, rates[BARE]))
            less = median(ratios(processor[BARE], processor[name]))
            took = spread(processor[name], digits=2, scale=1000)
            loaded = spread(load[name], digits=2, scale=1000) if name in load else ""
            rows.append((str(in_flight), name, spread(values), f"{ratio:.2f}", took, f"{less:.2f}", loaded))
            if name != BARE:
                question = f"executions/s, {in_flight} in flight{', log followed' if name == FOLLOWED else ''}"
                limit = 1.0 if name == FOLLOWED else 1.5
                goals.append(Goal(question=question, reference=BARE, measured=ratio, limit=limit, at_least=True))
    report(
        "throughput",
        "Completed executions of 5 nodes, one an echo llm",
        ("in flight", "what", "a second: median (least to most)", "ratio", "processor ms each", "ratio", "the load's"),
        rows,
        figures,
        goals,
        full=full,
    )
