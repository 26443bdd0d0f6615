"""The state of an execution and its nodes, as its log tells it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from execsvc.cli.board import Board, NodeLine
from execsvc.cli.log_lines import plain_line
from execsvc.cli.pictures import MOST_NODES, chosen
from execsvc.cli.text import elapsed, printable
from execsvc_client import LogEntry, LogLevel, v1

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def entry(
    event: str, node: str = "", *, level: str = "INFO", after: float = 0, message: str = "m", **facts: Any
) -> Any:
    """A log entry, ``after`` seconds from the start."""
    return LogEntry(
        sequence=1,
        time=START + timedelta(seconds=after),
        level=LogLevel(level),
        node_id=node,
        attempt=int(facts.pop("attempt", 1)),
        message=message,
        metadata={"event": event, **facts} if event else facts,
        raw=v1.LogEntry(),
    )


def board_after(*entries: Any, total: int = 4) -> Board:
    """A board that has seen entries."""
    board = Board(total)
    for each in entries:
        board.take(each)
    return board


def test_nodes_start_retry_end_and_are_skipped() -> None:
    board = board_after(
        entry("execution_queued"),
        entry("node_completed", "a", type="input", duration_ms=2),
        entry("node_started", "b", type="llm", after=1),
        entry("node_retry", "b", type="llm", after=2, error_type="LLM_UNAVAILABLE", level="WARNING"),
        entry("node_skipped", "c", type="transform"),
    )

    assert (board.state, board.done, board.progress) == ("RUNNING", 2, 0.5)
    assert {line.node_id: (line.state, line.note) for line in board.nodes.values()} == {
        "a": ("COMPLETED", ""),
        "b": ("WAITING", "LLM_UNAVAILABLE"),
        "c": ("SKIPPED", ""),
    }
    assert board.nodes["b"].took == timedelta(seconds=1)

    board.take(entry("node_started", "b", type="llm", after=4, attempt=2))
    assert (board.nodes["b"].state, board.nodes["b"].attempt, board.nodes["b"].note) == ("RUNNING", 2, "")


def test_progress_is_whole_only_once_the_execution_is_completed() -> None:
    board = board_after(entry("node_completed", "a", duration_ms=1), total=1)
    assert board.progress < 1

    board.take(entry("execution_completed"))
    assert (board.state, board.progress) == ("COMPLETED", 1.0)


def test_a_failure_with_a_fallback_counts_as_done_and_another_does_not() -> None:
    board = board_after(
        entry("node_failed", "a", level="WARNING", error_type="X"),
        entry("node_failed", "b", level="ERROR", error_type="Y"),
    )

    assert (board.nodes["a"].state, board.nodes["b"].state, board.done) == ("COMPLETED", "FAILED", 1)


def test_what_a_stop_cuts_off_is_cancelled() -> None:
    board = board_after(entry("node_started", "a"), entry("execution_paused"))
    assert board.state == "PAUSED"

    board.take(entry("execution_stopped"))
    assert (board.state, board.nodes["a"].state) == ("STOPPED", "CANCELLED")


def test_what_nodes_say_themselves_changes_nothing() -> None:
    board = board_after(entry("", "a", model="echo:"), entry("my_event", "a"))

    assert (board.state, board.nodes) == ("PENDING", {})


def test_of_many_nodes_those_under_way_and_those_that_moved_last_are_shown_in_order() -> None:
    lines = [NodeLine(node_id=str(n), state="RUNNING" if n == 3 else "COMPLETED") for n in range(40)]

    assert [line.node_id for line in chosen(lines)] == ["3", *map(str, range(29, 40))]
    assert chosen(lines[:MOST_NODES]) == lines[:MOST_NODES]
    assert len(chosen([NodeLine(node_id=str(n), state="RUNNING") for n in range(40)])) == MOST_NODES


def test_a_line_names_the_node_once_and_holds_no_control_characters() -> None:
    assert plain_line(entry("node_completed", "a", message="a: completed")).endswith(" INFO    a: completed")
    assert plain_line(entry("", "a", message="asking the model")).endswith(" INFO    a: asking the model")
    assert plain_line(entry("node_completed", "a", message="Name: completed")).endswith(" INFO    a Name: completed")
    assert plain_line(entry("", message="bad\x1b[2J\u202e")).endswith(" INFO    bad\\x1b[2J\\u202e")


def test_text_is_cut_and_spans_read_well() -> None:
    assert printable("abcdef", most=4) == "abc…"
    assert printable("a\tb\nc") == "a\tb\nc"
    spans = [0.0004, 0.5, 3.44, 65, 3720]
    assert [elapsed(timedelta(seconds=span)) for span in spans] == ["0 ms", "500 ms", "3.4 s", "1 m 05 s", "1 h 02 m"]
