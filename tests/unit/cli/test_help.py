"""The help of every command is what its snapshot says; ``make reference`` writes the snapshots anew."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer

from execsvc.cli import main
from execsvc.cli.program import app

SNAPSHOTS = Path(__file__).parent / "snapshots"
WRITE = os.environ.get("EXECSVC_SNAPSHOTS") == "write"


def commands(group: typer.Typer, *before: str) -> Iterator[tuple[str, ...]]:
    """The words that lead to each help."""
    yield before
    for command in group.registered_commands:
        assert command.callback is not None
        yield (*before, command.name or command.callback.__name__)
    for inner in group.registered_groups:
        assert inner.typer_instance is not None
        yield from commands(inner.typer_instance, *before, str(inner.typer_instance.info.name))


ALL = list(commands(app))


def snapshot(words: tuple[str, ...]) -> Path:
    """The file of a command's help."""
    return SNAPSHOTS / f"{'-'.join(('execsvc', *words))}.txt"


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_help_is_what_the_snapshot_says(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("FORCE_COLOR", "GITHUB_ACTIONS", "PY_COLORS", "TERMINAL_WIDTH"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"COLUMNS": "100", "LINES": "40", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(name, value)

    assert main([*words, "--help"]) == 0
    shown = "\n".join(line.rstrip() for line in capsys.readouterr().out.strip("\n").splitlines()) + "\n"

    if WRITE:
        SNAPSHOTS.mkdir(exist_ok=True)
        snapshot(words).write_text(shown, encoding="utf-8")
    assert snapshot(words).read_text(encoding="utf-8") == shown, "look at it, then run `make reference`"


def test_every_command_takes_json() -> None:
    groups = {words[:-1] for words in ALL if words}

    assert [words for words in ALL if words not in groups and "--json " not in snapshot(words).read_text()] == []


def test_no_snapshot_is_of_a_command_that_is_gone() -> None:
    assert {path.name for path in SNAPSHOTS.glob("*.txt")} == {snapshot(words).name for words in ALL}
