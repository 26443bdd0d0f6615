"""What a call or an execution held is let go of with it, or soon: the collector seldom runs on a server."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

from execsvc.engine.run import ExecutionRun
from execsvc.store.decisions import Decisions
from execsvc_client import AsyncExecutionClient, v1
from tests.integration.conftest import Stubs
from tests.support.statuses import refusal
from tests.support.workflows import ECHO

CALLS = 100


def _contexts() -> int:
    return sum(type(found).__name__ == "_ServicerContext" for found in gc.get_objects())


async def test_nothing_of_a_call_outlives_the_first_look_of_the_collector(stubs: Stubs) -> None:
    async def call(number: int) -> Any:
        await stubs.server.GetServerInfo(v1.GetServerInfoRequest())
        found = await refusal(stubs.executions.GetStatus(v1.GetStatusRequest(execution_id=f"nobody-{number}")))
        assert found.info.reason == "EXECUTION_NOT_FOUND"

    await call(0)
    gc.collect()
    gc.disable()
    try:
        before = _contexts()
        for number in range(CALLS):
            await call(number)
        # gRPC itself ties a call that is aborted to its exception. What has finalizers would be left even so.
        gc.collect(0)
        assert _contexts() - before < CALLS / 10
    finally:
        gc.enable()


async def test_a_run_and_a_batch_of_writes_are_gone_without_the_collector(client: AsyncExecutionClient) -> None:
    async def execute(number: int) -> None:
        await client.execute(ECHO, {"n": number}, execution_id=f"run-{number}")
        assert (await client.wait(f"run-{number}")).output == {"n": number}

    await execute(0)
    gc.collect()
    gc.disable()
    # Servers of other tests may have executions under way.
    before = _left(ExecutionRun, Decisions)
    try:
        for number in range(1, 4):
            await execute(number)
        # The last commit is let go of once those who wait for it were told.
        async with asyncio.timeout(30):
            while _left(ExecutionRun, Decisions) > before:  # noqa: ASYNC110 - nothing tells of it
                await asyncio.sleep(0.01)
    finally:
        gc.enable()


def _left(*kinds: type) -> int:
    return sum(isinstance(found, kinds) for found in gc.get_objects())
