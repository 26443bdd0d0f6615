"""A server in a process that also answers what it holds: memory, asyncio tasks. Run as ``execsvc serve`` runs it."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import gc
import json
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil


@dataclass(frozen=True, slots=True)
class Hosted:
    """Such a server, from outside."""

    address: str
    process: subprocess.Popen[str]

    def held(self) -> dict[str, int]:
        """What is there after a collection: bytes of resident memory, and asyncio tasks.

        ``mapped`` bytes are pages of files, its database's among them, which the system takes back when it needs them.
        ``bytes`` are all others.
        """
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write("held\n")
        self.process.stdin.flush()
        found: dict[str, int] = json.loads(self.process.stdout.readline())
        return found


@contextlib.contextmanager
def hosted(database: Path, *, max_concurrent: int) -> Iterator[Hosted]:
    """Run one."""
    command = [sys.executable, "-m", "benchmarks.hosted", str(database), str(max_concurrent)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            yield Hosted(process.stdout.readline().strip(), process)
        finally:
            process.stdin.close()
            process.wait(120)


async def main(database: Path, max_concurrent: int) -> None:
    """Serve until stdin ends."""
    from execsvc.app import Settings, running

    settings = Settings(
        address="127.0.0.1:0", database=database, max_concurrent=max_concurrent, max_queued=100_000, grace=0.0
    )
    async with running(settings) as server:
        gc.collect()
        gc.freeze()
        print(server.address, flush=True)
        while await asyncio.to_thread(sys.stdin.readline):
            gc.collect()
            memory = psutil.Process().memory_info()
            # Linux alone tells them apart.
            mapped = getattr(memory, "shared", 0)
            held = {"bytes": memory.rss - mapped, "mapped": mapped, "tasks": len(asyncio.all_tasks())}
            print(json.dumps(held), flush=True)


if __name__ == "__main__":
    from execsvc.app import run_tuned

    parser = argparse.ArgumentParser()
    parser.add_argument("database", type=Path)
    parser.add_argument("max_concurrent", type=int)
    run_tuned(main(**vars(parser.parse_args())))
