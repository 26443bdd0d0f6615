"""What a call held is let go of with it, or soon: whole runs of the collector are seldom on a server."""

from __future__ import annotations

import gc
from typing import Any

from execsvc_client import v1
from tests.integration.conftest import Stubs
from tests.support.statuses import refusal

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
