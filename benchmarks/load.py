"""A load on a server, from a process of its own: executions over gRPC, each checked for its result."""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import time
import uuid

import grpc

from benchmarks.shape import DEFINITION, expected, given
from execsvc_client import AsyncExecutionClient, to_definition, v1


async def measure(address: str, count: int, in_flight: int, follow: bool) -> float:
    """Have ``count`` executions completed, with so many calls outstanding; answers executions a second.

    The clock stops when the last one has completed. With ``follow`` each call streams its execution's log to the end;
    otherwise Execute's acknowledgement ends it, and the server works through what it has acknowledged.
    """
    definition = to_definition(DEFINITION)
    run = uuid.uuid4().hex[:8]
    async with grpc.aio.insecure_channel(address) as channel:
        stub = v1.ExecutionServiceStub(channel)
        numbers = iter(range(count))

        async def worker() -> None:
            for index in numbers:
                request = v1.ExecuteRequest(execution_id=f"{run}-{index}", definition=definition)
                request.input.update(given(index))
                await stub.Execute(request)
                if follow:
                    last = None
                    async for response in stub.StreamLogs(
                        v1.StreamLogsRequest(execution_id=request.execution_id, follow=True)
                    ):
                        last = response
                    assert last is not None
                    assert last.final_status.state == v1.EXECUTION_STATE_COMPLETED, last

        started = time.perf_counter()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        # What is queued first ends first, but for a few. Asking for each would be timed too.
        unfinished = v1.ListExecutionsRequest(filter="state = PENDING OR state = RUNNING", page_size=1)
        waiting = f"{run}-{count - 1}"
        while waiting:
            async for _ in stub.StreamLogs(v1.StreamLogsRequest(execution_id=waiting, tail=1, follow=True)):
                pass
            listed = (await stub.ListExecutions(unfinished)).executions
            waiting = listed[0].status.execution_id if listed else ""
        elapsed = time.perf_counter() - started
        failed = await stub.ListExecutions(v1.ListExecutionsRequest(filter="state != COMPLETED", page_size=1))
        assert not failed.executions, failed
    async with AsyncExecutionClient(address) as client:
        for index in random.sample(range(count), min(count, 50)):
            execution = await client.get(f"{run}-{index}")
            assert execution.output == expected(index), execution
    return count / elapsed


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    parser.add_argument("--follow", action="store_true")
    arguments = parser.parse_args()
    rate = asyncio.run(measure(arguments.address, arguments.count, arguments.in_flight, arguments.follow))
    print(json.dumps({"per_second": rate}))
