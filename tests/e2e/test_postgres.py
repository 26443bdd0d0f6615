"""The commands on a Postgres database: serve, migrate, migrate-store; its password is never seen."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from execsvc_client import ExecutionClient
from tests.e2e.conftest import QUICK, Cli, ServeProcess
from tests.servers.postgres import shared_server

#: Trusted or not, it is in the URL.
SECRET = "hunter2"


@pytest.fixture
def url() -> Iterator[str]:
    """A database with nothing in it."""
    made = shared_server().database()
    yield made.replace("postgres@", f"postgres:{SECRET}@")
    shared_server().drop(made)


@contextmanager
def serving(cli: Cli, *arguments: str | Path, env: dict[str, str]) -> Iterator[tuple[dict[str, Any], list[str]]]:
    """Run a server; gives what it says once it serves, and, after the context, what it has logged."""
    logged: list[str] = []
    with cli.running("serve", "--address", "127.0.0.1:0", "--json", *arguments, env=env) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, process.communicate()
        yield json.loads(line), logged
        process.terminate()
        logged.extend(process.communicate(timeout=60))
        assert process.returncode == 0


def test_servers_keep_their_executions_on_postgres_over_a_restart(url: str, tmp_path: Path) -> None:
    cli = Cli()
    for _ in range(2):
        with serving(cli, env={"EXECSVC_STORE": url}) as (ready, logged):
            assert ready["database"].startswith("postgresql://127.0.0.1:")
            with ExecutionClient(ready["address"]) as client:
                client.execute(QUICK, {"n": 4}, execution_id="e")
                ended = client.wait("e")
                assert ended.state == "COMPLETED"
                assert "store:postgres" in client.server_info().capabilities
            with serving(cli, env={"EXECSVC_STORE": url}) as (other, told), ExecutionClient(other["address"]) as client:
                assert client.get("e").output == ended.output
        for text in (json.dumps(ready), *logged, json.dumps(other), *told):
            assert SECRET not in text


def test_config_shows_that_a_store_is_set_and_never_which(url: str) -> None:
    shown = Cli()("config", env={"EXECSVC_STORE": url, "EXECSVC_STORE_DIRECT": url})
    assert shown.returncode == 0
    assert shown.stdout.count("********") == 2
    assert SECRET not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("bad", "told"),
    [
        ("postgresql://u:hunter2@[::1/x", "the URL of the database cannot be read"),
        ("postgresql://u:hunter2@127.0.0.1:1/x", "cannot open postgresql://127.0.0.1:1/x"),
        ("mysql://u:hunter2@db/x", "EXECSVC_STORE: what is given is not a URL of Postgres"),
    ],
)
def test_a_store_that_cannot_be_used_is_told_without_its_password(bad: str, told: str) -> None:
    done = Cli()("serve", "--address", "127.0.0.1:0", env={"EXECSVC_STORE": bad})
    assert done.returncode in (2, 7)
    assert told in done.stderr
    assert SECRET not in done.stdout + done.stderr
    assert "Traceback" not in done.stderr


def test_two_places_for_the_data_are_one_too_many(url: str, tmp_path: Path) -> None:
    done = Cli()("serve", "--db", tmp_path / "x.db", "--store", url)
    assert (done.returncode, "--db and --store both say" in done.stderr) == (2, True)
    done = Cli()("serve", env={"EXECSVC_STORE_DIRECT": url})
    assert (done.returncode, "names no database by itself" in done.stderr) == (2, True)
    done = Cli()("check", env={"EXECSVC_STORE": url})
    assert (done.returncode, "pg_dump" in done.stderr) == (2, True)


def test_migrate_says_what_it_did_on_either_database(url: str, tmp_path: Path) -> None:
    cli = Cli()
    for place in (("--store", url), ("--db", str(tmp_path / "x.db"))):
        assert cli.json("migrate", *place)["applied"][0] == "0001_first"
        assert cli.json("migrate", *place)["applied"] == []
    assert (tmp_path / "x.db").is_file()


def test_a_database_of_a_later_version_is_refused(url: str) -> None:
    cli = Cli()
    cli.json("migrate", "--store", url)
    shared_server().execute("INSERT INTO execsvc.migrations (name) VALUES ('9999_later')", url.rpartition("/")[2])
    refused = cli.json("migrate", "--store", url, code=7)["error"]
    assert "was written by a later version of execsvc (step 9999_later)" in refused["message"]


def test_migrate_store_moves_a_database_and_refuses_to_do_so_twice(url: str, tmp_path: Path) -> None:
    cli, file = Cli(), tmp_path / "x.db"
    server = ServeProcess(file)
    with ExecutionClient(server.address) as client:
        client.execute(QUICK, {"n": 1}, execution_id="e")
        client.wait("e")
    busy = cli.json("migrate-store", file, url, code=7)["error"]
    assert busy["reason"] == "DATABASE_LOCKED"
    assert server.end()[0] == 0
    moved = cli.json("migrate-store", file, url)
    assert (moved["rows"]["executions"], moved["unfinished"]) == (1, 0)
    again = cli.json("migrate-store", file, url, code=5)["error"]
    assert again["reason"] == "TARGET_NOT_EMPTY"
    with serving(cli, "--store", url, env={}) as (ready, _), ExecutionClient(ready["address"]) as client:
        assert client.status("e").state == "COMPLETED"
