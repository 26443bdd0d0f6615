"""A database that cannot be written for a while: clients are told, what runs waits, and then it all goes on."""

from __future__ import annotations

import asyncio
import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import grpc
import pytest

from execsvc.definition import Builder, NodeType
from execsvc.engine import builtin_executors
from execsvc.store.sqlite import store as store_module
from execsvc_client import AsyncExecutionClient, to_definition, v1
from tests.integration.conftest import StartServer
from tests.support.logs import story, until_logged
from tests.support.nodes import Gates
from tests.support.processes import ServerProcess
from tests.support.statuses import Refusal, refusal
from tests.support.workflows import ECHO, chain, node, output, workflow

#: More than fits into the free space of pages that are there already.
LARGE = "x" * 100_000


@pytest.fixture
def writing(monkeypatch: pytest.MonkeyPatch) -> list[sqlite3.Connection]:
    """The connections of the servers' writers, oldest first."""
    made: list[sqlite3.Connection] = []
    opened = store_module._opened

    def open_and_keep(path: Path) -> sqlite3.Connection:
        made.append(opened(path))
        return made[-1]

    monkeypatch.setattr(store_module, "_opened", open_and_keep)
    return made


def fill(db: sqlite3.Connection) -> None:
    """Let the file grow no further, as a full disk would."""
    (pages,) = db.execute("PRAGMA page_count").fetchone()
    db.execute(f"PRAGMA max_page_count = {pages}")


def make_room(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA max_page_count = 1073741823")


def make_read_only(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA query_only = ON")


def make_writable(db: sqlite3.Connection) -> None:
    db.execute("PRAGMA query_only = OFF")


async def refused_execute(stub: v1.ExecutionServiceAsyncStub, execution_id: str) -> Refusal:
    request = v1.ExecuteRequest(execution_id=execution_id, definition=to_definition(ECHO))
    request.input["text"] = LARGE
    return await refusal(stub.Execute(request))


@pytest.mark.parametrize(
    ("break_it", "mend_it", "code", "reason"),
    [
        (fill, make_room, grpc.StatusCode.RESOURCE_EXHAUSTED, "STORAGE_FULL"),
        (make_read_only, make_writable, grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE"),
    ],
    ids=["full", "read-only"],
)
async def test_clients_are_told_that_nothing_can_be_written_and_what_runs_goes_on_once_it_can(
    writing: list[sqlite3.Connection],
    start_server: StartServer,
    gates: Gates,
    break_it: Callable[[sqlite3.Connection], None],
    mend_it: Callable[[sqlite3.Connection], None],
    code: grpc.StatusCode,
    reason: str,
) -> None:
    async with start_server() as client, grpc.aio.insecure_channel(start_server.address) as channel:
        stub = v1.ExecutionServiceStub(channel)
        await client.execute(chain("a", "b", value=LARGE), execution_id="runs")
        await until_logged(client, "runs", "node_started")
        break_it(writing[0])
        gates.open("a", "b")
        await gates.left("a")
        for number in range(20):
            refused = await refused_execute(stub, f"refused{number}")
            assert (refused.code, refused.info.reason) == (code, reason)
            assert refused.by_kind["RetryInfo"].retry_delay.seconds > 0
        # Reading goes on; and nothing that depends on what is not on disk has started.
        assert (await client.status("runs")).state == "RUNNING"
        assert gates.entries["b"] == 0
        mend_it(writing[0])
        execution = await client.wait("runs")
        assert execution.state == "COMPLETED"
        assert execution.output == LARGE
        assert gates.entries == {"a": 1, "b": 1}
        await client.execute(ECHO, {"n": 1}, execution_id="next")
        assert (await client.wait("next")).output == {"n": 1}
        assert await story(client, "runs") == [
            *("queued", "running", "a:started", "a:completed", "b:started", "b:completed", "out:completed", "completed")
        ]
        assert [found.execution_id async for found in client.list_executions()] == ["next", "runs"]


async def test_a_control_that_cannot_be_written_changes_nothing(
    writing: list[sqlite3.Connection], start_server: StartServer, gates: Gates
) -> None:
    async with start_server() as client, grpc.aio.insecure_channel(start_server.address) as channel:
        stub = v1.ExecutionServiceStub(channel)
        await client.execute(chain("a", "b"), execution_id="e")
        await until_logged(client, "e", "node_started")
        make_read_only(writing[0])
        for action in ("pause", "stop"):
            request = v1.ControlRequest(execution_id="e")
            getattr(request, action).SetInParent()
            assert (await refusal(stub.Control(request))).code is grpc.StatusCode.UNAVAILABLE
        make_writable(writing[0])
        gates.open("a", "b")
        assert (await client.wait("e")).state == "COMPLETED"
        assert gates.cancelled == {}


async def test_an_execution_that_cannot_be_run_ends_even_if_that_cannot_be_written_at_first(
    writing: list[sqlite3.Connection], start_server: StartServer, gates: Gates, caplog: pytest.LogCaptureFixture
) -> None:
    broken = False

    def build(config: Mapping[str, Any], builder: Builder) -> None:
        if broken:
            # The lease is taken, and what follows cannot be written.
            make_read_only(writing[-1])
            raise ValueError("this version of the plug-in has no such config")

    kind = NodeType(name="fickle", description="", config_schema={"type": "object"}, effect=False, compile=build)
    executors = start_server.settings.executors
    fickle = {
        "node_types": start_server.settings.node_types.extended([kind]),
        "executors": lambda: {**executors(), "fickle": builtin_executors()["transform"]},
    }
    async with start_server(**fickle, max_concurrent=1) as client:
        await client.execute(chain("a"), execution_id="first", priority=1)
        await gates.entered("a")
        await client.execute(workflow("x > out", x=node("fickle"), out=output("1")), execution_id="broken")
    broken = True
    gates.open("a")
    async with start_server(**fickle, max_concurrent=1) as client:
        while "cannot end execution broken" not in caplog.text:
            assert not (await client.status("broken")).state.terminal
        make_writable(writing[-1])
        execution = await client.wait("broken")
        assert execution.error is not None
        assert execution.error.type == "DEFINITION_UNUSABLE"
        assert (await story(client, "broken"))[-1] == "failed"


async def test_somebody_elses_lock_delays_writes_and_is_told_when_it_lasts(
    start_server: StartServer, gates: Gates
) -> None:
    async with start_server() as client, grpc.aio.insecure_channel(start_server.address) as channel:
        stub = v1.ExecutionServiceStub(channel)
        await client.execute(chain("a"), execution_id="runs")
        await until_logged(client, "runs", "node_started")
        other = sqlite3.connect(start_server.settings.database, isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        gates.open("a")
        refused = await refused_execute(stub, "refused")
        assert (refused.code, refused.info.reason) == (grpc.StatusCode.UNAVAILABLE, "STORAGE_UNAVAILABLE")
        assert (await client.status("runs")).state == "RUNNING"
        other.execute("ROLLBACK")
        other.close()
        assert (await client.wait("runs")).state == "COMPLETED"


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of its own, of 8 MiB."""
    if os.geteuid() or shutil.which("mount") is None:
        pytest.skip("only root can mount")
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", place], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"cannot mount: {mounted.stderr.decode()}")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


async def test_a_server_survives_a_full_disk_and_loses_nothing_it_has_acknowledged(small_disk: Path) -> None:
    waits = node("llm", model="echo:", prompt="{{input.n}}", parameters={"delay": 0.01})
    definition = to_definition(
        workflow("a > b > out", a=waits, b=waits, out=output("[nodes.b, string(size(input.text))]"))
    )
    acknowledged: list[int] = []

    async def submit(stub: v1.ExecutionServiceAsyncStub, number: int) -> None:
        request = v1.ExecuteRequest(execution_id=f"e{number}", definition=definition)
        request.input.update({"n": str(number), "text": LARGE})
        await stub.Execute(request)
        acknowledged.append(number)

    async def submit_until_refused(stub: v1.ExecutionServiceAsyncStub) -> None:
        for number in range(200):
            await submit(stub, number)

    with ServerProcess(small_disk / "execsvc.db", "--max-concurrent", "10", "--grace", "0") as server:
        async with grpc.aio.insecure_channel(server.address) as channel, AsyncExecutionClient(server.address) as client:
            stub = v1.ExecutionServiceStub(channel)
            # 200 are 20 MB: more than there is room for.
            refused = await refusal(submit_until_refused(stub))
            assert refused.code is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert refused.info.reason == "STORAGE_FULL"
            assert refused.by_kind["RetryInfo"].retry_delay.seconds > 0
            assert acknowledged
            assert (await client.status(f"e{acknowledged[0]}")).execution_id == "e0"
            await asyncio.to_thread(subprocess.run, ["mount", "-o", "remount,size=128m", small_disk], check=True)
            await submit(stub, 1_000)
            for number in acknowledged:
                execution = await client.wait(f"e{number}")
                assert execution.output == [str(number), str(len(LARGE))]
                told = await story(client, f"e{number}")
                assert [event for event in told if event.endswith(":started")] == ["a:started", "b:started"]
            found = [execution.execution_id async for execution in client.list_executions(page_size=1_000)]
            assert sorted(found) == sorted(f"e{number}" for number in acknowledged)
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0
    db = sqlite3.connect(small_disk / "execsvc.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()
