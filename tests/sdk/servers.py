"""The services of the lab: real ``execsvc serve`` processes with databases of their own, ended in every way."""

from __future__ import annotations

import asyncio
import json
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import trustme

from execsvc.clock import SystemClock
from execsvc.model import SOMEBODY, Role
from execsvc.model.identity import new_token
from execsvc_client import TLS, ExecsvcError, ExecutionClient
from tests.sdk.databases import LabDatabase
from tests.servers.front import Front
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
    """A service that keeps its database and its port however often it is ended and started again.

    Calls are made from the threads of the lab, one at a time a service. Where it has several servers, all of them are
    ended and started.

    Args:
        database: where its data are.
        servers: several are behind a proxy, which has the one port and goes on when they do not.
    """

    def __init__(
        self,
        folder: Path,
        options: Mapping[str, Any],
        authority: trustme.CA,
        *,
        database: LabDatabase,
        servers: int = 1,
    ) -> None:
        unknown = sorted(options.keys() - OPTIONS - OTHERS)
        if unknown:
            known = ", ".join(sorted(OPTIONS | OTHERS))
            raise LabError(f"there is no option {', '.join(unknown)}; there are {known}")
        self._folder = folder
        self._database = database
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
            paths = [folder / "tls.crt", folder / "tls.key"]
            for path, blobs in zip(paths, (certificate.cert_chain_pems, [certificate.private_key_pem]), strict=True):
                path.write_bytes(b"".join(blob.bytes() for blob in blobs))
            if servers == 1:
                self._arguments += ["--tls-cert", str(paths[0]), "--tls-key", str(paths[1])]
        self._lock = threading.Lock()
        #: Hosts and ports of the servers, and the processes while they run.
        self._addresses = ["127.0.0.1:0"] * servers
        self._processes: list[ServerProcess] = []
        self._front: Front | None = None
        self.start()
        if servers > 1:
            self._front = Front(folder / "front", self._addresses, certificates=folder if self._name else None)

    @property
    def target(self) -> str:
        """Host and port; the same for as long as it is not removed."""
        return self._addresses[0] if self._front is None else self._front.address

    def start(self) -> None:
        """Start it, again on the same database and port. Does nothing where it runs."""
        with self._lock:
            if self._processes:
                return
            self._processes = [self._started(address) for address in self._addresses]
            self._addresses = [process.address for process in self._processes]

    def _started(self, address: str) -> ServerProcess:
        deadline = time.monotonic() + PATIENCE
        log = self._folder / "server.log"
        options = ("--metrics", "0", *self._arguments)
        while True:
            try:
                return ServerProcess(
                    self._database.place, *options, address=address, log=log, environment=self._environment
                )
            except RuntimeError as error:
                # Another process's connection can hold the port for a moment.
                if time.monotonic() > deadline:
                    raise LabError(str(error)) from error

    def kill(self) -> None:
        """End it as a power cut would."""
        with self._lock:
            for process in self._processes:
                process.kill()
            self._processes = []

    def remove(self) -> None:
        """End it, and forget what it kept."""
        self._database.unlock()
        self.kill()
        if self._front is not None:
            self._front.close()
        self._database.remove()

    def drain(self) -> None:
        """Ask it to go down, and return once it takes nothing new; what is under way has ``grace`` seconds."""
        processes = self._running()
        token = self.token({})["token"] if "--auth" in self._arguments else ""
        tls = TLS(ca=self.ca, server_name=self._name) if self.ca and self._front is None else None
        for process in processes:
            process.terminate()
            with ExecutionClient(process.address, tls=tls, token=token) as client:
                try:
                    wait_until(lambda: client.server_info().draining, "the server to drain")
                except ExecsvcError as error:
                    raise LabError(f"the server went down before it was seen draining: {error}") from error

    def stop(self) -> None:
        """Ask it to go down, and wait for its end."""
        processes = self._running()
        for process in processes:
            process.terminate()
        with self._lock:
            codes = {process.wait() for process in processes}
            self._processes = []
        if codes != {0}:
            raise LabError(f"the servers ended with exit codes {sorted(codes)}")

    def freeze(self) -> None:
        """Let it stand still, its connections open, as a machine without a breath left does."""
        for process in self._running():
            process.process.send_signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Let it go on."""
        for process in self._running():
            process.process.send_signal(signal.SIGCONT)

    def lock(self) -> None:
        """Let nothing be written to the database."""
        self._database.lock()

    def unlock(self) -> None:
        """Let it be written again."""
        self._database.unlock()

    def token(self, fields: Mapping[str, Any]) -> dict[str, str]:
        """Make an API token."""
        try:
            role, namespace = Role(fields.get("role", "reader")), str(fields.get("namespace", "default"))
        except ValueError as error:
            raise LabError(str(error)) from error
        text, stored = new_token(namespace=namespace, role=role, name="", now=SystemClock()(), expire_time=None)
        self._database.with_tokens(lambda tokens: tokens.add(stored, SOMEBODY))
        return {"token": text, "token_id": stored.token_id}

    def revoke(self, token_id: str) -> None:
        """Revoke an API token."""
        if self._database.with_tokens(lambda tokens: tokens.revoke(token_id, SystemClock()(), SOMEBODY)) is None:
            raise LabError(f"there is no token {token_id!r}")

    def streams(self, until: int) -> int:
        """Wait until so many streams are under way on it."""
        addresses = [process.metrics for process in self._running()]

        def count() -> int:
            found = [asyncio.run(scrape(address)).by("method", "rpc_streams", **EXECUTIONS) for address in addresses]
            return int(sum(sum(streams.values()) for streams in found))

        wait_until(lambda: count() == until, lambda: f"{until} streams; there are {count()}")
        return until

    def _running(self) -> list[ServerProcess]:
        if not self._processes:
            raise LabError("the server is not running")
        return self._processes


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
