"""Clients that die, and clients that do not read: neither harms the server, its memory, or an execution."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import grpc
import pytest

from execsvc_client import AsyncExecutionClient, NotFound, to_definition, v1
from tests.chaos.dying_client import SIZE
from tests.integration.conftest import Stubs
from tests.support.logs import story
from tests.support.nodes import Gates
from tests.support.processes import ROOT, ServerProcess
from tests.support.workflows import chain, output, transform, workflow

READERS = 1_000
CHANNELS = 20
NODES = 3_000


async def stored(client: AsyncExecutionClient, execution_id: str) -> bool:
    """Whether there is such an execution."""
    try:
        await client.status(execution_id)
    except NotFound:
        return False
    return True


async def test_what_a_client_that_is_killed_has_asked_for_is_stored_whole_or_not_at_all(tmp_path: Path) -> None:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "clients/python/src")])}
    with ServerProcess(tmp_path / "execsvc.db") as server:
        async with AsyncExecutionClient(server.address) as client:
            for life in range(3):
                command = [sys.executable, "-m", "tests.chaos.dying_client", server.address, f"life{life}"]
                process = await asyncio.to_thread(subprocess.Popen, command, cwd=ROOT, env=environment)
                try:
                    while not await stored(client, f"life{life}-5"):
                        assert process.poll() is None
                finally:
                    process.kill()
                    await asyncio.to_thread(process.wait)
            found = [execution async for execution in client.list_executions(page_size=1_000)]
            assert {execution.execution_id.split("-")[0] for execution in found} == {"life0", "life1", "life2"}
            for execution in found:
                ended = await client.wait(execution.execution_id)
                assert ended.output == {"n": int(execution.execution_id.split("-")[1]), "size": SIZE}
                assert (await story(client, execution.execution_id))[-1] == "completed"


async def test_a_call_given_up_at_any_moment_leaves_an_execution_that_runs_or_none(
    client: AsyncExecutionClient, stubs: Stubs, gates: Gates
) -> None:
    gates.open("a")
    definition = to_definition(chain("a"))
    calls = []
    for number in range(100):
        request = v1.ExecuteRequest(execution_id=f"e{number}", definition=definition)
        calls.append(asyncio.ensure_future(stubs.executions.Execute(request)))
        # Each call gets one turn of the loop more than the one before it.
        for _ in range(number % 25):
            await asyncio.sleep(0)
        calls[-1].cancel()
    answers = await asyncio.gather(*calls, return_exceptions=True)
    found = [execution.execution_id async for execution in client.list_executions(page_size=1_000)]
    for name in found:
        assert (await client.wait(name)).output == "a"
    # Whoever gave up may ask again, and gets the one that is there.
    for number in range(100):
        status = await client.execute(definition, execution_id=f"e{number}")
        assert (await client.wait(status.execution_id)).output == "a"
    assert gates.entries["a"] == 100
    assert len(answers) == 100


def resident(process: subprocess.Popen[Any]) -> int:
    """Bytes of memory a process holds."""
    for line in Path(f"/proc/{process.pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the process has no memory")


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads /proc")
async def test_a_thousand_readers_that_read_nothing_cost_bounded_memory_and_delay_nobody(tmp_path: Path) -> None:
    # 3,000 entries of about 400 bytes: 1,000 times that would be 1.2 GB.
    names = [f"n{i:04}" for i in range(NODES)]
    nodes = {name: transform("1", name="x" * 200) for name in names}
    definition = workflow(*(f"{name} > out" for name in names), **nodes, out=output("1"))
    with ServerProcess(tmp_path / "execsvc.db") as server:
        async with AsyncExecutionClient(server.address) as client, AsyncExitStack() as stack:
            await client.execute(definition, execution_id="long")
            assert (await client.wait("long")).state == "COMPLETED"
            # A window that does not grow: nothing but it is sent to a client that does not read.
            options = [
                ("grpc.use_local_subchannel_pool", 1),
                ("grpc.http2.bdp_probe", 0),
                ("grpc.http2.lookahead_bytes", 65535),
            ]
            channels = [
                await stack.enter_async_context(grpc.aio.insecure_channel(server.address, options))
                for _ in range(CHANNELS)
            ]
            before = resident(server.process)
            readers = []
            for number in range(READERS):
                stub = v1.ExecutionServiceStub(channels[number % CHANNELS])
                readers.append(stub.StreamLogs(v1.StreamLogsRequest(execution_id="long", follow=True)))
            await asyncio.gather(*(reader.wait_for_connection() for reader in readers))
            # Others are served as ever.
            for number in range(20):
                await client.execute(definition, {"n": number}, execution_id=f"e{number}")
            for number in range(20):
                assert (await client.wait(f"e{number}")).state == "COMPLETED"
            grown = resident(server.process) - before
            print(f"{grown / 2**20:.0f} MiB more for {READERS} readers that read nothing")
            assert grown < 400 * 2**20
            # And a reader that does read gets everything, however late.
            entries = 0
            async for response in readers[0]:
                entries += len(response.entries)
            assert entries == NODES + 4
            for reader in readers:
                reader.cancel()
