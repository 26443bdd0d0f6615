"""Keep a database of the present schema, with an execution in every state: ``python -m tests.upgrade.keep``.

To be run once with each new step of a schema, before it is released; the file is kept for good. ``--code FOLDER`` runs
the servers of an earlier version, a checkout of it. Executions are made over the API, so any version will do.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from execsvc_client import ExecutionClient
from tests.servers.postgres import PostgresServer
from tests.support.processes import ROOT, ServerProcess
from tests.upgrade.held_node import HOLDS
from tests.upgrade.kept import FOLDER, WORK, Kept, definition, given, install


def main() -> None:
    """Keep one database of each kind."""
    parser = argparse.ArgumentParser(prog="python -m tests.upgrade.keep", description=__doc__)
    parser.add_argument("--code", type=Path, default=ROOT, help="a checkout of the version whose servers are run")
    parser.add_argument("--kind", choices=("sqlite", "postgres"), help="one kind only")
    arguments = parser.parse_args()
    FOLDER.mkdir(exist_ok=True)
    if arguments.kind != "postgres":
        with tempfile.TemporaryDirectory() as folder:
            _keep_sqlite(Path(folder), arguments.code)
    if arguments.kind != "sqlite":
        with tempfile.TemporaryDirectory() as folder, PostgresServer() as server:
            _keep_postgres(Path(folder), arguments.code, server)


def _keep_sqlite(folder: Path, code: Path) -> None:
    path = folder / "kept.db"
    story = _filled(folder, path, code)
    with closing(sqlite3.connect(path)) as db:
        # What the server had not written back by the time it was killed.
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        # What the machine was called is nobody's business.
        db.execute("UPDATE executions SET owner = replace(owner, ?, 'kept/')", (f"{socket.gethostname()}/",))
        db.commit()
        db.execute("VACUUM")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        ((step,),) = db.execute("SELECT max(name) FROM _sqlite_migrations WHERE migration_set = 'execsvc'").fetchall()
    _write(Kept("sqlite", step), path.read_bytes(), story)


def _keep_postgres(folder: Path, code: Path, server: PostgresServer) -> None:
    url = server.database()
    name = url.rpartition("/")[2]
    story = _filled(folder, url, code)
    ((step,),) = server.execute("SELECT max(name) FROM execsvc.migrations", name)
    dump = server.dump(name).replace(f"{socket.gethostname()}/", "kept/")
    _write(Kept("postgres", step), dump.encode(), story)


def _write(kept: Kept, database: bytes, story: dict[str, Any]) -> None:
    kept.database.write_bytes(gzip.compress(database, 9, mtime=0))
    kept.told.write_text(json.dumps(story, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    print(f"{kept.database.relative_to(ROOT)}: {kept.database.stat().st_size:,} bytes")


def _filled(folder: Path, database: Path | str, code: Path) -> dict[str, Any]:
    """Have a server make an execution in every state, and be killed; answers what it told of them."""
    with _server(folder, database, code) as server, ExecutionClient(server.address) as client:
        client.create_workflow("stored", definition("completed"))
        for execution_id, state in (("completed", "COMPLETED"), ("failed", "FAILED")):
            _execute(client, execution_id)
            assert client.wait(execution_id).state == state
        _execute(client, "stopped")
        _until_working(client, "stopped")
        client.stop("stopped", reason="kept so", request_id="stop-1")
        _execute(client, "paused")
        _until_working(client, "paused")
        client.pause("paused", request_id="pause-1")
        _until(lambda: not client.status("paused").running_nodes)
        _execute(client, "running")
        _until_working(client, "running")
        # The only slot is taken.
        _execute(client, "pending")
        _make_token(folder, database, code)
        story = {execution_id: _told(server.address, execution_id) for execution_id in WORK}
        server.kill()
    for execution_id, told in story.items():
        assert told["show"]["state"] == execution_id.upper(), told["show"]
    return story


def _make_token(folder: Path, database: Path | str, code: Path) -> None:
    """Make an API token, where that version knows of any."""
    where = ("--db", str(database)) if isinstance(database, Path) else ("--store", database)
    command = [sys.executable, "-m", "execsvc", "token", "create", "--role", "reader", "--name", "kept", *where]
    environment = {**os.environ, **install(folder / "token", code)}
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=code, env=environment)
    if done.returncode and "token" not in done.stderr:
        raise RuntimeError(done.stderr)


@contextmanager
def _server(folder: Path, database: Path | str, code: Path) -> Iterator[ServerProcess]:
    environment = install(folder / "plugin", code) | {HOLDS: "1"}
    options = ("--plugin", "held", "--max-concurrent", "1", "--grace", "0")
    with ServerProcess(database, *options, log=folder / "log", environment=environment, code=code) as server:
        yield server


def _execute(client: ExecutionClient, execution_id: str) -> None:
    client.execute(
        definition(execution_id),
        given(execution_id),
        execution_id=execution_id,
        labels={"kept": "yes", "state": execution_id},
        priority=5,
        workflow_id="kept",
    )


def _until_working(client: ExecutionClient, execution_id: str) -> None:
    _until(lambda: list(client.status(execution_id).running_nodes) == ["work"])


def _until(holds: Any) -> None:
    end = time.monotonic() + 60
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError("it did not come about")
        time.sleep(0.01)


def _told(address: str, execution_id: str) -> dict[str, Any]:
    return {"show": shown(address, execution_id), "logs": logged(address, execution_id)}


def shown(address: str, execution_id: str) -> dict[str, Any]:
    """What ``show`` tells of an execution."""
    (document,) = _command("show", execution_id, "--target", address)
    return document


def logged(address: str, execution_id: str) -> list[dict[str, Any]]:
    """What ``logs`` tells of it."""
    return _command("logs", execution_id, "--level", "debug", "--target", address)


def _command(*arguments: str) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "execsvc", *arguments, "--json"], check=True, capture_output=True, text=True, cwd=ROOT
    )
    return [json.loads(line) for line in done.stdout.splitlines()]


if __name__ == "__main__":
    main()
