"""Run every benchmark: ``python -m benchmarks [--full] [NAME …]``."""

from __future__ import annotations

import argparse
import importlib
import time
from typing import Final

from rich.console import Console

from benchmarks.report import goals_table, kept_goals, markdown

#: Each is a module with ``main(full)``.
NAMES: Final = (
    "throughput",
    "peers",
    "acknowledgement",
    "nodes",
    "makespan",
    "history",
    "logs",
    "start",
    "memory",
    "disk",
    "gateway",
    "replicas",
    "tracing",
    "overload",
)


def main() -> None:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(NAMES)}")
    parser.add_argument("--full", action="store_true", help="larger sizes, for figures to be quoted")
    parser.add_argument("--markdown", action="store_true", help="run nothing; print the last figures as Markdown")
    arguments = parser.parse_args()
    unknown = set(arguments.names) - set(NAMES)
    if unknown:
        parser.error(f"no benchmark {', '.join(sorted(unknown))}; there are {', '.join(NAMES)}")
    names = arguments.names or NAMES
    console = Console(width=120)
    if not arguments.markdown:
        for name in names:
            started = time.perf_counter()
            importlib.import_module(f"benchmarks.{name}").main(arguments.full)
            console.print(f"{name}: {time.perf_counter() - started:.0f} s\n", style="dim")
    goals = [goal for name in names for goal in kept_goals(name)]
    if arguments.markdown:
        print(markdown(goals))
    elif len(names) > 1:
        console.print(goals_table(goals))


if __name__ == "__main__":
    main()
