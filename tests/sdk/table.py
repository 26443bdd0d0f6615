"""Show what became of the scenarios: a table of scenario by client, and what went wrong below it."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from tests.sdk.outcomes import Outcome

_OK, _FAILED, _SKIPPED = "[green]ok[/]", "[bold red]failed[/]", "[dim]skipped[/]"


def show(console: Console, names: Sequence[str], outcomes: Sequence[Outcome]) -> None:
    """Print the table, the problems, and a last line that says it all."""
    table = Table("scenario", title="Scenarios by client", title_justify="left")
    columns: list[dict[str, bool] | None] = []
    for outcome in outcomes:
        variants = outcome.results.items() if not outcome.skipped else [("", None)]
        for variant, results in variants:
            table.add_column(f"{outcome.language}\n{variant}".strip(), justify="center")
            columns.append(results)
    for name in names:
        cells = [_SKIPPED if results is None else _OK if results.get(name) else _FAILED for results in columns]
        table.add_row(name, *cells)
    console.print(table)
    for outcome in outcomes:
        _problems(console, outcome)
    console.print(_closing(outcomes), soft_wrap=True, highlight=False)


def _problems(console: Console, outcome: Outcome) -> None:
    if outcome.skipped:
        console.print(f"[yellow]{outcome.language} skipped:[/] {escape(outcome.skipped)}", soft_wrap=True)
    for failure in outcome.failures:
        who = f"{outcome.language} {failure.variant}".strip()
        console.print(
            f"[bold red]{who}, {failure.scenario}:[/] {escape(failure.problem)}", soft_wrap=True, highlight=False
        )
    if outcome.broken:
        console.print(f"[bold red]{outcome.language}, the runner:[/] {escape(outcome.broken)}", soft_wrap=True)


def _closing(outcomes: Sequence[Outcome]) -> str:
    parts = []
    for outcome in outcomes:
        if outcome.skipped:
            parts.append(f"{outcome.language} skipped")
        for variant, results in outcome.results.items():
            parts.append(f"{outcome.language} {variant}".strip() + f" {sum(results.values())}/{len(results)}")
    return f"scenarios: {', '.join(parts)}"
