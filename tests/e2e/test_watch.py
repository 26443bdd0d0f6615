"""``execsvc watch``: progress, nodes and answers, live until the end."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import ENDLESS, QUICK, Cli, ServeProcess, end, lines_until

Write = Callable[..., Path]
#: Answers in two words, a while apart.
TALKING = {
    "nodes": [
        {"id": "say", "type": "llm", "config": {"model": "echo:", "prompt": "left right", "parameters": {"delay": 1}}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "say", "target": "end"}],
}


def test_it_follows_what_others_do_and_ends_with_the_state(cli: Cli, write: Write) -> None:
    assert cli("submit", write(ENDLESS), "--id", "w-1").returncode == 0
    with cli.running("watch", "w-1") as watcher:
        lines_until(watcher.stdout, "RUNNING   slow")
        cli("pause", "w-1", "--reason", "lunch")
        lines_until(watcher.stdout, "PAUSED    execution: paused: lunch")
        cli("resume", "w-1")
        lines_until(watcher.stdout, "RUNNING   execution: ")
        cli("stop", "w-1")
        rest, complaints = watcher.communicate(timeout=30)

    assert (watcher.returncode, complaints) == (6, "")
    assert rest.splitlines()[-1].endswith(" STOPPED   execution: stopped")


def test_one_that_has_ended_is_shown_as_it_is(cli: Cli, write: Write) -> None:
    cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", "w-2", "--wait")

    done = cli("watch", "w-2")

    assert (done.returncode, done.stderr) == (0, "")
    assert [line.split()[:3] for line in done.stdout.splitlines()] == [
        ["100%", "COMPLETED", "start"],
        ["100%", "COMPLETED", "double"],
        ["100%", "COMPLETED", "end"],
        ["100%", "COMPLETED", "execution:"],
    ]


def test_programs_get_an_object_a_change_with_tokens_where_asked_for(cli: Cli, write: Write) -> None:
    cli("submit", write(TALKING), "--id", "w-3")

    snapshots = [json.loads(line) for line in cli("watch", "w-3", "--json", "--tokens").stdout.splitlines()]

    assert [node["node_id"] for node in snapshots[0]["nodes"]] == ["say", "end"]
    assert snapshots[-1]["state"] == "COMPLETED"
    shares = [snapshot["progress"] for snapshot in snapshots]
    assert shares == sorted(shares)
    # What was said before the watch began is not repeated.
    said = "".join(chunk["text"] for snapshot in snapshots for chunk in snapshot["tokens"])
    assert "left right".endswith(said)


def test_a_terminal_sees_nodes_and_a_progress_bar(cli: Cli, write: Write) -> None:
    cli("submit", write(TALKING), "--id", "w-4")

    done = cli("watch", "w-4", env={"FORCE_COLOR": "1", "TERM": "xterm-256color"})

    assert (done.returncode, done.stderr) == (0, "")
    assert "━" * 32 in done.stdout
    assert "2/2 nodes" in done.stdout
    assert "say: started" in done.stdout
    assert "execution completed" in done.stdout


def test_a_terminal_sees_no_log_where_it_wants_none(cli: Cli, write: Write) -> None:
    cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", "w-5", "--wait")
    terminal = {"FORCE_COLOR": "1", "TERM": "xterm-256color"}

    plain = cli("watch", "w-5", "--log-lines", "0", env=terminal)
    errors = cli("watch", "w-5", "--level", "error", env=terminal)

    assert "3/3 nodes" in plain.stdout
    assert "execution completed" not in plain.stdout + errors.stdout


def test_ctrl_c_leaves_the_execution_alone(cli: Cli, write: Write) -> None:
    assert cli("submit", write(ENDLESS), "--id", "w-6").returncode == 0
    with cli.running("watch", "w-6") as watcher:
        lines_until(watcher.stdout, "RUNNING   slow")
        watcher.send_signal(signal.SIGINT)
        _, said = watcher.communicate(timeout=30)

    assert (watcher.returncode, said) == (
        130,
        "left; execution w-6 goes on: execsvc watch w-6, execsvc stop w-6\n",
    )
    assert cli.json("status", "w-6")["state"] == "RUNNING"
    assert cli("stop", "w-6").returncode == 0


def test_it_goes_on_through_a_restart_of_the_server(serve: Callable[..., ServeProcess], write: Write) -> None:
    first = serve("--grace", "0")
    cli = Cli(first.address)
    assert cli("submit", write(ENDLESS), "--id", "x").returncode == 0
    with cli.running("watch", "x") as watcher:
        lines_until(watcher.stdout, "RUNNING   slow")
        first.process.kill()
        end(first.process)
        serve("--address", first.address)
        assert cli("stop", "x").returncode == 0
        rest, complaints = watcher.communicate(timeout=30)

    assert (watcher.returncode, complaints) == (6, "")
    assert rest.splitlines()[-1].endswith(" STOPPED   execution: stopped")


def test_one_that_is_not_there_is_told_at_once(cli: Cli) -> None:
    assert cli("watch", "none").returncode == 4
    assert Cli("127.0.0.1:1")("watch", "none").returncode == 7
