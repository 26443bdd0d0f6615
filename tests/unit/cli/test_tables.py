"""Columns line up, whatever is in them."""

from __future__ import annotations

from itertools import repeat

import pytest

from execsvc.cli.tables import BATCH, print_table


def test_columns_line_up_and_no_row_breaks_the_table(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "STATE", "SAYS"), [("a", "RUNNING", "x\ny\x1b"), ("longer", "", "")])

    assert capsys.readouterr().out.splitlines() == ["ID      STATE    SAYS", "a       RUNNING  x y\\x1b", "longer"]


def test_without_rows_nothing_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "STATE"), [])

    assert capsys.readouterr().out == ""


def test_the_header_is_printed_once_however_long_the_list(capsys: pytest.CaptureFixture[str]) -> None:
    print_table(("ID", "STATE"), repeat(("a", "b"), 2 * BATCH + 1))

    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 * BATCH + 2
    assert lines.count("ID  STATE") == 1
