"""A server of this version starts on the database of every earlier schema, and goes on with all that is in it."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from execsvc.store import check_database
from execsvc_client import AlreadyExists, ExecutionClient, to_definition
from tests.servers.postgres import PostgresServer, shared_server
from tests.support.processes import ServerProcess
from tests.upgrade.keep import logged, shown
from tests.upgrade.kept import FOLDER, STEPS, WORK, Kept, all_kept, definition, given, install, result, runs

ENDED = ("completed", "failed", "stopped")


def there() -> list[Kept]:
    """Those that are there; ``test_each_schema_is_kept`` tells of the others."""
    return [kept for kept in all_kept() if kept.database.exists()]


class Upgraded:
    """A server of this version on a kept database."""

    def __init__(self, kept: Kept, folder: Path, postgres: PostgresServer | None) -> None:
        self.kept = kept
        self.folder = folder
        self.story = kept.story()
        self.database = kept.put_back(folder, postgres)
        self.server = ServerProcess(
            self.database, "--plugin", "held", log=folder / "log", environment=install(folder / "plugin")
        )
        self.client = ExecutionClient(self.server.address)

    def close(self) -> None:
        """End it."""
        self.client.close()
        if self.server.process.poll() is None:
            self.server.kill()


@pytest.fixture(params=there(), ids=lambda kept: f"{kept.kind}-{kept.step}")
def upgraded(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Upgraded]:
    """Such a server, on each of them."""
    kept: Kept = request.param
    postgres = shared_server() if kept.kind == "postgres" else None
    running = Upgraded(kept, tmp_path, postgres)
    with closing(running):
        yield running
    if postgres is not None:
        postgres.drop(str(running.database))


def differences(then: Any, now: Any, path: str = "") -> Iterator[str]:
    """Where something differs from what it was; what a later version tells besides does not."""
    if isinstance(then, dict) and isinstance(now, dict):
        for key, value in then.items():
            yield from differences(value, now.get(key), f"{path}.{key}")
    elif isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        for number, (one, other) in enumerate(zip(then, now, strict=True)):
            yield from differences(one, other, f"{path}[{number}]")
    elif then != now:
        yield f"{path}: {then!r} is {now!r} now"


def test_each_schema_is_kept() -> None:
    """A new step of a schema needs a database that has it: ``python -m tests.upgrade.keep`` makes one."""
    wanted = {kept.database.name for kept in all_kept()} | {kept.told.name for kept in all_kept()}

    assert {path.name for path in FOLDER.iterdir()} == wanted


@pytest.mark.parametrize("kept", there(), ids=lambda kept: f"{kept.kind}-{kept.step}")
def test_a_kept_database_has_the_schema_that_it_is_named_by(kept: Kept, tmp_path: Path) -> None:
    steps = STEPS[kept.kind]
    if kept.kind == "sqlite":
        with closing(sqlite3.connect(kept.put_back(tmp_path, None))) as db:
            found = [name for (name,) in db.execute("SELECT name FROM _sqlite_migrations ORDER BY name")]
    else:
        url = str(kept.put_back(tmp_path, shared_server()))
        rows = shared_server().execute("SELECT name FROM execsvc.migrations ORDER BY name", url.rpartition("/")[2])
        found = [name for (name,) in rows]
        shared_server().drop(url)

    assert tuple(found) == steps[: steps.index(kept.step) + 1]
    assert set(kept.story()) == set(WORK)


def test_an_upgrade_goes_on_with_everything_and_forgets_nothing(upgraded: Upgraded) -> None:
    client, story, address = upgraded.client, upgraded.story, upgraded.server.address

    # What had ended is told as it was.
    for execution_id in ENDED:
        told = {
            "show": shown(upgraded.server.address, execution_id),
            "logs": logged(upgraded.server.address, execution_id),
        }
        assert list(differences(story[execution_id], told)) == []
    # What had not goes on by itself, but what was paused.
    for execution_id in ("running", "pending"):
        assert client.wait(execution_id).output == result(execution_id)
    assert client.status("paused").state == "PAUSED"
    # And can be acted on.
    client.resume("paused")
    client.retry("failed")
    client.retry("stopped")
    for execution_id in ("paused", "failed", "stopped"):
        assert client.wait(execution_id).output == result(execution_id)
    # Nothing that was recorded ran again.
    recorded = {
        f"{execution_id}/{node['node_id']}"
        for execution_id, told in story.items()
        for node in told["show"]["nodes"]
        if node["state"] == "COMPLETED" and node["node_id"] != "end"
    }
    assert len(recorded) >= 3 + 1 + 1 + 2 + 1
    ran = runs(upgraded.folder / "plugin")
    assert recorded & set(ran) == set()
    assert set(ran.values()) == {1}
    # Each log goes on where it was.
    for execution_id, told in story.items():
        log = logged(address, execution_id)
        assert list(differences(told["logs"], log[: len(told["logs"])])) == []
        assert [entry["sequence"] for entry in log] == list(range(1, len(log) + 1))


def test_an_upgrade_keeps_ids_requests_labels_workflows_and_tokens(upgraded: Upgraded) -> None:
    client = upgraded.client

    listed = {item.status.execution_id for item in client.list_executions(filter='labels.kept = "yes"')}
    assert listed == set(WORK)
    repeated = client.execute(
        definition("completed"),
        given("completed"),
        execution_id="completed",
        labels={"kept": "yes", "state": "completed"},
        priority=5,
        workflow_id="kept",
    )
    assert repeated.state == "COMPLETED"
    with pytest.raises(AlreadyExists):
        client.execute(definition("completed"), {"n": -1}, execution_id="completed")
    assert client.stop("stopped", request_id="stop-1").state == "STOPPED"
    assert client.get_workflow("stored").definition == to_definition(definition("completed"))
    client.execute(workflow_id="stored", input={"n": 0}, execution_id="new")
    assert client.wait("new").state == "COMPLETED"
    where = ("--db", str(upgraded.database)) if upgraded.kept.kind == "sqlite" else ("--store", str(upgraded.database))
    done = subprocess.run(
        [sys.executable, "-m", "execsvc", "token", "list", *where, "--json"], check=True, capture_output=True, text=True
    )
    names = [token["name"] for token in json.loads(done.stdout)["tokens"]]
    assert names == ([] if upgraded.kept.step == "0001_first" else ["kept"])


@pytest.mark.parametrize(
    "upgraded", [kept for kept in there() if kept.kind == "sqlite"], ids=lambda kept: kept.step, indirect=True
)
def test_an_upgraded_file_is_clean_and_stays_so(upgraded: Upgraded) -> None:
    for execution_id in ("running", "pending"):
        upgraded.client.wait(execution_id)
    upgraded.server.terminate()
    assert upgraded.server.wait() == 0

    assert check_database(Path(upgraded.database)) == []


@pytest.mark.parametrize("kept", [kept for kept in there() if kept.kind == "sqlite"], ids=lambda kept: kept.step)
def test_a_file_can_be_checked_before_it_is_upgraded(kept: Kept, tmp_path: Path) -> None:
    assert check_database(Path(str(kept.put_back(tmp_path, None)))) == []
