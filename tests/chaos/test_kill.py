"""kill -9 of a real server process: nothing acknowledged is lost, and what is recorded never runs again."""

from __future__ import annotations

import asyncio
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from execsvc_client import AsyncExecutionClient
from tests.servers import ChatServer
from tests.support.logs import story
from tests.support.processes import ServerProcess, recorded
from tests.support.workflows import node, output, workflow

EXECUTIONS = 200
NODES = [f"n{i}" for i in range(5)]
#: Requests to the model after which the server is killed, of 1,000 there will be at least. The first kill comes while
#: executions are still being submitted.
MOMENTS = (5, 350, 750)


def _chain(base_url: str) -> dict[str, Any]:
    """Five calls of a model, each with what the one before answered; a prompt names its execution and its node."""
    nodes = {
        name: node(
            "llm",
            model="openai:ok",
            base_url=base_url,
            prompt="{{execution.id}}/" + name,
            # A connection that died with the server process is nobody's failure.
            retry={"max_attempts": 3, "initial_backoff": "0.05s"},
        )
        for name in NODES
    }
    return workflow(
        " > ".join([*NODES, "out"]), **nodes, out=output("[" + ", ".join(f"nodes.{n}" for n in NODES) + "]")
    )


@pytest.mark.timeout(170)
async def test_after_three_kills_all_complete_and_no_recorded_node_ran_twice(tmp_path: Path) -> None:
    database = tmp_path / "execsvc.db"
    #: How often prompts were asked whose node had no recorded result when a kill came, and those that had one.
    excused: Counter[str] = Counter()
    settled: dict[str, int] = {}
    acknowledged: set[str] = set()
    #: Executions that the kill left unfinished.
    unfinished = 0
    with ChatServer(tmp_path / "requests.jsonl", delay=0.2) as chat:
        definition = _chain(chat.base_url)
        for moment in MOMENTS:
            with ServerProcess(database, "--max-concurrent", str(EXECUTIONS)) as server:
                assert server.recovered == unfinished
                await _submit(server.address, definition, acknowledged, chat, moment)
                server.kill()
            # The journal as the kill left it: read before anybody can write again.
            journal = recorded(database)
            assert acknowledged <= set(journal)
            unfinished = sum(len(nodes) < len(NODES) + 1 for nodes in journal.values())
            asked = chat.prompts()
            for prompt, times in asked.items():
                execution_id, node_id = prompt.split("/")
                # On disk before anything that depends on it starts.
                assert set(NODES[: NODES.index(node_id)]) <= journal[execution_id]
                if node_id in journal[execution_id]:
                    assert settled.setdefault(prompt, times) == times
                else:
                    excused[prompt] = times
        before = chat.prompts()
        assert sum(before.values()) < EXECUTIONS * len(NODES), "the last kill came too late to interrupt anything"
        with ServerProcess(database, "--max-concurrent", str(EXECUTIONS)) as server:
            async with AsyncExecutionClient(server.address) as client:
                await asyncio.gather(*(_check(client, execution_id) for execution_id in sorted(acknowledged)))
            server.terminate()
            assert await asyncio.to_thread(server.wait) == 0
        asked = chat.prompts()
    assert len(acknowledged) == EXECUTIONS
    assert set(asked) == {f"{execution_id}/{name}" for execution_id in acknowledged for name in NODES}
    repeated = {prompt: times for prompt, times in asked.items() if times > 1}
    assert {prompt: times for prompt, times in repeated.items() if times > 1 + excused[prompt]} == {}
    assert {prompt: asked[prompt] for prompt in settled} == settled
    # The kills did come in the middle of something.
    assert excused
    assert settled


async def _submit(
    address: str, definition: dict[str, Any], acknowledged: set[str], chat: ChatServer, moment: int
) -> None:
    """Keep what is not yet acknowledged coming until the model was asked so often."""
    async with AsyncExecutionClient(address) as client:

        async def submit(number: int) -> None:
            status = await client.execute(definition, {"n": number}, execution_id=f"e{number}")
            acknowledged.add(status.execution_id)

        missing = [number for number in range(EXECUTIONS) if f"e{number}" not in acknowledged]
        submitting = asyncio.gather(*(submit(number) for number in missing))
        while (await asyncio.to_thread(lambda: sum(chat.prompts().values()))) < moment:
            await client.server_info()
            if submitting.done():
                await submitting
        if moment == MOMENTS[-1]:
            await submitting
        submitting.cancel()
        await asyncio.gather(submitting, return_exceptions=True)


async def _check(client: AsyncExecutionClient, execution_id: str) -> None:
    execution = await client.wait(execution_id)
    assert execution.state == "COMPLETED", execution.error
    assert execution.output == [f"{execution_id}/{name}" for name in NODES]
    told = await story(client, execution_id)
    assert told[0] == "queued"
    assert told[-1] == "completed"
    assert [event for event in told if event.endswith(":completed")] == [
        f"{name}:completed" for name in [*NODES, "out"]
    ]
