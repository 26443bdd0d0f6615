"""How long a server takes from its process's start to its first answer, with nothing and with 10,000 to go on with.

Against a process that imports the same packages of others, in the same order, and ends.
"""

from __future__ import annotations

import contextlib
import copy
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import grpc

from benchmarks.figures import median, percentile, ratios, spread
from benchmarks.fill import copies
from benchmarks.report import Goal, report
from benchmarks.server import folder, free_address, serve_command, server
from benchmarks.shape import DEFINITION, given
from execsvc_client import ExecutionClient, v1

IMPORTS, EMPTY = "importing its dependencies", "start, nothing to go on with"
#: Prints the modules of others that a server imports, in order.
LIST_IMPORTS = """
import json, sys
before = set(sys.modules)
import execsvc.cli.server, execsvc.app, uvloop
ours = ("execsvc", "execsvc_client", "__editables__")
names = [name for name in sys.modules if name not in before and not name.startswith("_")]
names = [name for name in names if name.partition(".")[0] not in ours and getattr(sys.modules[name], "__spec__", None)]
print(json.dumps(names))
"""
#: Imports those; a few parts of packages exist only once their package has set them up, and come with it.
IMPORT_THEM = """
import importlib, json, sys
for name in json.loads(sys.argv[1]):
    try:
        importlib.import_module(name)
    except ImportError:
        pass
"""


def main(full: bool) -> None:
    """Start in turn."""
    rounds, unfinished = (9, 10_000) if full else (3, 10_000)
    waiting = f"start, {unfinished:,} unfinished"
    listed = subprocess.run([sys.executable, "-c", LIST_IMPORTS], stdout=subprocess.PIPE, check=True).stdout
    taken: dict[str, list[float]] = {IMPORTS: [], EMPTY: [], waiting: []}
    rates: list[float] = []
    done: list[float] = []
    with folder() as place:
        seeded = place / "seed.db"
        _seed(seeded, unfinished)
        for number in range(rounds):
            started = time.perf_counter()
            subprocess.run([sys.executable, "-c", IMPORT_THEM, listed], check=True)
            taken[IMPORTS].append(time.perf_counter() - started)
            taken[EMPTY].append(start(place / f"empty{number}.db")[0])
            database = place / f"waiting{number}.db"
            shutil.copy(seeded, database)
            # The last round goes on to the end, which is the engine's speed and no longer the start's.
            took, rest = start(database, until_done=unfinished if number == rounds - 1 else 0)
            taken[waiting].append(took)
            rates.append(unfinished / max(taken[waiting][-1] - taken[EMPTY][-1], 1e-3))
            if rest:
                done.append(unfinished / rest)
    ratio = median(ratios(taken[EMPTY], taken[IMPORTS]))
    rows = [
        (name, spread(values, scale=1000), f"{median(ratios(values, taken[IMPORTS])):.2f}")
        for name, values in taken.items()
    ]
    rows.append(("recovered a second, until the first answer", spread(rates), ""))
    rows.append(("recovered and completed a second", spread(done), ""))
    report(
        "start",
        "From the start of a process to its first answer, ms",
        ("what", "median (least to most)", "to importing"),
        rows,
        {"seconds": taken, "recovered_per_second": rates, "completed_per_second": done},
        [
            Goal(question="start to first answer", reference=IMPORTS, measured=ratio, limit=1.3, at_least=False),
            Goal(
                question=f"recovery of {unfinished:,} until the first answer",
                reference="start with none",
                measured=percentile(rates, 50),
                limit=2_000,
                at_least=True,
                unit="/s",
            ),
        ],
        full=full,
    )


def start(database: Path, until_done: int = 0) -> tuple[float, float]:
    """Start a server; answers the seconds until it answered, and then until so many executions had completed."""
    address = free_address()
    host, _, port = address.partition(":")
    started = time.perf_counter()
    process = subprocess.Popen(serve_command(address, database, max_concurrent=64), stderr=subprocess.DEVNULL)
    try:
        # A channel that was refused waits before it tries again, which would be measured as well.
        while True:
            with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
                break
            assert process.poll() is None, "the server ended"
            time.sleep(0.002)
        with grpc.insecure_channel(address) as channel:
            v1.ServerServiceStub(channel).GetServerInfo(v1.GetServerInfoRequest(), wait_for_ready=True)
        took = time.perf_counter() - started
        while until_done and _completed(database) < until_done:
            time.sleep(0.05)
        return took, time.perf_counter() - started - took if until_done else 0.0
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)


def _seed(database: Path, unfinished: int) -> None:
    """A database in which so many executions wait: copies of one that was acknowledged and never claimed."""
    slow = copy.deepcopy(DEFINITION)
    slow["nodes"][2]["config"]["parameters"] = {"delay": 600}
    with server(max_concurrent=1, database=database) as served, ExecutionClient(served.address) as client:
        client.execute(slow, given(0), execution_id="running")
        while client.status("running").state != "RUNNING":
            time.sleep(0.01)
        client.execute(DEFINITION, given(1), execution_id="waiting")
    copies(database, unfinished - 1, only="waiting")
    with sqlite3.connect(database) as db:
        db.execute("DELETE FROM executions WHERE execution_id = 'running'")
        (found,) = db.execute("SELECT count(*) FROM executions WHERE state = 'PENDING'").fetchone()
    db.close()
    assert found == unfinished, found


def _completed(database: Path) -> int:
    with sqlite3.connect(f"{database.as_uri()}?mode=ro", uri=True) as db:
        (found,) = db.execute("SELECT count(*) FROM executions WHERE state = 'COMPLETED'").fetchone()
    db.close()
    return int(found)
