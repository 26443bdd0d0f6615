"""``execsvc serve``: starting, refusing to start, going down, and going on."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from tests.e2e.conftest import ENDLESS, Cli, ServeProcess, command, environment, lines_until

Serve = Callable[..., ServeProcess]
Write = Callable[..., Path]


def test_it_says_once_where_it_serves_and_ends_clean_on_sigterm(tmp_path: Path) -> None:
    with Cli().running("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "a.db") as process:
        seen = lines_until(process.stderr, "serving on")
        process.terminate()
        output, logged = process.communicate(timeout=30)

    assert len(seen) == 1
    assert seen[0].startswith("execsvc 0.1.0 serving on 127.0.0.1:")
    assert seen[0].endswith(f", database {tmp_path / 'a.db'}, 0 executions recovered")
    assert (process.returncode, output) == (0, "")
    assert "INFO    execsvc.app: draining" in logged


def test_ctrl_c_is_a_clean_end_as_well(serve: Serve) -> None:
    server = serve()
    server.process.send_signal(signal.SIGINT)
    server.process.wait(timeout=30)

    assert server.process.returncode == 0


def test_with_json_its_log_is_json_lines(serve: Serve) -> None:
    code, logged = serve().end()

    assert code == 0
    records = [json.loads(line) for line in logged.splitlines()]
    assert records[-1]["logger"] == "execsvc.app"
    assert records[-1]["level"] == "INFO"


def test_a_second_server_on_the_same_database_is_refused(serve: Serve, tmp_path: Path) -> None:
    first = serve(database=tmp_path / "one.db")

    second = Cli()("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "one.db")

    assert (second.returncode, second.stdout) == (7, "")
    assert second.stderr == (
        f"error: another server (process {first.process.pid}) uses {tmp_path / 'one.db'}; "
        "stop it, or name another file with --db\n"
    )


def test_a_taken_port_is_refused(serve: Serve, tmp_path: Path) -> None:
    first = serve()

    second = Cli()("serve", "--address", first.address, "--db", tmp_path / "other.db", "--json")

    assert (second.returncode, second.stdout) == (7, "")
    error = json.loads(second.stderr)["error"]
    assert error["reason"] == "CANNOT_LISTEN"
    assert error["message"].startswith(f"cannot listen on {first.address}")


def test_a_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("buy milk\n" * 200)

    done = Cli()("serve", "--address", "127.0.0.1:0", "--db", file)

    assert done.returncode == 7
    assert done.stderr.startswith(f"error: cannot open {file}: ")
    assert file.read_text() == "buy milk\n" * 200


def test_an_address_that_is_none_is_a_usage_error(tmp_path: Path) -> None:
    for address in ("50051", "host:", "host:99999", ":1"):
        done = Cli()("serve", "--address", address, "--db", tmp_path / "x.db")
        assert done.returncode == 2
        assert "is not HOST:PORT" in done.stderr


def test_what_ran_at_the_end_goes_on_at_the_next_start(serve: Serve, write: Write) -> None:
    first = serve("--grace", "0")
    cli = Cli(first.address)
    assert cli("submit", write(ENDLESS), "--id", "x").returncode == 0
    with cli.running("logs", "-f", "x") as follower:
        lines_until(follower.stdout, "slow: started")
    assert first.end()[0] == 0

    second = serve()

    assert second.ready["recovered"] == 1
    cli = Cli(second.address)
    assert cli.json("status", "x")["state"] in ("PENDING", "RUNNING")
    assert cli("stop", "x").returncode == 0


def test_a_full_queue_and_a_key_at_its_limit_are_told(serve: Serve, write: Write) -> None:
    cli = Cli(serve("--max-concurrent", "1", "--max-queued", "1", "--key-limit", "5", "--key-limit", "gpu=1").address)
    file = write(ENDLESS)
    assert cli("submit", file, "--id", "first", "--concurrency-key", "gpu").returncode == 0
    with cli.running("logs", "-f", "first") as follower:
        lines_until(follower.stdout, "slow: started")
    assert cli("submit", file, "--id", "second", "--concurrency-key", "gpu").returncode == 0

    full = cli.json("submit", file, "--id", "third", code=7)["error"]

    assert (full["reason"], full["exit_code"]) == ("QUEUE_FULL", 7)
    assert cli.json("status", "second")["message"] == "waiting for concurrency key 'gpu' (limit 1), place 1 of 1"
    assert [cli("stop", name).returncode for name in ("first", "second")] == [0, 0]


def test_timeouts_have_a_default_and_a_maximum(serve: Serve, write: Write) -> None:
    cli = Cli(serve("--default-timeout", "50ms", "--max-timeout", "1h").address)
    file = write(ENDLESS)

    assert "[DEADLINE_EXCEEDED]" in cli("submit", file, "--wait").stderr
    refused = cli("submit", file, "--timeout", "2h")

    assert refused.returncode == 3
    assert "timeout: is longer than the 3600 s that this server allows" in refused.stderr


def test_limits_that_make_no_sense_are_usage_errors(tmp_path: Path) -> None:
    for arguments, says in (
        (["--key-limit", "gpu"], "--key-limit: 'gpu' is neither a number"),
        (["--default-timeout", "2h", "--max-timeout", "1h"], "shorter than default_timeout, 2h"),
        (["--retention", "soon"], "'soon' is no span of time"),
        (["--max-queued", "0"], "--max-queued"),
    ):
        done = Cli()("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "x.db", *arguments)
        assert (done.returncode, done.stdout) == (2, "")
        assert says in done.stderr
    assert not (tmp_path / "x.db").exists()


def test_settings_come_from_the_environment(tmp_path: Path) -> None:
    env = {"EXECSVC_ADDRESS": "127.0.0.1:0", "EXECSVC_DB": str(tmp_path / "e.db"), "EXECSVC_MAX_CONCURRENT": "3"}
    env |= {"EXECSVC_KEY_LIMIT": "2 gpu=1", "EXECSVC_RETENTION": "30d", "EXECSVC_MAX_TIMEOUT": "1h"}
    with Cli().running("serve", "--json", env=env) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["database"] == str(tmp_path / "e.db")
        assert Cli(ready["address"]).json("info")["limits"]["max_concurrent"] == 3


def test_settings_come_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "settings.toml"
    file.write_text(f'address = "127.0.0.1:0"\ndb = "{tmp_path}/f.db"\nmax_concurrent = 3\n')
    arguments = ("serve", "--json", "--config", file)
    with Cli().running(*arguments, env={"EXECSVC_MAX_CONCURRENT": "4"}) as process:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["database"] == str(tmp_path / "f.db")
        file.write_text(f'target = "{ready["address"]}"\n')
        assert Cli().json("info", "--config", file)["limits"]["max_concurrent"] == 4


def test_commands_that_talk_to_a_server_load_nothing_of_one() -> None:
    program = (
        "import sys; from execsvc.cli import main; code = main(['status', 'x', '--target', '127.0.0.1:1']);"
        "heavy = {'langgraph', 'langchain', 'cel_expr_python', 'sqlite_utils', 'jsonschema', 'execsvc.app'};"
        "print(code, sorted(heavy & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True, check=True, timeout=60
    )

    assert done.stdout == "7 []\n"


def test_help_and_version_tell_about_themselves() -> None:
    version = subprocess.run(command("--version"), env=environment(), capture_output=True, text=True, check=True)
    listed = subprocess.run(
        command("--help"), env=environment(COLUMNS="200"), capture_output=True, text=True, check=True
    )

    assert version.stdout == "execsvc 0.1.0\n"
    assert "7 the server cannot be reached, cannot start" in " ".join(listed.stdout.split())
