"""Draw a running execution for a terminal: its nodes as a table, and a progress bar."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from execsvc.cli.board import Board, NodeLine
from execsvc.cli.text import elapsed, printable

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

#: Lines of the table of nodes; what runs comes first.
MOST_NODES = 12

_MARKS = {
    "RUNNING": ("▸", "bold cyan"),
    "WAITING": ("↻", "yellow"),
    "COMPLETED": ("✓", "green"),
    "FAILED": ("✗", "bold red"),
    "SKIPPED": ("–", "dim"),
    "CANCELLED": ("■", "yellow"),
    "STOPPED": ("■", "yellow"),
    "PAUSED": ("‖", "yellow"),
    "PENDING": ("·", "dim"),
}


def picture(board: Board, took: timedelta, between: RenderableType | None = None) -> RenderableType:
    """Draw what a board knows.

    Args:
        took: how long the execution has been running.
        between: shown between table and bar.
    """
    from rich.console import Group
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    bar = Table.grid(padding=(0, 1))
    mark, style = _MARKS.get(board.state, ("", ""))
    bar.add_row(
        Text(f"{mark} {board.state:<9}", style),
        ProgressBar(total=1.0, completed=board.progress, width=32),
        Text(f"{board.progress:4.0%}  {board.done}/{board.total} nodes  {elapsed(took)}"),
    )
    return Group(_table(board, datetime.now(UTC)), *([] if between is None else [between]), bar)


def _table(board: Board, now: datetime) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table.grid(padding=(0, 2))
    # A copy: what is shown changes while the display's own thread draws.
    lines = list(board.nodes.values())
    for line in chosen(lines):
        mark, style = _MARKS.get(line.state, ("", ""))
        attempt = f"attempt {line.attempt}" if line.attempt > 1 else ""
        table.add_row(
            Text(f"{mark} {printable(line.node_id)}", style),
            Text(line.type, "dim"),
            Text(line.state.lower(), style),
            Text(_time_of(line, now), "dim"),
            Text(" ".join(filter(None, (line.note, attempt)))),
        )
    if len(lines) > MOST_NODES:
        table.add_row(Text(f"  and {len(lines) - MOST_NODES} more", "dim"))
    return table


def chosen(lines: list[NodeLine]) -> list[NodeLine]:
    """Choose the nodes there is room for, in their order: those under way, then those that moved last."""
    if len(lines) <= MOST_NODES:
        return lines
    moving = [line for line in lines if line.state in ("RUNNING", "WAITING", "FAILED")][:MOST_NODES]
    rest = [line for line in lines if line not in moving]
    keep = {line.node_id for line in moving + rest[len(rest) - (MOST_NODES - len(moving)) :]}
    return [line for line in lines if line.node_id in keep]


def _time_of(line: NodeLine, now: datetime) -> str:
    if line.since is not None:
        return elapsed(max(now - line.since, now - now))
    return "" if line.took is None else elapsed(line.took)
