"""Print a benchmark's table, keep its figures as JSON, and set them against the goals."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What was asked for, and what was measured."""

    question: str
    reference: str
    measured: float
    limit: float
    #: Whether more is better; otherwise less.
    at_least: bool
    #: Of both figures; empty: they are ratios.
    unit: str = ""

    @property
    def met(self) -> bool:
        """Whether the goal is met, as printed: a third decimal is noise."""
        measured, limit = round(self.measured, 2), round(self.limit, 2)
        return measured >= limit if self.at_least else measured <= limit

    @property
    def cells(self) -> tuple[str, str, str, str, str]:
        """Question, reference, goal, measured, and whether it is met."""
        unit = f" {self.unit}" if self.unit else ""
        goal = f"{'≥' if self.at_least else '≤'} {_number(self.limit)}{unit}"
        return self.question, self.reference, goal, f"{_number(self.measured)}{unit}", "yes" if self.met else "no"


def report(
    name: str,
    title: str,
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    figures: Any,
    goals: Sequence[Goal] = (),
    *,
    full: bool = False,
) -> None:
    """Show a table, and keep the figures behind it in ``benchmarks/results/NAME.json``."""
    table = Table(title=title, title_justify="left")
    for number, column in enumerate(columns):
        table.add_column(column, justify="left" if number == 0 else "right")
    for row in rows:
        table.add_row(*row)
    console = Console(width=120)
    console.print(table)
    if goals:
        console.print(goals_table(goals))
    RESULTS.mkdir(exist_ok=True)
    document = {
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {"cores": os.cpu_count(), "python": platform.python_version(), "system": platform.system()},
        "sizes": "full" if full else "quick",
        "figures": figures,
        "goals": [asdict(goal) | {"met": goal.met} for goal in goals],
    }
    (RESULTS / f"{name}.json").write_text(json.dumps(document, indent=2) + "\n")


def goals_table(goals: Iterable[Goal]) -> Table:
    """A table of goals."""
    table = Table("question", "reference", "goal", "measured", "met")
    for goal in goals:
        table.add_row(*goal.cells)
    return table


def kept_goals(name: str) -> list[Goal]:
    """Goals that a benchmark last left in its JSON; none if it never ran."""
    path = RESULTS / f"{name}.json"
    if not path.exists():
        return []
    names = [field.name for field in fields(Goal)]
    return [Goal(**{name: kept[name] for name in names}) for kept in json.loads(path.read_text())["goals"]]


def markdown(goals: Iterable[Goal]) -> str:
    """The table of goals as docs/performance.md has it."""
    lines = ["| question | reference | goal | measured | met |", "| --- | --- | --- | --- | --- |"]
    lines += [f"| {' | '.join(goal.cells)} |" for goal in goals]
    return "\n".join(lines)


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.2f}"
