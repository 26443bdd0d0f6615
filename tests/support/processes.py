"""Run ``execsvc serve`` as a process of its own, end it in every way, and read its database from outside."""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import IO, Any, Self

ROOT = Path(__file__).resolve().parents[2]


class ServerProcess:
    """A server process that serves once this is made. Its nodes may call this machine, and nothing else.

    Args:
        database: a SQLite file, or the URL of a Postgres database.
        arguments: further options of ``serve``.
        log: where it writes; by default beside the file.
        environment: variables it is given beside those of this process.
        code: the checkout that it runs, with what ``PYTHONPATH`` of ``environment`` names.
    """

    def __init__(
        self,
        database: Path | str,
        *arguments: str,
        address: str = "127.0.0.1:0",
        log: Path | None = None,
        environment: Mapping[str, str] | None = None,
        code: Path = ROOT,
    ) -> None:
        place = ["--db", str(database)] if isinstance(database, Path) else ["--store", database]
        self._log: IO[bytes] = (log or Path(database).with_name("server.log")).open("ab")
        command = [sys.executable, "-m", "execsvc", "serve", "--json", "--address", address, *place]
        # Earlier versions let nodes call anything.
        command += ["--egress", "127.0.0.1"] if code == ROOT else []
        paths = os.pathsep.join(map(str, _paths()))
        environment = {**os.environ, "OPENAI_API_KEY": "none", "PYTHONPATH": paths, **(environment or {})}
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=self._log, cwd=code, env=environment
        )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise RuntimeError(f"the server did not start: exit code {self.process.wait()}; see {self._log.name}")
        ready: dict[str, Any] = json.loads(line)
        self.address: str = ready["address"]
        self.recovered: int = ready["recovered"]
        #: Where its metrics are; empty unless it was started with ``--metrics``.
        self.metrics: str = ready.get("metrics") or ""

    def kill(self) -> None:
        """End it as a power cut would."""
        self.process.kill()
        self._ended()

    def terminate(self) -> None:
        """Ask it to go down."""
        self.process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Wait for its end; answers its exit code."""
        code = self.process.wait(60)
        self._ended()
        return code

    def _ended(self) -> None:
        self.process.wait()
        if self.process.stdout is not None:
            self.process.stdout.close()
        self._log.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.kill()
        elif not self._log.closed:
            self._ended()


def _paths() -> list[Path]:
    given = os.environ.get("PYTHONPATH", "").split(os.pathsep)
    return [ROOT, ROOT / "clients" / "python" / "src", *(Path(path) for path in given if path)]


def recorded(database: Path) -> dict[str, set[str]]:
    """Nodes whose result is on disk, by execution; readable while nobody serves."""
    with sqlite3.connect(f"{database.absolute().as_uri()}?mode=ro", uri=True) as db:
        rows = db.execute(
            "SELECT e.execution_id, n.node_id FROM executions AS e LEFT JOIN node_runs AS n"
            " ON n.execution = e.pk AND n.state = 'COMPLETED'"
        ).fetchall()
    db.close()
    found: dict[str, set[str]] = {}
    for execution_id, node_id in rows:
        found.setdefault(execution_id, set()).update([node_id] if node_id else [])
    return found
