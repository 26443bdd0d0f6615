"""What benchmarks put into a database by SQL reads through the API as if a server had run it."""

from __future__ import annotations

from benchmarks.fill import copies, long_log
from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.support.workflows import ECHO


async def run_two(client: AsyncExecutionClient) -> None:
    for name in ("seed-0", "seed-1"):
        await client.execute(ECHO, {"name": name}, execution_id=name, labels={"team": name})
        await client.wait(name)


async def test_copies_have_all_that_their_originals_have(start_server: StartServer) -> None:
    async with start_server() as client:
        await run_two(client)
    copies(start_server.settings.database, 5)
    async with start_server() as client:
        listed = [execution.execution_id async for execution in client.list_executions()]
        assert listed == ["seed-1", "seed-0", "copy-0", "copy-1", "copy-2", "copy-3", "copy-4"]
        labelled = [execution.execution_id async for execution in client.list_executions('labels.team = "seed-1"')]
        assert labelled == ["seed-1", "copy-1", "copy-3"]
        original, copy = await client.get("seed-1"), await client.get("copy-3")
        assert (copy.input, copy.output, copy.labels) == (original.input, original.output, original.labels)
        assert copy.nodes.keys() == original.nodes.keys()
        messages = [[entry.message async for entry in client.logs(name)] for name in ("seed-1", "copy-3")]
        assert messages[0] == messages[1]
        # What is new gets along with what was copied.
        await client.execute(ECHO, {"name": "new"}, execution_id="new")
        assert (await client.wait("new")).output == {"name": "new"}


async def test_copies_of_some_leave_out_the_others(start_server: StartServer) -> None:
    async with start_server() as client:
        await run_two(client)
    copies(start_server.settings.database, 2, only="seed-0")
    async with start_server() as client:
        assert [(await client.get(name)).input for name in ("copy-0", "copy-1")] == [{"name": "seed-0"}] * 2


async def test_a_long_log_has_no_gaps_and_ends_as_it_did(start_server: StartServer) -> None:
    async with start_server() as client:
        await run_two(client)
        before = [entry.message async for entry in client.logs("seed-0")]
    long_log(start_server.settings.database, "seed-0", 500)
    async with start_server() as client:
        entries = [entry async for entry in client.logs("seed-0")]
        assert [entry.sequence for entry in entries] == list(range(1, 501))
        assert [entry.message for entry in (entries[0], entries[-1])] == [before[0], before[-1]]
