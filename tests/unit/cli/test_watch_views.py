"""Snapshots as lines, as JSON and as a picture."""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest
from rich.console import Console

from execsvc.cli.board import Board
from execsvc.cli.log_tail import LogTail
from execsvc.cli.watch_views import LONGEST_ANSWER, Answers, JsonLines, LiveWatch, WatchLines
from execsvc_client import ExecutionStatus, LogEntry, LogStream, NodeRun, Snapshot, TokenChunk, v1

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def node(node_id: str, state: str, *, attempt: int = 1, error: str = "", branch: str = "") -> NodeRun:
    """A node that took two seconds, if it has ended."""
    raw = v1.NodeRun(
        node_id=node_id, type="llm", state=v1.NodeState.Value(f"NODE_STATE_{state}"), attempt=attempt, branch=branch
    )
    raw.start_time.FromDatetime(START)
    if state in ("COMPLETED", "FAILED"):
        raw.end_time.FromDatetime(START + timedelta(seconds=2))
    if error:
        raw.error.type, raw.error.message = error, "no"
    return NodeRun.from_proto(raw)


def snapshot(
    *nodes: NodeRun, state: str = "RUNNING", progress: float = 0.0, message: str = "running", tokens: Any = ()
) -> Snapshot:
    """A snapshot in which all nodes changed."""
    raw = v1.ExecutionStatus(
        execution_id="e", state=v1.ExecutionState.Value(f"EXECUTION_STATE_{state}"), progress=progress, message=message
    )
    raw.start_time.FromDatetime(START)
    return Snapshot(
        status=ExecutionStatus.from_proto(raw),
        nodes={one.node_id: one for one in nodes},
        changed=tuple(one.node_id for one in nodes),
        tokens=tuple(
            TokenChunk.from_proto(v1.TokenChunk(node_id=name, attempt=attempt, text=text))
            for name, attempt, text in tokens
        ),
        tokens_dropped=False,
        raw=v1.WatchExecutionResponse(status=raw),
    )


def test_a_board_counts_what_snapshots_say() -> None:
    board = Board(1)
    board.show(snapshot(node("a", "COMPLETED", branch="yes"), node("b", "RUNNING"), node("c", "PENDING")))
    assert (board.total, board.done, list(board.nodes)) == (3, 1, ["a", "b"])
    assert (board.nodes["a"].took, board.nodes["a"].note) == (timedelta(seconds=2), "branch yes")
    assert board.nodes["b"].since == START

    board.show(snapshot(node("a", "COMPLETED"), node("b", "FAILED", error="X"), node("c", "SKIPPED"), state="FAILED"))
    assert (board.state, board.done, board.nodes["b"].note) == ("FAILED", 2, "X")

    # After a retry.
    board.show(snapshot(node("a", "COMPLETED"), node("b", "PENDING"), node("c", "PENDING"), state="PENDING"))
    assert (board.state, board.done, list(board.nodes)) == ("PENDING", 1, ["a"])


def test_lines_tell_each_change_once_and_the_end_last(capsys: pytest.CaptureFixture[str]) -> None:
    lines = WatchLines()
    lines.show(snapshot(node("a", "RUNNING"), node("b", "PENDING")))
    lines.show(snapshot(tokens=[("a", 1, "hel\nlo\x1b")]))
    lines.show(snapshot(node("a", "COMPLETED"), progress=0.5))
    lines.show(
        snapshot(node("b", "FAILED", attempt=2, error="X"), state="FAILED", progress=0.5, message="node 'b' failed")
    )

    assert capsys.readouterr().out.splitlines() == [
        "  0% RUNNING   execution: running",
        "  0% RUNNING   a",
        "  0%           a> hel lo\\x1b",
        " 50% COMPLETED a  2.0 s",
        " 50% FAILED    b  2.0 s, attempt 2, no [X]",
        " 50% FAILED    execution: node 'b' failed",
    ]


def test_json_lines_hold_the_nodes_that_changed(capsys: pytest.CaptureFixture[str]) -> None:
    JsonLines().show(snapshot(node("a", "RUNNING"), tokens=[("a", 1, "x")]))

    document = json.loads(capsys.readouterr().out)
    assert (document["state"], document["nodes"][0]["node_id"]) == ("RUNNING", "a")
    assert document["tokens"] == [{"node_id": "a", "attempt": 1, "text": "x"}]
    assert "output" not in document["nodes"][0]


def test_answers_keep_their_ends_and_begin_anew_with_each_attempt() -> None:
    answers = Answers()
    for text in ("lost ", "x" * LONGEST_ANSWER):
        answers.take(TokenChunk.from_proto(v1.TokenChunk(node_id="a", attempt=1, text=text)))
    answers.take(TokenChunk.from_proto(v1.TokenChunk(node_id="b", attempt=1, text="one\ntwo")))
    assert answers.texts() == [("a", "x" * LONGEST_ANSWER), ("b", "one two")]

    answers.take(TokenChunk.from_proto(v1.TokenChunk(node_id="a", attempt=2, text="anew")))
    assert answers.texts() == [("b", "one two"), ("a", "anew")]

    answers.keep({"a"})
    assert answers.texts() == [("a", "anew")]


def test_a_terminal_sees_nodes_answers_and_progress() -> None:
    screen = io.StringIO()
    live = LiveWatch(Console(file=screen, force_terminal=True, width=100, highlight=False))
    with live:
        live.show(
            snapshot(node("a", "COMPLETED"), node("b", "RUNNING"), progress=0.5, tokens=[("b", 1, "[bold]so far\x1b")])
        )

    shown = screen.getvalue()
    assert "✓ a" in shown
    assert "[bold]so far\\x1b" in shown
    assert "50%  1/2 nodes" in shown


class Stream:
    """A log stream that gives these entries, then waits to be closed unless it ends."""

    def __init__(self, *entries: Any, ends: bool) -> None:
        self._entries = entries
        self._ends = ends
        self.closed = threading.Event()

    def __iter__(self) -> Iterator[Any]:
        yield from self._entries
        if not self._ends:
            self.closed.wait()

    def close(self) -> None:
        """As the client's."""
        self.closed.set()


def entry(sequence: int, message: str) -> LogEntry:
    """A log entry."""
    raw = v1.LogEntry(sequence=sequence, level=v1.LOG_LEVEL_INFO, message=message)
    raw.time.FromDatetime(START)
    return LogEntry.from_proto(raw)


def test_the_end_of_the_log_is_whole_when_the_execution_has_ended() -> None:
    tail = LogTail(cast("LogStream", Stream(*(entry(n, f"m{n}") for n in range(1, 9)), ends=True)), 3)
    with tail:
        pass

    assert [one.message for one in tail.entries()] == ["m6", "m7", "m8"]


def test_a_log_that_goes_on_is_left_at_once_when_interrupted() -> None:
    stream = Stream(entry(1, "m1"), ends=False)
    with pytest.raises(KeyboardInterrupt), LogTail(cast("LogStream", stream), 3):
        raise KeyboardInterrupt

    assert stream.closed.is_set()


@pytest.mark.parametrize(("height", "shown"), [(40, 6), (12, 3), (6, 0)])
def test_on_a_low_terminal_the_log_makes_room_for_the_bar(height: int, shown: int) -> None:
    screen = io.StringIO()
    tail = LogTail(cast("LogStream", Stream(*(entry(n, f"m{n}[b]") for n in range(1, 7)), ends=True)), 6)
    console = Console(file=screen, force_terminal=True, width=100, height=height, highlight=False)
    with LiveWatch(console, tail) as live:
        live.show(snapshot(node("a", "COMPLETED"), node("b", "FAILED"), state="FAILED", message="b failed: [no]"))
        tail._thread.join()

    last = screen.getvalue().rpartition("✓ a")[2]
    assert [n for n in range(1, 7) if f"m{n}[b]" in last] == list(range(7 - shown, 7))
    assert "1/2 nodes" in last
    assert "b failed: [no]" in last
