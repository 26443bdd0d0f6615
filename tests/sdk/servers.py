"""The servers of the lab: real ``execsvc serve`` processes with databases of their own, ended in every way."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trustme

from execsvc.clock import SystemClock
from execsvc.model import Role
from execsvc.model.identity import new_token
from execsvc.store import opened_tokens
from execsvc_client import TLS, ExecsvcError, ExecutionClient
from tests.support.processes import ServerProcess
from tests.support.scrapes import scrape

#: Options a scenario may give a server, each passed to ``serve`` under its own name.
OPTIONS = frozenset(
    {"auth", "max_concurrent", "max_queued", "max_timeout", "default_timeout", "key_limit", "grace", "heartbeat"}
)
#: Others: the name of its certificate, and limits by namespace.
OTHERS = frozenset({"tls", "namespaces"})
#: What it gets where the scenario says nothing: it comes and goes quickly.
DEFAULTS: Mapping[str, Any] = {"grace": 0, "heartbeat": 1}
#: Seconds the lab waits for a condition.
PATIENCE = 30.0


class LabError(Exception):
    """The lab cannot do what it was asked."""


class LabServer:
    """A server that keeps its database and its port however often it is ended and started again.

    Calls are made from the threads of the lab, one at a time a server.
    """

    def __init__(self, folder: Path, options: Mapping[str, Any], authority: trustme.CA) -> None:
        unknown = sorted(options.keys() - OPTIONS - OTHERS)
        if unknown:
            known = ", ".join(sorted(OPTIONS | OTHERS))
            raise LabError(f"there is no option {', '.join(unknown)}; there are {known}")
        folder.mkdir(parents=True)
        self._database = folder / "server.db"
        self._name = options.get("tls")
        limits = options.get("namespaces")
        self._environment = {} if limits is None else {"EXECSVC_NAMESPACES": json.dumps(limits)}
        self._arguments = [
            text
            for name, value in (DEFAULTS | dict(options)).items()
            if name in OPTIONS
            for text in (f"--{name.replace('_', '-')}", str(value))
        ]
        #: PEM of the authority of its certificate; empty: it serves without TLS.
        self.ca = ""
        if self._name:
            self.ca = authority.cert_pem.bytes().decode()
            certificate = authority.issue_cert(self._name)
            paths = [folder / "server.crt", folder / "server.key"]
            for path, blobs in zip(paths, (certificate.cert_chain_pems, [certificate.private_key_pem]), strict=True):
                path.write_bytes(b"".join(blob.bytes() for blob in blobs))
            self._arguments += ["--tls-cert", str(paths[0]), "--tls-key", str(paths[1])]
        self._lock = threading.Lock()
        self._process: ServerProcess | None = None
        self._writer: sqlite3.Connection | None = None
        #: Host and port; the same for as long as the server is not removed.
        self.target = "127.0.0.1:0"
        self.start()

    def start(self) -> None:
        """Start it, again on the same database and port. Does nothing where it runs."""
        with self._lock:
            if self._process is not None:
                return
            deadline = time.monotonic() + PATIENCE
            while self._process is None:
                try:
                    self._process = ServerProcess(
                        self._database,
                        "--metrics",
                        "0",
                        *self._arguments,
                        address=self.target,
                        environment=self._environment,
                    )
                except RuntimeError as error:
                    # Another process's connection can hold the port for a moment.
                    if time.monotonic() > deadline:
                        raise LabError(str(error)) from error
            self.target = self._process.address

    def kill(self) -> None:
        """End it as a power cut would."""
        with self._lock:
            if self._process is not None:
                self._process.kill()
                self._process = None

    def drain(self) -> None:
        """Ask it to go down, and return once it takes nothing new; what is under way has ``grace`` seconds."""
        process = self._running()
        token = self.token({})["token"] if "--auth" in self._arguments else ""
        process.terminate()
        tls = TLS(ca=self.ca, server_name=self._name) if self.ca else None
        with ExecutionClient(self.target, tls=tls, token=token) as client:
            try:
                wait_until(lambda: client.server_info().draining, "the server to drain")
            except ExecsvcError as error:
                raise LabError(f"the server went down before it was seen draining: {error}") from error

    def stop(self) -> None:
        """Ask it to go down, and wait for its end."""
        process = self._running()
        process.terminate()
        with self._lock:
            code = process.wait()
            self._process = None
        if code != 0:
            raise LabError(f"the server ended with exit code {code}")

    def freeze(self) -> None:
        """Let it stand still, its connections open, as a machine without a breath left does."""
        self._running().process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        self._running().process.send_signal(signal.SIGCONT)

    def lock(self) -> None:
        """Hold the database's write lock, as another process may."""
        if self._writer is None:
            self._writer = sqlite3.connect(self._database, isolation_level=None, check_same_thread=False, timeout=30)
            self._writer.execute("BEGIN IMMEDIATE")

    def unlock(self) -> None:
        """Let the lock go."""
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def token(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Make an API token."""
        try:
            role, namespace = Role(fields.get("role", "reader")), str(fields.get("namespace", "default"))
        except ValueError as error:
            raise LabError(str(error)) from error
        text, stored = new_token(namespace=namespace, role=role, name="", now=SystemClock()(), expire_time=None)
        with opened_tokens(self._database) as tokens:
            asyncio.run(tokens.add(stored))
        return {"token": text, "token_id": stored.token_id}

    def revoke(self, token_id: str) -> None:
        """Revoke an API token."""
        with opened_tokens(self._database) as tokens:
            if asyncio.run(tokens.revoke(token_id, SystemClock()())) is None:
                raise LabError(f"there is no token {token_id!r}")

    def streams(self, until: int) -> int:
        """Wait until so many streams are under way on it."""
        address = self._running().metrics

        def count() -> int:
            return int(sum(asyncio.run(scrape(address)).by("method", "rpc_streams", **EXECUTIONS).values()))

        wait_until(lambda: count() == until, lambda: f"{until} streams; there are {count()}")
        return until

    def _running(self) -> ServerProcess:
        if self._process is None:
            raise LabError("the server is not running")
        return self._process


#: Labels of the series that count streams of executions.
EXECUTIONS = {"service": "execsvc.v1.ExecutionService"}


def wait_until(holds: Callable[[], bool], what: str | Callable[[], str]) -> None:
    """Ask until a condition holds.

    Raises:
        LabError: it did not within ``PATIENCE``.
    """
    deadline = time.monotonic() + PATIENCE
    while not holds():
        if time.monotonic() > deadline:
            raise LabError(f"waited {PATIENCE:g} s for {what if isinstance(what, str) else what()}")
        time.sleep(0.02)
