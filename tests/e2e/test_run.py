"""``execsvc run``: from a file to its output, with a server of its own or a given one."""

from __future__ import annotations

import json
import signal
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ENDLESS, QUICK, Cli, ServeProcess, lines_until

Write = Callable[..., Path]
FAILING: dict[str, Any] = {
    "nodes": [
        {"id": "divide", "type": "transform", "config": {"expression": "1 / input.n"}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "divide", "target": "end"}],
}


def test_the_output_alone_is_on_stdout_and_the_progress_on_stderr(write: Write) -> None:
    done = Cli()("run", write(QUICK), "--input", "@" + str(write({"n": 21}, "input.json")))

    assert (done.returncode, done.stdout) == (0, "42\n")
    lines = done.stderr.splitlines()
    assert "on a server of its own at 127.0.0.1:" in lines[0]
    assert lines[-1].startswith("100% ")
    assert lines[-1].endswith(" INFO    execution completed")
    shares = [int(line[:4].strip(" %")) for line in lines[1:]]
    assert shares == sorted(shares)


def test_with_json_there_is_one_object_and_nothing_else(write: Write) -> None:
    done = Cli()("run", write(QUICK), "-i", '{"n": 21}', "--id", "mine", "--json")

    record = json.loads(done.stdout)
    assert (record["execution_id"], record["state"], record["output"]) == ("mine", "COMPLETED", 42)
    assert done.stderr == ""


def test_workflow_and_input_come_from_stdin_as_well(write: Write) -> None:
    assert Cli()("run", "-", "-i", '{"n": 1}', stdin=json.dumps(QUICK)).stdout == "2\n"
    assert Cli()("run", write(QUICK), "-i", "@-", stdin='{"n": 2}').stdout == "4\n"


def test_a_failure_names_the_node_and_ends_with_1(write: Write) -> None:
    done = Cli()("run", write(FAILING), "-i", '{"n": 0}', "--id", "f", "--level", "error")

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[-1].startswith("error: execution f failed at node 'divide': ")
    assert done.stderr.splitlines()[-1].endswith("[EXPRESSION_FAILED]")
    assert "divide: failed with EXPRESSION_FAILED" in done.stderr
    assert "INFO" not in done.stderr


def test_a_broken_workflow_is_told_with_its_place_before_anything_starts(write: Write) -> None:
    file = write('{"nodes": [\n  {"id": "end", "type": "output",\n   "config": {"expression": "input.x +"}}]}')

    done = Cli()("run", file)

    assert (done.returncode, done.stdout) == (3, "")
    assert done.stderr.startswith(f"error: {file}:3:29: definition.nodes[0].config.expression: ")
    assert done.stderr.endswith("[CEL_SYNTAX]\n")


def test_a_timeout_fails_the_run(write: Write) -> None:
    done = Cli()("run", write(ENDLESS), "--timeout", "0.05")

    assert done.returncode == 1
    assert "[DEADLINE_EXCEEDED]" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_stops_a_run_on_a_server_of_its_own(
    write: Write, tmp_path: Path, number: signal.Signals
) -> None:
    database = tmp_path / "kept.db"
    with Cli().running("run", write(ENDLESS), "--db", database, "--id", "i") as process:
        lines_until(process.stderr, "slow: started")
        process.send_signal(number)
        output, rest = process.communicate(timeout=30)

    assert (process.returncode, output) == (130, "")
    assert "execution i: stopped: interrupted" in rest
    with sqlite3.connect(database) as kept:
        assert kept.execute("SELECT count(*) FROM log_entries").fetchone()[0] > 3


def test_a_run_on_a_named_server_goes_on_without_its_command(cli: Cli, write: Write) -> None:
    with cli.running("run", write(ENDLESS), "--id", "n-1") as process:
        seen = lines_until(process.stderr, "slow: started")
        assert f"on the server at {cli.target}" in seen[0]
        process.send_signal(signal.SIGINT)
        _, rest = process.communicate(timeout=30)

    assert process.returncode == 130
    assert "execution n-1 goes on: execsvc logs -f n-1, execsvc stop n-1" in rest
    assert cli.json("status", "n-1")["state"] == "RUNNING"
    with cli.running("run", write(ENDLESS), "--id", "n-1") as again:
        lines_until(again.stderr, "slow: started")
        assert cli("stop", "n-1").returncode == 0
        again.communicate(timeout=30)
        assert again.returncode == 6


def test_a_database_is_kept_and_a_second_run_of_the_same_id_answers_from_it(write: Write, tmp_path: Path) -> None:
    arguments: list[str | Path] = [
        "run",
        write(QUICK),
        "-i",
        '{"n": 3}',
        "--id",
        "k",
        "--db",
        tmp_path / "k.db",
        "--json",
    ]

    first, second = Cli()(*arguments), Cli()(*arguments)

    assert second.returncode == 0
    assert json.loads(second.stdout) == json.loads(first.stdout)


def test_a_database_in_use_is_refused(write: Write, serve: Callable[..., ServeProcess], tmp_path: Path) -> None:
    serve(database=tmp_path / "used.db")

    done = Cli()("run", write(QUICK), "--db", tmp_path / "used.db")

    assert done.returncode == 7
    assert f"uses {tmp_path / 'used.db'}" in done.stderr


def test_a_terminal_sees_a_progress_bar(write: Write) -> None:
    done = Cli()("run", write(QUICK), "-i", '{"n": 1}', env={"FORCE_COLOR": "1", "TERM": "xterm-256color"})

    assert (done.returncode, done.stdout) == (0, "2\n")
    assert "━" * 32 in done.stderr
    assert "3/3 nodes" in done.stderr
