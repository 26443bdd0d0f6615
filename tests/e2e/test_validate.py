"""``execsvc validate`` and ``graph``: every problem with its place, without a server."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.conftest import EXAMPLES, QUICK, Cli

Write = Callable[..., Path]

BROKEN = """{
  "nodes": [
    {"id": "a", "type": "transform", "config": {"expression": "nodes.b"}},
    {"id": "b", "type": "transform", "config": {"fields": {"x": "1 +"}}},
    {"id": "b", "type": "magic"},
    {"id": "end", "type": "output", "config": {"expresion": "1"}}
  ],
  "edges": [
    {"source": "a", "target": "b"},
    {"source": "b", "target": "a"},
    {"source": "a", "target": "ende"}
  ]
}
"""


def test_every_problem_is_listed_with_file_line_and_column(write: Write) -> None:
    file = write(BROKEN)

    done = Cli()("validate", file)

    assert (done.returncode, done.stdout) == (3, "")
    first, *problems = done.stderr.splitlines()
    assert first == f"error: {len(problems)} problems"
    assert all(line.startswith(f"  {file}:") for line in problems)
    places = {line.split(": ")[0].strip().removeprefix(f"{file}:"): line for line in problems}
    assert "definition.nodes[1].config.fields.x: " in places["4:65"]
    assert "[UNKNOWN_NODE_TYPE]" in places["5:25"]
    assert "[UNKNOWN_FIELD]" in places["6:61"]
    assert "did you mean 'end'" in places["11:31"]
    assert any("a -> b -> a" in line for line in problems)


def test_problems_are_told_to_programs(write: Write) -> None:
    error = Cli().json("validate", write(BROKEN), code=3)["error"]

    assert error["reason"] == "INVALID_REQUEST"
    found = {problem["reason"]: problem for problem in error["problems"]}
    assert {"CEL_SYNTAX", "DUPLICATE_NODE", "UNKNOWN_NODE_TYPE", "UNKNOWN_FIELD", "UNKNOWN_NODE"} <= set(found)
    assert found["CEL_SYNTAX"]["path"] == "definition.nodes[1].config.fields.x"
    assert found["CEL_SYNTAX"]["position"].endswith("workflow.json:4:65")


@pytest.mark.parametrize(
    ("text", "place", "reason"),
    [
        ('{"nodes": [\n  {"id": "a",}\n]}', "2:14", "JSON_SYNTAX"),
        ("", "1:1", "JSON_SYNTAX"),
        ('{"nodes": [],\n "nodes": []}', "2:2", "DUPLICATE_KEY"),
        ('{"nodes": NaN}', "1:11", "NOT_A_NUMBER"),
        ("[]", "1:1", "WRONG_TYPE"),
        ("[" * 5000, "1:257", "TOO_DEEP"),
    ],
)
def test_files_that_are_no_json_are_told_with_line_and_column(write: Write, text: str, place: str, reason: str) -> None:
    file = write(text)

    done = Cli()("validate", file)

    assert done.returncode == 3
    assert done.stderr.startswith(f"error: {file}:{place}: ")
    assert done.stderr.endswith(f"[{reason}]\n")
    assert "Traceback" not in done.stderr


def test_bytes_that_are_no_text_are_told_with_line_and_column(tmp_path: Path) -> None:
    file = tmp_path / "latin.json"
    file.write_bytes('{"nodes":\n "é"}'.encode("latin-1"))

    done = Cli()("validate", file)

    assert done.returncode == 3
    assert f"{file}:2:3: " in done.stderr
    assert "UTF-8" in done.stderr


def test_a_valid_workflow_is_called_valid(write: Write) -> None:
    file = write(QUICK)

    done = Cli()("validate", file)
    document = Cli().json("validate", file)

    assert done.stdout == f"{file} is valid: 3 nodes, digest {document['definition_digest'][:12]}\n"
    assert (document["valid"], document["nodes"]) == (True, 3)


def test_graph_draws_nodes_and_branches() -> None:
    drawn = Cli()("graph", EXAMPLES / "triage.json").stdout
    as_json = Cli()("graph", EXAMPLES / "triage.json", "--json").stdout

    assert drawn.startswith("flowchart TD\n")
    assert '-->|"true"|' in drawn
    assert json.loads(as_json)["mermaid"] == drawn
