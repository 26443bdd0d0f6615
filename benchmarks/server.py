"""A server process of its own for a benchmark."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import grpc


@contextlib.contextmanager
def server(*, max_concurrent: int) -> Iterator[str]:
    """Start ``execsvc serve`` on a free port with a new database; answers its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with tempfile.TemporaryDirectory(dir=os.environ.get("EXECSVC_BENCH_DIR")) as folder:
        command = [sys.executable, "-m", "execsvc", "serve", "--address", address]
        command += ["--db", str(Path(folder, "bench.db")), "--max-concurrent", str(max_concurrent)]
        process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
        try:
            with grpc.insecure_channel(address) as channel:
                grpc.channel_ready_future(channel).result(timeout=60)
            yield address
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
