"""``execsvc workflows`` and ``submit --workflow``: workflows that are stored on the server."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import QUICK, Cli

Write = Callable[..., Path]
TRIPLE = copy.deepcopy(QUICK)
TRIPLE["nodes"][1]["config"] = {"expression": "input.n * 3"}


def test_a_stored_workflow_is_run_by_its_id_in_the_version_named_or_the_newest(cli: Cli, write: Write) -> None:
    first = cli("workflows", "create", write(QUICK), "--id", "w").stdout.strip()
    again = cli.json("workflows", "create", write(QUICK), "--id", "w")
    second = cli.json("workflows", "create", write(TRIPLE), "--id", "w")
    assert (again["version"], again["created"], second["created"]) == (first, False, True)

    given = ["-i", '{"n": 2}', "--wait"]
    assert cli("submit", "--workflow", "w", *given).stdout == "6\n"
    assert cli("submit", "--workflow", "w", "--version", first, "--id", "pinned", *given).stdout == "4\n"
    record = cli.json("show", "pinned")
    assert (record["workflow_id"], record["definition_digest"]) == ("w", first)

    newest = [json.loads(line) for line in cli("workflows", "list", "--json").stdout.splitlines()]
    assert ("w", second["version"]) in [(one["workflow_id"], one["version"]) for one in newest]
    versions = cli("workflows", "list", "w").stdout.splitlines()
    assert [line.split()[-1] for line in versions] == ["VERSION", second["version"], first]
    assert len(cli("workflows", "list", "w", "--limit", "1").stdout.splitlines()) == 2


def test_what_get_prints_is_a_workflow_again(cli: Cli, write: Write) -> None:
    version = cli("workflows", "create", write(QUICK), "--id", "g").stdout.strip()
    printed = cli("workflows", "get", "g").stdout

    assert cli("workflows", "create", "-", "--id", "copy-of-g", env=None, cwd=Path.cwd(), stdin=printed).stdout == (
        version + "\n"
    )
    document = cli.json("workflows", "get", "g", "--version", version)
    assert document["definition"] == json.loads(printed)
    assert (document["workflow_id"], document["version"]) == ("g", version)


def test_a_broken_workflow_is_refused_with_file_line_and_column(cli: Cli, write: Write) -> None:
    file = write('{"nodes": [\n  {"id": "end", "type": "output",\n   "config": {"expression": "input.x +"}}]}')

    done = cli("workflows", "create", file, "--id", "broken")

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {file}:3:29: definition.nodes[0].config.expression: ")
    assert cli("workflows", "get", "broken").returncode == 4


def test_what_is_not_there_or_makes_no_sense_is_told(cli: Cli, write: Write) -> None:
    file = write(QUICK)
    cli("workflows", "create", file, "--id", "v")

    assert cli.json("submit", "--workflow", "none", code=4)["error"]["reason"] == "WORKFLOW_NOT_FOUND"
    assert cli.json("workflows", "get", "v", "--version", "0", code=4)["error"]["metadata"]["version"] == "0"
    assert "there is no workflow to run" in cli("submit").stderr
    assert "--version is of a stored workflow" in cli("submit", file, "--version", "0").stderr
    assert cli("submit", "--workflow", "v", "-i", '{"n": "x"}').stderr.startswith("error: --input:1:7: input.n: ")
    assert cli("workflows", "create", file).returncode == 2
