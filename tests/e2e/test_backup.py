"""Backup, restore and check as commands, beside a server that is busy."""

from __future__ import annotations

import json
import shutil
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from execsvc.cli import main
from execsvc_client import ExecutionClient, FailedPrecondition
from tests.e2e.conftest import QUICK, Cli, ServeProcess

Serve = Callable[..., ServeProcess]
#: Takes a while, so that some are always under way; fails for every third, so that some are retried.
WORKING: dict[str, Any] = {
    "nodes": [
        {"id": "start", "type": "input"},
        {"id": "say", "type": "llm", "config": {"model": "echo:", "prompt": "a b", "parameters": {"delay": 0.02}}},
        {"id": "check", "type": "condition", "config": {"expression": "input.n % 2 == 0"}},
        {"id": "even", "type": "transform", "config": {"expression": "6 / (input.n % 3)"}},
        {"id": "end", "type": "output"},
    ],
    "edges": [
        {"source": "start", "target": "say"},
        {"source": "say", "target": "check"},
        {"source": "check", "target": "even", "branch": "true"},
        {"source": "check", "target": "end", "branch": "false"},
        {"source": "even", "target": "end"},
    ],
}


@contextmanager
def load(address: str) -> Iterator[list[str]]:
    """Keep a server busy with submits, pauses, stops, retries and deletes; gives ids as they are acknowledged."""
    acknowledged: list[str] = []
    done = threading.Event()

    def submit() -> None:
        with ExecutionClient(address) as client:
            number = 0
            while not done.is_set():
                name = f"load-{number}"
                client.execute(WORKING, {"n": number}, execution_id=name, labels={"n": str(number)})
                acknowledged.append(name)
                for action, every in ((client.pause, 5), (client.stop, 7)):
                    if number % every == 0:
                        try_to(action, name)
                for action, every in ((client.resume, 5), (client.retry, 7)):
                    if number % every == 0 and number:
                        try_to(action, f"load-{number - every}")
                number += 1

    thread = threading.Thread(target=submit)
    thread.start()
    try:
        yield acknowledged
    finally:
        done.set()
        thread.join()


def try_to(action: Callable[[str], object], name: str) -> None:
    """Do it unless the state does not allow it."""
    try:
        action(name)
    except FailedPrecondition:
        return


def until(condition: Callable[[], bool]) -> None:
    """Wait for a condition; the test's timeout bounds the wait."""
    waiting = threading.Event()
    while not condition():
        waiting.wait(0.01)


def test_a_backup_under_load_restores_to_a_database_on_which_a_server_goes_on(serve: Serve, tmp_path: Path) -> None:
    first = serve()
    database, copy, other = tmp_path / "test.db", tmp_path / "backup.db", tmp_path / "other.db"
    with load(first.address) as acknowledged:
        until(lambda: len(acknowledged) >= 60)
        before = list(acknowledged)
        # Here rather than as a process: the server is to be busy, not the machine.
        assert main(["backup", str(copy), "--db", str(database)]) == 0
        assert main(["check", "--db", str(database)]) == 0
        count = len(acknowledged)
        until(lambda: len(acknowledged) > count)
    assert main(["check", str(copy)]) == 0
    assert main(["restore", str(copy), "--db", str(other)]) == 0

    second = serve(database=other)

    with ExecutionClient(second.address) as client:
        states = {name: str(client.status(name).state) for name in before}
        stopped = [name for name, state in states.items() if state in ("PAUSED", "STOPPED")]
        for name in set(before) - set(stopped):
            assert str(client.wait(name).state) in ("COMPLETED", "FAILED", "STOPPED")
    assert second.end()[0] == 0
    assert main(["check", "--db", str(other)]) == 0


def test_restore_waits_for_no_server_and_says_who_holds_the_database(serve: Serve, tmp_path: Path) -> None:
    server = serve()
    copy = tmp_path / "backup.db"
    cli = Cli()
    done = cli.json("backup", copy, "--db", tmp_path / "test.db")
    assert (done["path"], done["executions"], done["bytes"]) == (str(copy), 0, copy.stat().st_size)

    refused = cli.json("restore", copy, "--db", tmp_path / "test.db", code=7)["error"]

    assert refused["reason"] == "DATABASE_LOCKED"
    assert f"another server (process {server.process.pid}) uses" in refused["message"]
    assert server.end()[0] == 0
    done = cli("restore", copy, "--db", tmp_path / "test.db")
    assert done.returncode == 0
    assert "what was there before is kept as" in done.stdout


def test_a_backup_refuses_to_replace_a_file(tmp_path: Path, capsys: Any) -> None:
    sample(tmp_path)
    (tmp_path / "copy.db").write_text("precious")
    arguments = ["backup", str(tmp_path / "copy.db"), "--db", str(tmp_path / "test.db"), "--json"]

    assert main(arguments) == 5
    assert json.loads(capsys.readouterr().err)["error"]["reason"] == "FILE_EXISTS"
    assert main([*arguments, "--force"]) == 0


def test_damage_is_told_with_an_exit_code_of_its_own(tmp_path: Path, capsys: Any) -> None:
    database = sample(tmp_path)
    copy = tmp_path / "copy.db"
    shutil.copy(database, copy)
    with sqlite3.connect(copy) as db:
        db.execute("DELETE FROM log_entries WHERE sequence = 2")
    db.close()

    assert main(["check", str(copy)]) == 9
    assert capsys.readouterr().out.startswith("log        x: the log holds ")
    assert main(["check", str(copy), "--json"]) == 9
    document = json.loads(capsys.readouterr().out)
    assert (document["clean"], document["findings"][0]["kind"]) == (False, "log")
    assert main(["restore", str(copy), "--db", str(database)]) == 9
    assert "--force" in capsys.readouterr().err
    assert main(["check", str(tmp_path / "none.db")]) == 7
    assert "there is no such file" in capsys.readouterr().err


def sample(folder: Path) -> Path:
    """A database with one execution, x."""
    database, file = folder / "test.db", folder / "quick.json"
    file.write_text(json.dumps(QUICK))
    assert Cli()("run", file, "-i", '{"n": 1}', "--id", "x", "--db", database).returncode == 0
    return database
