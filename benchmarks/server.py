"""A server process of its own for a benchmark, and the other processes it is measured with."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import psutil

ROOT = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class Server:
    """A server that serves."""

    address: str
    database: Path
    process: subprocess.Popen[bytes]

    def cpu(self) -> float:
        """Seconds of processor it has used."""
        return processor_of(self.process.pid)


def processor_of(process: int) -> float:
    """Seconds of processor that a process has used."""
    times = psutil.Process(process).cpu_times()
    return times.user + times.system


@contextlib.contextmanager
def folder() -> Iterator[Path]:
    """A folder for databases, removed at the end; ``EXECSVC_BENCH_DIR`` says on which disk."""
    with tempfile.TemporaryDirectory(prefix="execsvc-bench-", dir=os.environ.get("EXECSVC_BENCH_DIR")) as name:
        yield Path(name)


@contextlib.contextmanager
def server(
    *,
    max_concurrent: int,
    database: Path | None = None,
    max_queued: int = 100_000,
    options: Sequence[str] = (),
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """Run ``execsvc serve`` on a free port; on a new database unless one is given.

    Args:
        options: more of ``serve``.
        environment: variables it is given beside those of this process.
    """
    address = free_address()
    with contextlib.ExitStack() as stack:
        path = stack.enter_context(folder()) / "bench.db" if database is None else database
        process = subprocess.Popen(
            [*serve_command(address, path, max_concurrent=max_concurrent, max_queued=max_queued), *options],
            stderr=subprocess.DEVNULL,
            env={**os.environ, **(environment or {})},
        )
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=120)
            yield Server(address, path, process)
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def serve_command(address: str, database: Path, *, max_concurrent: int, max_queued: int = 100_000) -> list[str]:
    """The command that starts a server."""
    command = [sys.executable, "-m", "execsvc", "serve", "--address", address, "--db", str(database)]
    return [*command, "--max-concurrent", str(max_concurrent), "--max-queued", str(max_queued), "--grace", "0"]


def free_address() -> str:
    """An address nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def run(module: str, *arguments: object) -> Any:
    """Run a module of the benchmarks as a process of its own; answers the JSON it prints last."""
    command = [sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, cwd=ROOT, check=True)
    return json.loads(done.stdout.splitlines()[-1])
