"""Show a watched execution on stdout: a live display on a terminal, a line a change elsewhere, or JSON lines."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, ClassVar, Protocol, Self

from execsvc.cli.board import Board
from execsvc.cli.documents import snapshot_document
from execsvc.cli.log_lines import styled_line
from execsvc.cli.pictures import MOST_NODES, picture
from execsvc.cli.remarks import remark
from execsvc.cli.text import print_json, printable

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from execsvc.cli.log_tail import LogTail
    from execsvc_client import ExecutionStatus, Snapshot, TokenChunk

#: Answers shown at once, and characters of each: their ends.
MOST_ANSWERS = 3
LONGEST_ANSWER = 300


class WatchView(Protocol):
    """Shows one execution for as long as its context lasts."""

    #: Whether it moves, so that pieces of answers read as one text.
    live: ClassVar[bool]

    def __enter__(self) -> Self:
        """Begin to show."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Leave the last picture standing."""
        ...

    def show(self, snapshot: Snapshot) -> None:
        """Show what a snapshot changes."""
        ...


def make_watch_view(*, as_json: bool, tail: Callable[[], LogTail] | None = None) -> WatchView:
    """Choose what fits where stdout goes.

    Args:
        tail: makes the end of the log that a live display shows; None: it shows none.
    """
    if as_json:
        return JsonLines()
    from rich.console import Console

    console = Console(highlight=False)
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveWatch(console, None if tail is None else tail())
    return WatchLines()


class JsonLines:
    """Writes an object for each snapshot."""

    live: ClassVar[bool] = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        return

    def show(self, snapshot: Snapshot) -> None:
        """See ``WatchView``."""
        print_json(snapshot_document(snapshot))


class WatchLines(JsonLines):
    """Writes a line for each change, with the progress so far."""

    def __init__(self) -> None:
        self._told = ("", "")

    def show(self, snapshot: Snapshot) -> None:
        """See ``WatchView``."""
        status = snapshot.status
        lines = [
            f"{node.state:<9} {node.node_id}  {remark(node)}"
            for node in (snapshot.nodes[node_id] for node_id in snapshot.changed)
            if node.state != "PENDING"
        ]
        lines += [f"{'':<9} {chunk.node_id}> {_one_line(chunk.text)}" for chunk in snapshot.tokens]
        told = (str(status.state), status.message)
        if told != self._told:
            line = f"{status.state:<9} execution: {status.message}"
            # It ends after its nodes, and begins before them.
            lines.insert(len(lines) if status.state.terminal else 0, line)
            self._told = told
        for line in lines:
            print(printable(f"{status.progress:4.0%} {line}".rstrip()), flush=True)


class LiveWatch:
    """Shows a table of nodes, the end of the log, the ends of models' answers, and a progress bar."""

    live: ClassVar[bool] = True

    def __init__(self, console: Console, tail: LogTail | None = None) -> None:
        from rich.live import Live

        self._console = console
        self._tail = tail
        self._board = Board(1)
        self._answers = Answers()
        self._status: ExecutionStatus | None = None
        self._live = Live(console=console, get_renderable=self._picture, refresh_per_second=8)

    def __enter__(self) -> Self:
        self._live.__enter__()
        if self._tail is not None:
            self._tail.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._tail is not None:
            # Before the display, whose last picture holds the last entries.
            self._tail.__exit__(kind, error, traceback)
        self._live.__exit__(kind, error, traceback)

    def show(self, snapshot: Snapshot) -> None:
        """See ``WatchView``."""
        self._board.show(snapshot)
        self._status = snapshot.status
        for chunk in snapshot.tokens:
            self._answers.take(chunk)
        self._answers.keep({line.node_id for line in self._board.nodes.values() if line.state == "RUNNING"})

    def _picture(self) -> RenderableType:
        from rich.console import Group

        status = self._status
        began = None if status is None else status.start_time
        ended = None if status is None else status.end_time
        took = timedelta() if began is None else (ended or datetime.now(UTC)) - began
        between = [part for part in (self._log(), self._answers.shown()) if part is not None]
        whole = picture(self._board, max(took, timedelta()), Group(*between) if between else None)
        return Group(whole, *self._message())

    def _log(self) -> RenderableType | None:
        from rich.text import Text

        # The bar at the bottom is what must be seen: on a low terminal there is less of the log.
        room = self._console.height - min(len(self._board.nodes), MOST_NODES) - MOST_ANSWERS - 4
        entries = self._tail.entries()[-room:] if self._tail is not None and room > 0 else []
        if not entries:
            return None
        lines = Text("\n", no_wrap=True, overflow="ellipsis").join(styled_line(entry) for entry in entries)
        return Text.assemble("\n", lines, "\n", no_wrap=True, overflow="ellipsis")

    def _message(self) -> list[RenderableType]:
        """Say what an execution waits for, or why it has ended; the others' messages say no more than their nodes."""
        from rich.text import Text

        status = self._status
        if status is None or str(status.state) in ("RUNNING", "COMPLETED") or not status.message:
            return []
        style = "bold red" if str(status.state) == "FAILED" else "yellow"
        return [Text(printable(status.message, most=500), style)]


class Answers:
    """The ends of what models are answering now, by node."""

    def __init__(self) -> None:
        self._texts: dict[str, tuple[int, str]] = {}

    def take(self, chunk: TokenChunk) -> None:
        """Append a piece; a new attempt begins anew."""
        attempt, text = self._texts.pop(chunk.node_id, (chunk.attempt, ""))
        text = text if attempt == chunk.attempt else ""
        self._texts[chunk.node_id] = (chunk.attempt, (text + chunk.text)[-LONGEST_ANSWER:])

    def keep(self, node_ids: set[str]) -> None:
        """Forget the answers of all other nodes."""
        self._texts = {node_id: text for node_id, text in self._texts.items() if node_id in node_ids}

    def texts(self) -> list[tuple[str, str]]:
        """Give node and text of the answers that grew last."""
        return [(node_id, _one_line(text)) for node_id, (_, text) in list(self._texts.items())[-MOST_ANSWERS:]]

    def shown(self) -> RenderableType | None:
        """Draw them; None where there are none."""
        from rich.text import Text

        texts = self.texts()
        if not texts:
            return None
        parts = [((f"{node_id}> ", "cyan"), f"{text}\n") for node_id, text in texts]
        return Text.assemble(*(piece for part in parts for piece in part), end="")


def _one_line(text: str) -> str:
    return printable(" ".join(text.splitlines()) if text.strip() else text.replace("\n", " "))
