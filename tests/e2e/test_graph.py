"""``execsvc graph`` of executions, and what the shell offers for ids."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from execsvc.cli.workflows import types_for
from execsvc.definition import parse_definition
from tests.e2e.conftest import QUICK, Cli

Write = Callable[..., Path]


def test_the_nodes_of_an_execution_are_coloured_by_their_states(cli: Cli, write: Write) -> None:
    failing = {
        "nodes": [
            {"id": "start", "type": "input"},
            {"id": "bad", "type": "transform", "config": {"expression": "1 / (input.n - 1)"}},
            {"id": "end", "type": "output"},
        ],
        "edges": [{"source": "start", "target": "bad"}, {"source": "bad", "target": "end"}],
    }
    assert cli("submit", write(failing), "-i", '{"n": 1}', "--id", "g-1", "--wait").returncode == 1

    drawn = cli("graph", "--states", "g-1")
    document = cli.json("graph", "--states", "g-1")

    assert drawn.returncode == 0
    assert drawn.stdout.startswith("flowchart TD\n")
    assert "    class n0 completed\n" in drawn.stdout
    assert "    class n1 failed\n" in drawn.stdout
    assert (document["state"], document["nodes"]["bad"], document["mermaid"].strip()) == (
        "FAILED",
        "FAILED",
        drawn.stdout.strip(),
    )


def test_either_a_file_or_an_execution_is_drawn(cli: Cli, write: Write) -> None:
    assert cli.json("graph", code=2)["error"]["reason"] == "USAGE"
    assert cli.json("graph", write(QUICK), "--states", "x", code=2)["error"]["reason"] == "USAGE"
    assert cli.json("graph", "--states", "none", code=4)["error"]["reason"] == "EXECUTION_NOT_FOUND"


def test_node_types_of_plug_ins_need_not_be_installed_here() -> None:
    definition = {
        "nodes": [
            {"id": "a", "type": "somewhere_else", "config": {"x": 1}},
            {"id": "b", "type": "choosing"},
            {"id": "c", "type": "output"},
        ],
        "edges": [{"source": "a", "target": "b"}, {"source": "b", "target": "c", "branch": "left"}],
    }

    assert [node.type for node in parse_definition(definition, types=types_for(definition)).nodes] == [
        "somewhere_else",
        "choosing",
        "output",
    ]


def offered(cli: Cli, *words: str) -> list[str]:
    """What bash offers for the last of these words."""
    line = {"COMP_WORDS": " ".join(("execsvc", *words)), "COMP_CWORD": str(len(words))}
    done = subprocess.run(
        [sys.executable, "-m", "execsvc"],
        env=cli.env(_EXECSVC_COMPLETE="complete_bash", **line),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == ""
    return done.stdout.split()


def test_the_shell_completes_ids_that_the_server_knows(cli: Cli, write: Write) -> None:
    file = write(QUICK)
    for name in ("tab-1", "tab-2", "other"):
        assert cli("submit", file, "-i", '{"n": 1}', "--id", name, "--wait").returncode == 0
    assert cli("workflows", "create", file, "--id", "tabbed").returncode == 0

    assert offered(cli, "show", "tab-") == ["tab-2", "tab-1"]
    assert offered(Cli(), "watch", "--target", str(cli.target), "tab-1") == ["tab-1"]
    assert offered(cli, "graph", "--states", "oth") == ["other"]
    assert offered(cli, "workflows", "get", "tab") == ["tabbed"]


def test_where_no_server_answers_nothing_is_offered_and_nothing_said() -> None:
    assert offered(Cli("127.0.0.1:1"), "show", "x") == []
