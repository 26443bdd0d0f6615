"""kill -9 in the middle of a call over HTTP: it is made again under the key it had, and what is recorded is not."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from execsvc_client import AsyncExecutionClient
from tests.servers.answers import Asked, answering, sends
from tests.support.processes import ServerProcess, recorded
from tests.support.workflows import node, output, workflow


@pytest.mark.timeout(120)
async def test_a_call_that_a_kill_cut_off_is_made_again_under_its_key_and_no_other(tmp_path: Path) -> None:
    database = tmp_path / "execsvc.db"
    pays = asyncio.Event()
    paid = sends('"done"', Content_Type="application/json")

    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        # The first try to pay has its effect, and its answer never arrives; the one before it failed.
        tries = [request for request in server.requests if "/pay " in request.line]
        if "/pay " in asked.line and len(tries) == 1:
            await sends("", status="503 Down")(asked, writer)
        elif "/pay " in asked.line and len(tries) == 2:
            pays.set()
            await asyncio.Event().wait()
        else:
            await paid(asked, writer)

    async with answering(answer) as server:
        nodes = {name: node("http", url=f"{server.url}/{name}", method="POST") for name in ("order", "pay", "ship")}
        nodes["pay"]["retry"] = {"max_attempts": 3, "initial_backoff": "0.01s"}
        definition = workflow("order > pay > ship > out", **nodes, out=output("nodes.ship.body"))
        with await asyncio.to_thread(ServerProcess, database) as first:
            async with AsyncExecutionClient(first.address) as client:
                await client.execute(definition, execution_id="e")
                await pays.wait()
            first.kill()
        assert recorded(database) == {"e": {"order"}}
        with await asyncio.to_thread(ServerProcess, database) as second:
            async with AsyncExecutionClient(second.address) as client:
                execution = await client.wait("e")

    assert (execution.state, execution.output) == ("COMPLETED", "done"), execution.error
    keys = [(asked.line.split()[1], asked.headers["idempotency-key"]) for asked in server.requests]
    uid = execution.uid
    assert keys == [("/order", f"{uid}/order/1"), *[("/pay", f"{uid}/pay/1")] * 3, ("/ship", f"{uid}/ship/1")]
