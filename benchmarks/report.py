"""Print a benchmark's table and write its figures as JSON."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def spread(values: Sequence[float]) -> str:
    """The middle value with the smallest and largest."""
    return f"{median(values):.0f} ({min(values):.0f} to {max(values):.0f})"


def report(name: str, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], figures: Any) -> None:
    """Show a table, and keep the figures behind it in ``benchmarks/results/NAME.json``."""
    table = Table(*columns, title=title)
    for row in rows:
        table.add_row(*row)
    Console(width=120).print(table)
    RESULTS.mkdir(exist_ok=True)
    machine = {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()}
    (RESULTS / f"{name}.json").write_text(json.dumps({"machine": machine, "figures": figures}, indent=2) + "\n")
