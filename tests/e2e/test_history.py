"""Looking back and cleaning up: list, show, retry, delete, prune, and retention."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.conftest import ENDLESS, QUICK, Cli, ServeProcess, lines_until

Write = Callable[..., Path]
#: Fails where n is 0, after a node that has a result.
DIVIDE: dict[str, Any] = {
    "nodes": [
        {"id": "kept", "type": "transform", "config": {"expression": "'kept'"}},
        {
            "id": "start",
            "type": "input",
            "config": {"schema": {"properties": {"n": {"type": "integer"}}, "required": ["n"]}},
        },
        {"id": "divide", "type": "transform", "config": {"expression": "12 / input.n"}},
        {"id": "end", "type": "output"},
    ],
    "edges": [
        {"source": "start", "target": "kept"},
        {"source": "start", "target": "divide"},
        {"source": "divide", "target": "end"},
    ],
}


def ids(cli: Cli, *arguments: str) -> list[str]:
    """Ids that ``list`` answers."""
    return [json.loads(line)["execution_id"] for line in cli("list", "--json", *arguments).stdout.splitlines()]


@pytest.fixture(scope="module")
def history(server: ServeProcess, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Commands beside four executions: h-1 and h-2 COMPLETED, h-3 FAILED, h-4 STOPPED; oldest first."""
    cli = Cli(server.address)
    folder = tmp_path_factory.mktemp("history")
    quick, divide, endless = (folder / name for name in ("quick.json", "divide.json", "endless.json"))
    for file, definition in ((quick, QUICK), (divide, DIVIDE), (endless, ENDLESS)):
        file.write_text(json.dumps(definition))
    of_team = ["--label", 'team=a "b" \\c']
    assert cli("submit", quick, "-i", '{"n": 1}', "--id", "h-1", "--workflow", "w.1", "--wait").returncode == 0
    assert cli("submit", quick, "-i", '{"n": 2}', "--id", "h-2", *of_team, "--wait").returncode == 0
    assert cli("submit", divide, "-i", '{"n": 0}', "--id", "h-3", *of_team, "--wait").returncode == 1
    assert cli("submit", endless, "--id", "h-4").returncode == 0
    assert cli("stop", "h-4").returncode == 0
    return cli


def test_a_list_is_the_newest_first_and_can_be_cut_and_turned(history: Cli) -> None:
    assert ids(history) == ["h-4", "h-3", "h-2", "h-1"]
    assert ids(history, "--limit", "2") == ["h-4", "h-3"]
    assert ids(history, "--order", "create_time", "--limit", "0") == ["h-1", "h-2", "h-3", "h-4"]
    assert ids(history, "--order", "end_time desc", "--limit", "1") == ["h-4"]


def test_a_list_can_be_narrowed_by_options_that_all_hold(history: Cli) -> None:
    assert ids(history, "--state", "failed", "--state", "stopped") == ["h-4", "h-3"]
    assert ids(history, "--workflow", "w.1") == ["h-1"]
    assert ids(history, "--label", 'team=a "b" \\c') == ["h-3", "h-2"]
    assert ids(history, "--label", 'team=a "b" \\c', "--state", "completed") == ["h-2"]
    assert ids(history, "--filter", "state = FAILED OR workflow_id = w.1") == ["h-3", "h-1"]
    assert ids(history, "--filter", "NOT state = COMPLETED", "--state", "stopped") == ["h-4"]


def test_a_list_for_people_says_when_there_is_more(history: Cli) -> None:
    all_of_it, cut = history("list"), history("list", "--limit", "3")

    header, *rows = all_of_it.stdout.splitlines()
    assert header.split() == ["ID", "STATE", "DONE", "WORKFLOW", "CREATED", "TOOK", "MESSAGE"]
    assert [row.split()[:2] for row in rows] == [
        ["h-4", "STOPPED"],
        ["h-3", "FAILED"],
        ["h-2", "COMPLETED"],
        ["h-1", "COMPLETED"],
    ]
    assert all_of_it.stderr == ""
    assert len(cut.stdout.splitlines()) == 4
    assert cut.stderr == "there are more; --limit shows more than 3\n"
    assert history("list", "--workflow", "none").stdout == ""


def test_a_filter_that_cannot_be_read_is_told_with_its_column(history: Cli) -> None:
    done = history("list", "--filter", "state = FAILED AND stat = 1")

    assert (done.returncode, done.stdout) == (3, "")
    assert "column 20: there is no field 'stat'" in done.stderr
    assert history.json("list", "--order", "name", code=3)["error"]["problems"][0]["reason"] == "INVALID_ORDER_BY"


def test_show_tells_how_it_was_asked_for(cli: Cli, write: Write) -> None:
    cli(
        *("submit", write(QUICK), "-i", '{"n": 1}', "--id", "s-1", "--label", "a=b", "--priority", "7", "--wait"),
        *("--timeout", "90", "--concurrency-key", "gpu", "--retry-attempts", "3", "--retry-backoff", "200ms"),
    )

    record, shown = cli.json("show", "s-1"), cli("show", "s-1").stdout
    assert (record["priority"], record["timeout"], record["concurrency_key"]) == (7, 90, "gpu")
    assert (record["retry"]["max_attempts"], record["retry"]["initial_backoff"]) == (3, 0.2)
    for line in (
        "labels    a=b",
        "timeout   1 m 30 s",
        "key       gpu",
        "retry     up to 3 attempts, first wait 0.2 s",
    ):
        assert line in shown


def test_retry_goes_on_with_another_input_and_keeps_what_has_finished(cli: Cli, write: Write) -> None:
    assert cli("submit", write(DIVIDE), "-i", '{"n": 0}', "--id", "r-1", "--wait").returncode == 1

    refused = cli("retry", "r-1", "-i", '{\n"n": "x"}')
    assert (refused.returncode, refused.stdout) == (3, "")
    assert refused.stderr.startswith("error: --input:2:6: retry.input.n: ")

    done = cli("retry", "r-1", "-i", '{"n": 4}', "--reason", "a typing mistake", "--wait")

    assert (done.returncode, done.stdout) == (0, "3\n")
    assert cli("retry", "r-1").returncode == 5
    log = cli("logs", "r-1").stdout
    assert "execution retried: a typing mistake" in log
    assert log.count("kept: completed") == 1


def test_a_retry_without_wait_tells_the_state_and_a_repeat_of_its_request_changes_nothing(
    cli: Cli, write: Write
) -> None:
    cli("submit", write(ENDLESS), "--id", "r-2")
    cli("stop", "r-2")

    first = cli.json("retry", "r-2", "--request-id", "q", "--expect", "stopped")
    assert first["state"] == "PENDING"
    assert cli.json("retry", "r-2", "--request-id", "q") == first
    assert cli("stop", "r-2").returncode == 0


def test_delete_removes_what_has_ended_and_tells_what_it_could_not(cli: Cli, write: Write) -> None:
    cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", "d-1", "--wait")
    cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", "d-2", "--wait")
    cli("submit", write(ENDLESS), "--id", "d-3")

    asked = cli("delete", "d-1")
    assert (asked.returncode, asked.stdout) == (2, "")
    assert "add --yes" in asked.stderr

    done = cli("delete", "d-1", "d-3", "none", "d-2", "--yes")

    assert done.returncode == 5
    assert done.stdout == "d-1 is deleted\nd-2 is deleted\n"
    running, missing = done.stderr.splitlines()
    assert "delete is possible from COMPLETED, FAILED, STOPPED" in running
    assert "there is no execution 'none'" in missing
    assert cli("status", "d-1").returncode == 4
    assert cli.json("status", "d-3")["state"] in ("PENDING", "RUNNING")

    cli("stop", "d-3")
    assert cli.json("delete", "d-3", "-y") == {"deleted": "d-3"}


def test_prune_deletes_what_ended_long_enough_ago_and_only_that(cli: Cli, write: Write) -> None:
    for number, label in ((1, "old"), (2, "old"), (3, "new")):
        cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", f"p-{number}", "--label", f"x={label}", "--wait")
    cli("submit", write(ENDLESS), "--id", "p-4", "--label", "x=old")

    assert cli.json("prune", "--older-than", "1h", "--label", "x=old")["matched"] == 0
    dry = cli("prune", "--older-than", "1ms", "--label", "x=old", "--dry-run")
    assert [row.split()[0] for row in dry.stdout.splitlines()] == ["ID", "p-1", "p-2"]
    assert dry.stderr.startswith("would delete 2 executions that ended before ")
    assert sorted(ids(cli, "--filter", "labels:x")) == ["p-1", "p-2", "p-3", "p-4"]

    pruned = cli.json("prune", "--older-than", "1ms", "--label", "x=old")

    assert (pruned["matched"], pruned["deleted"]) == (2, 2)
    assert sorted(ids(cli, "--filter", "labels:x")) == ["p-3", "p-4"]
    assert cli("stop", "p-4").returncode == 0
    assert cli("prune", "--older-than", "soon").returncode == 2
    assert cli("prune").returncode == 2


def test_a_server_with_a_retention_prunes_by_itself(
    serve: Callable[..., ServeProcess], write: Write, tmp_path: Path
) -> None:
    first = serve()
    assert Cli(first.address)("submit", write(QUICK), "-i", '{"n": 1}', "--id", "x", "--wait").returncode == 0
    assert first.end()[0] == 0

    second = serve("--retention", "1ms")
    assert second.process.stderr is not None
    lines_until(second.process.stderr, "removed 1 executions past their retention")

    assert ids(Cli(second.address)) == []
