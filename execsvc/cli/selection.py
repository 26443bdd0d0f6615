"""Which executions a command means: its options put together into one filter of ListExecutions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from execsvc.cli.options import State

Filter = Annotated[
    str,
    typer.Option(
        "--filter",
        metavar="FILTER",
        help="As in AIP-160: 'state = FAILED AND create_time > \"2026-01-31T00:00:00Z\"'.",
        show_default=False,
    ),
]
States = Annotated[
    list[State] | None,
    typer.Option("--state", case_sensitive=False, help="Only in this state; may be repeated.", show_default=False),
]
OfWorkflow = Annotated[
    str | None, typer.Option("--workflow", metavar="ID", help="Only of this workflow.", show_default=False)
]
WithLabels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="KEY=VALUE", help="Only with this label; may be repeated.", show_default=False),
]


def selection(
    *,
    filter: str = "",
    states: Sequence[State] | None = None,
    workflow: str | None = None,
    labels: Mapping[str, str] | None = None,
    ended_before: str | None = None,
) -> str:
    """Write the filter of what meets every condition.

    Args:
        states: any of these.
        ended_before: a time as RFC 3339 has it.
    """
    parts = [" OR ".join(f"state = {state.name}" for state in states)] if states else []
    parts += [] if workflow is None else [f"workflow_id = {_quoted(workflow)}"]
    parts += [f"labels.{_quoted(key)} = {_quoted(value)}" for key, value in (labels or {}).items()]
    parts += [] if ended_before is None else [f"end_time < {_quoted(ended_before)}"]
    if not filter.strip():
        return " AND ".join(parts)
    # Alone it stays as it was typed, so that the columns in what the server says of it are right.
    return " AND ".join([*parts, f"({filter})"]) if parts else filter


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
