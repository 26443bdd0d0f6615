"""Commands against a server: each in a process of its own."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from execsvc.cli import main
from tests.e2e.conftest import ENDLESS, QUICK, Cli, ServeProcess, lines_until

Write = Callable[..., Path]


def test_submit_prints_the_id_alone_and_status_and_show_tell_the_rest(cli: Cli, write: Write) -> None:
    submitted = cli(
        "submit", write(QUICK), "-i", '{"n": 21}', "--id", "s-1", "--label", "team=a=b", "--workflow-id", "w", "--wait"
    )
    assert (submitted.returncode, submitted.stdout, submitted.stderr) == (0, "42\n", "s-1\n")

    again = cli("submit", write(QUICK), "-i", '{"n": 21}', "--id", "s-1", "--label", "team=a=b", "--workflow-id", "w")
    assert (again.returncode, again.stdout, again.stderr) == (0, "s-1\n", "")

    status = cli.json("status", "s-1")
    assert (status["execution_id"], status["workflow_id"], status["state"]) == ("s-1", "w", "COMPLETED")
    assert status["progress"] == 1

    record = cli.json("show", "s-1")
    assert (record["output"], record["input"], record["labels"]) == (42, {"n": 21}, {"team": "a=b"})
    assert [(node["node_id"], node["state"]) for node in record["nodes"]] == [
        ("start", "COMPLETED"),
        ("double", "COMPLETED"),
        ("end", "COMPLETED"),
    ]

    shown = cli("show", "s-1").stdout
    assert "state     COMPLETED, 100%" in shown
    assert "double  transform" in shown
    assert shown.endswith("output\n42\n")
    assert "workflow  w" in cli("status", "s-1").stdout


def test_a_log_followed_in_one_process_shows_what_others_do(cli: Cli, write: Write) -> None:
    assert cli("submit", write(ENDLESS), "--id", "c-1").returncode == 0
    with cli.running("logs", "-f", "c-1") as follower:
        lines_until(follower.stdout, "slow: started")

        paused = cli("pause", "c-1", "--reason", "lunch")
        assert (paused.returncode, paused.stdout) == (0, "c-1 is PAUSED\n")
        lines_until(follower.stdout, "execution paused: lunch")

        assert cli.json("resume", "c-1")["state"] == "RUNNING"
        lines_until(follower.stdout, "execution resumed")

        assert cli("stop", "c-1", "--expect", "running").stdout == "c-1 is STOPPED\n"
        rest, complaints = follower.communicate(timeout=30)
        assert (follower.returncode, complaints) == (0, "")
        assert rest.splitlines()[-1].endswith("INFO    execution stopped")

    assert cli("submit", write(ENDLESS), "--id", "c-1", "--wait").returncode == 6


def test_logs_can_be_cut_filtered_and_read_by_programs(cli: Cli, write: Write) -> None:
    cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", "l-1", "--wait")

    entries = [json.loads(line) for line in cli("logs", "l-1", "--json").stdout.splitlines()]
    assert [entry["sequence"] for entry in entries] == list(range(1, len(entries) + 1))
    assert entries[-1]["metadata"]["event"] == "execution_completed"

    tail = cli("logs", "l-1", "--tail", "2").stdout.splitlines()
    assert [line.split("INFO    ")[1] for line in tail] == ["end: completed", "execution completed"]
    assert len(cli("logs", "l-1", "--after", str(len(entries) - 1)).stdout.splitlines()) == 1
    assert len(cli("logs", "l-1", "--node", "double").stdout.splitlines()) == 1
    assert cli("logs", "l-1", "--level", "error").stdout == ""
    assert cli("logs", "l-1", "--after", "1", "--tail", "1").returncode == 2


def test_a_reader_that_leaves_early_is_no_error(cli: Cli, write: Write) -> None:
    cli("submit", write(QUICK), "-i", '{"n": 1}', "--id", "p-1", "--wait")
    with cli.running("logs", "p-1") as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.stderr is not None
        complaints = process.stderr.read()

        assert (process.wait(timeout=30), complaints) == (0, "")


def test_a_repeated_request_id_answers_as_the_first_time(cli: Cli, write: Write) -> None:
    cli("submit", write(ENDLESS), "--id", "r-1")
    first = cli.json("stop", "r-1", "--request-id", "q")
    assert cli.json("stop", "r-1", "--request-id", "q") == first
    assert cli("stop", "r-1", "--request-id", "q2").returncode == 5


@pytest.fixture(scope="module")
def ended(server: ServeProcess, tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """Commands beside an execution e-1 that has ended."""
    cli = Cli(server.address)
    file = tmp_path_factory.mktemp("ended") / "quick.json"
    file.write_text(json.dumps(QUICK))
    assert cli("submit", file, "-i", '{"n": 4}', "--id", "e-1", "--wait").returncode == 0
    return cli


@pytest.mark.parametrize(
    ("arguments", "code", "reason", "says"),
    [
        (["status", "none"], 4, "EXECUTION_NOT_FOUND", "there is no execution 'none'"),
        (["logs", "-f", "none"], 4, "EXECUTION_NOT_FOUND", "'none'"),
        (["watch", "none"], 4, "EXECUTION_NOT_FOUND", "'none'"),
        (["retry", "e-1"], 5, "ILLEGAL_TRANSITION", "it is COMPLETED; retry is possible from FAILED, STOPPED"),
        (["delete", "e-1"], 2, "USAGE", "add --yes"),
        (["list", "--filter", "state ="], 3, "INVALID_REQUEST", "filter: cannot be read at its end"),
        (["list", "--state", "done"], 2, "USAGE", "'done' is not one of"),
        (["list", "--label", "x"], 2, "USAGE", "key=value"),
        (["prune", "--older-than", "30 days"], 2, "USAGE", "write seconds, or 500ms, 90s, 15m, 12h, 30d, 2w"),
        (["workflows", "get", "none"], 4, "WORKFLOW_NOT_FOUND", "'none'"),
        (["node-types", "none"], 4, "UNKNOWN_NODE_TYPE", "there are condition, "),
        (["submit", "{quick}", "--retry-backoff", "1"], 2, "USAGE", "--retry-attempts"),
        (["status", "a/b"], 3, "INVALID_REQUEST", "execution_id"),
        (["pause", "e-1"], 5, "ILLEGAL_TRANSITION", "it is COMPLETED; pause is possible from RUNNING"),
        (["stop", "e-1", "--expect", "running"], 5, "STATE_CHANGED", "COMPLETED, not RUNNING"),
        (["logs", "e-1", "--after", "99"], 3, "CURSOR_OUT_OF_RANGE", "99"),
        (["status"], 2, "USAGE", "Missing argument 'ID'. Try: execsvc status --help"),
        (["stats", "x"], 2, "USAGE", "No such command 'stats'"),
        (["submit", "absent.json"], 2, "USAGE", "cannot read absent.json: no such file or directory"),
        (["submit", "{quick}", "--label", "x"], 2, "USAGE", "key=value"),
        (["submit", "{quick}", "--model", "gpt"], 2, "USAGE", "provider:model"),
        (["submit", "{quick}", "--timeout", "soon"], 3, "INVALID_REQUEST", "timeout"),
        (["submit", "{quick}", "--id", "e-1"], 5, "EXECUTION_EXISTS", "use a new execution_id"),
        (["submit", "{quick}", "-i", '{"n": "x"}'], 3, "INVALID_REQUEST", "--input:1:7: input.n: "),
        (["submit", "{quick}", "-i", '{"n": }'], 3, "INVALID_REQUEST", "--input:1:7: "),
        (["submit", "{quick}", "-i", "[]"], 3, "INVALID_REQUEST", "--input:1:1: "),
        (["run", "{quick}", "--db", "x.db"], 2, "USAGE", "--db"),
    ],
)
def test_errors_say_what_is_wrong_on_one_line_or_as_json(
    ended: Cli,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    code: int,
    reason: str,
    says: str,
) -> None:
    quick = tmp_path / "quick.json"
    quick.write_text(json.dumps(QUICK))
    arguments = [argument.replace("{quick}", str(quick)) for argument in arguments]
    monkeypatch.setenv("EXECSVC_TARGET", ended.target or "")

    # In this process, which is what a process of its own would do, only sooner.
    plain_code, plain = main(arguments), capsys.readouterr()
    json_code, as_json = main([*arguments, "--json"]), capsys.readouterr()

    assert (plain_code, plain.out) == (code, "")
    assert plain.err.startswith("error: ")
    assert plain.err.count("\n") == 1
    assert says in plain.err
    assert (json_code, as_json.out) == (code, "")
    document = json.loads(as_json.err)["error"]
    assert (document["reason"], document["exit_code"]) == (reason, code)


def test_a_server_that_is_not_there_is_named_with_what_to_do() -> None:
    # Port 1 is privileged: nobody listens there.
    done = Cli("127.0.0.1:1")("status", "x")

    assert done.returncode == 7
    assert done.stderr == (
        "error: no server answers at 127.0.0.1:1 (connection refused); start one with `execsvc serve`, "
        "or name another with --target or EXECSVC_TARGET\n"
    )


def test_info_tells_version_and_limits(cli: Cli) -> None:
    info = cli.json("info")

    assert info["limits"]["max_nodes"] == 5000
    assert "node:llm" in info["capabilities"]
    assert f"execsvc {info['version']} at {cli.target}" in cli("info").stdout
