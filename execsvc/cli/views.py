"""Show a running execution on stderr: a live display on a terminal, plain lines elsewhere, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Protocol, Self

from execsvc.cli.board import Board
from execsvc.cli.log_lines import plain_line, styled_line
from execsvc.cli.pictures import picture

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from execsvc_client import LogEntry


class View(Protocol):
    """Shows one execution for as long as its context lasts."""

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        ...

    def say(self, line: str) -> None:
        """Show a line about the run itself."""
        ...

    def entry(self, entry: LogEntry) -> None:
        """Show what one log entry changes, and the entry where its level asks for that."""
        ...


def make_view(*, total: int, shown: Callable[[LogEntry], bool], quiet: bool) -> View:
    """Choose what fits where stderr goes.

    Args:
        total: nodes of the workflow.
        shown: whether an entry is shown as a line.
        quiet: show nothing.
    """
    if quiet:
        return QuietView()
    from rich.console import Console

    console = Console(stderr=True, highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveView(console, Board(total), shown)
    return PlainView(Board(total), shown)


class QuietView:
    """Shows nothing."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def say(self, line: str) -> None:
        """See ``View``."""

    def entry(self, entry: LogEntry) -> None:
        """See ``View``."""


class PlainView(QuietView):
    """Shows lines, each with the progress so far."""

    def __init__(self, board: Board, shown: Callable[[LogEntry], bool]) -> None:
        self._board = board
        self._shown = shown

    def say(self, line: str) -> None:
        """See ``View``."""
        print(line, file=sys.stderr, flush=True)

    def entry(self, entry: LogEntry) -> None:
        """See ``View``."""
        self._board.take(entry)
        if self._shown(entry):
            print(f"{self._board.progress:4.0%} {plain_line(entry)}", file=sys.stderr, flush=True)


class LiveView:
    """Shows log lines that scroll, and below them a table of nodes and a progress bar."""

    def __init__(self, console: Console, board: Board, shown: Callable[[LogEntry], bool]) -> None:
        from rich.live import Live

        self._console = console
        self._board = board
        self._shown = shown
        self._began = datetime.now(UTC)
        # stdout is the output's: it may be a pipe, and is written after the display has ended.
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=8, redirect_stdout=False)

    def __enter__(self) -> Self:
        self._live.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._live.__exit__(kind, error, traceback)

    def say(self, line: str) -> None:
        """See ``View``."""
        self._console.print(line, markup=False)

    def entry(self, entry: LogEntry) -> None:
        """See ``View``."""
        self._board.take(entry)
        if self._shown(entry):
            self._console.print(styled_line(entry), soft_wrap=True)

    def _picture(self) -> RenderableType:
        return picture(self._board, datetime.now(UTC) - self._began)
