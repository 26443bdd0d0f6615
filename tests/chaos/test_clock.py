"""A clock that is set back, by an hour and while executions run: nothing hangs, and no end comes before its start."""

from __future__ import annotations

import time

import pytest

from execsvc import clock as clock_module
from execsvc_client import AsyncExecutionClient, Execution
from tests.integration.conftest import StartServer
from tests.support.logs import story
from tests.support.nodes import Gates
from tests.support.workflows import chain, gate, output, workflow

HOUR = 3600 * 1_000_000_000


class SteppingTime:
    """The ``time`` module's clock, with steps."""

    def __init__(self) -> None:
        self.offset = 0

    def time_ns(self) -> int:
        return time.time_ns() + self.offset


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> SteppingTime:
    """The machine's clock as servers of this test see it."""
    stepping = SteppingTime()
    monkeypatch.setattr(clock_module, "time", stepping)
    return stepping


def check_times(execution: Execution) -> None:
    status = execution.status
    assert status.create_time is not None
    assert status.start_time is not None
    assert status.end_time is not None
    assert status.create_time <= status.start_time <= status.end_time
    for run in execution.nodes.values():
        if run.start_time is not None and run.end_time is not None:
            assert run.start_time <= run.end_time


async def finished(client: AsyncExecutionClient, *names: str) -> None:
    for name in names:
        execution = await client.wait(name)
        assert execution.state == "COMPLETED", execution.error
        check_times(execution)
        assert (await story(client, name))[-1] == "completed"


async def test_a_clock_set_back_while_executions_run_stops_none_of_them(
    machine: SteppingTime, start_server: StartServer, gates: Gates
) -> None:
    retried = {"max_attempts": 2, "initial_backoff": "0.01s"}
    fails = workflow("f > out", f=gate("f", fail_with="ONCE", failures=1, retry=retried), out=output())
    async with start_server(max_concurrent=3) as client:
        await client.execute(chain("a", "b"), execution_id="runs", timeout="60s")
        await client.execute(fails, execution_id="fails")
        await client.execute(chain("a", "b"), execution_id="pauses", timeout="60s")
        await client.execute(chain("b"), execution_id="waits")
        await gates.entered("a")
        await gates.entered("f")
        await client.pause("pauses")
        machine.offset -= HOUR
        await client.execute(chain("b"), execution_id="later")
        await client.resume("pauses")
        gates.open("a", "b", "f")
        await finished(client, "runs", "fails", "pauses", "waits", "later")
        found = [execution.execution_id async for execution in client.list_executions(page_size=2)]
        assert sorted(found) == ["fails", "later", "pauses", "runs", "waits"]


async def test_a_clock_set_back_between_two_servers_loses_no_execution(
    machine: SteppingTime, start_server: StartServer, gates: Gates
) -> None:
    async with start_server(max_concurrent=1, grace=0.0) as client:
        await client.execute(chain("a", "b"), execution_id="runs", timeout="60s")
        await client.execute(chain("b"), execution_id="waits", timeout="60s")
        await gates.entered("a")
    machine.offset -= HOUR
    gates.open("a", "b")
    async with start_server(max_concurrent=1) as client:
        await client.execute(chain("b"), execution_id="new")
        await finished(client, "runs", "waits", "new")
        # What was stopped by the older clock can be retried by the newer one.
        await client.execute(chain("never"), execution_id="stopped")
        await gates.entered("never")
        await client.stop("stopped")
    machine.offset -= HOUR
    gates.open("never")
    async with start_server(max_concurrent=1) as client:
        await client.retry("stopped")
        await finished(client, "stopped")
