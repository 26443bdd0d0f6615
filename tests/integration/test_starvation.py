"""A node that keeps the processor busy slows the server, but never leaves a commit waiting for seconds."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

from execsvc.app import SWITCH_INTERVAL
from tests.integration.conftest import StartServer
from tests.support.nodes import Gates
from tests.support.processes import ROOT
from tests.support.workflows import ECHO, node, output, workflow

#: Executions one after the other, each of several commits that somebody waits for.
ROUNDS = 60


@pytest.fixture
def tuned() -> object:
    """The switch interval of a served process."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(SWITCH_INTERVAL)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("tuned")
@pytest.mark.timeout(60)
async def test_commits_go_on_under_nodes_that_hold_the_interpreter(start_server: StartServer, gates: Gates) -> None:
    """With commits that wait for a second each, as they may on 3.11 without a guard, this takes minutes."""
    async with start_server() as client:
        burning = workflow("a > out", "b > out", a=node("burn", gate="g"), b=node("burn", gate="g"), out=output("1"))
        await client.execute(burning, execution_id="burns")
        await gates.entered("g")
        for number in range(ROUNDS):
            await client.execute(ECHO, {"n": number}, execution_id=f"e{number}")
            assert (await client.wait(f"e{number}")).output == {"n": number}
        assert (await client.status("burns")).state == "RUNNING"
        gates.open("g")
        assert (await client.wait("burns")).state == "COMPLETED"


@pytest.mark.timeout(60)
async def test_commits_go_on_while_the_event_loop_itself_is_busy(start_server: StartServer, gates: Gates) -> None:
    """The loop that re-takes the interpreter before the writer gets it."""
    stop = asyncio.Event()

    async def spin() -> int:
        turns = 0
        while not stop.is_set():
            sum(range(2_000))
            turns += 1
            await asyncio.sleep(0)
        return turns

    async with start_server() as client:
        spinning = asyncio.create_task(spin())
        for number in range(ROUNDS):
            await client.execute(ECHO, {"n": number}, execution_id=f"e{number}")
            assert (await client.wait(f"e{number}")).state == "COMPLETED"
        stop.set()
        # Bounded by work, not by time: a commit that starves lets the loop turn a hundred thousand times, and one that
        # waits for a processor beside other work some thousands.
        turns = await spinning
        print(f"{turns // ROUNDS} turns of the loop for each execution")
        assert turns < ROUNDS * 5_000


def test_a_served_process_runs_with_the_switch_interval_and_the_collector_of_a_server(tmp_path: Path) -> None:
    program = """
import asyncio, gc, json, sys
from pathlib import Path
from execsvc.app import Settings, run_tuned, serve
import os, signal

def ready(server):
    print(json.dumps([sys.getswitchinterval(), gc.get_threshold()[0], gc.get_freeze_count(),
                      type(asyncio.get_running_loop()).__module__]), flush=True)
    os.kill(os.getpid(), signal.SIGTERM)

run_tuned(serve(Settings(address="127.0.0.1:0", database=Path(sys.argv[1]), grace=0), ready=ready))
"""
    paths = f"{ROOT}:{ROOT / 'clients' / 'python' / 'src'}"
    done = subprocess.run(
        [sys.executable, "-c", program, str(tmp_path / "execsvc.db")],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
        cwd=tmp_path,
        env={"PYTHONPATH": paths, "PATH": "/usr/bin:/bin", "HOME": str(tmp_path)},
    )
    interval, threshold, frozen, loop = json.loads(done.stdout)
    assert interval == pytest.approx(SWITCH_INTERVAL, rel=0.01)
    assert threshold == 50_000
    assert frozen > 10_000
    assert loop.startswith("uvloop")
