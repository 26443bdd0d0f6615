"""The servers of the lab: real ``execsvc serve`` processes with databases of their own, ended in every way."""

from __future__ import annotations

import asyncio
import signal
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from execsvc_client import ExecsvcError, ExecutionClient
from tests.support.processes import ServerProcess
from tests.support.scrapes import scrape

#: Options a scenario may give a server, each passed to ``serve`` under its own name.
OPTIONS = frozenset(
    {"max_concurrent", "max_queued", "max_timeout", "default_timeout", "key_limit", "grace", "heartbeat"}
)
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

    def __init__(self, folder: Path, options: Mapping[str, Any]) -> None:
        unknown = sorted(options.keys() - OPTIONS)
        if unknown:
            raise LabError(f"there is no option {', '.join(unknown)}; there are {', '.join(sorted(OPTIONS))}")
        self._folder = folder
        self._arguments = [
            text
            for name, value in (DEFAULTS | dict(options)).items()
            for text in (f"--{name.replace('_', '-')}", str(value))
        ]
        self._lock = threading.Lock()
        self._process: ServerProcess | None = None
        #: Host and port; the same for as long as the server is not removed.
        self.target = "127.0.0.1:0"
        folder.mkdir(parents=True)
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
                        self._folder / "server.db", "--metrics", "0", *self._arguments, address=self.target
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
        process.terminate()
        with ExecutionClient(self.target) as client:
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
