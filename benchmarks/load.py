"""A load on a server, from a process of its own: executions over gRPC, each checked for its result.

On a machine of few cores what the load takes is taken from the server, and in life callers have machines of their own.
So requests are encoded before the clock starts, responses are looked at when it has stopped, and the collector rests in
between; what is left is gRPC's own work for each call.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import random
import time
import uuid
from typing import Any, Final

import grpc
import uvloop

from benchmarks.shape import DEFINITION, expected, given
from execsvc_client import AsyncExecutionClient, to_definition, v1

SERVICE: Final = "/execsvc.v1.ExecutionService"


async def measure(address: str, count: int, in_flight: int, follow: bool) -> dict[str, float]:
    """Have ``count`` executions completed, with so many calls outstanding.

    The clock stops when the last one has completed. With ``follow`` each call streams its execution's log to the end;
    otherwise Execute's acknowledgement ends it, and the server works through what it has acknowledged.

    Returns:
        Executions a second, and the seconds of processor that each took the load.
    """
    definition = to_definition(DEFINITION)
    run = uuid.uuid4().hex[:8]
    calls: list[tuple[bytes, bytes]] = []
    for index in range(count):
        name = f"{run}-{index}"
        request = v1.ExecuteRequest(execution_id=name, definition=definition)
        request.input.update(given(index))
        following = v1.StreamLogsRequest(execution_id=name, follow=True)
        calls.append((request.SerializeToString(), following.SerializeToString()))
    async with grpc.aio.insecure_channel(address) as channel:
        stub = v1.ExecutionServiceStub(channel)
        # Without a serializer the bytes are sent and received as they are.
        execute: Any = channel.unary_unary(f"{SERVICE}/Execute")
        stream_logs: Any = channel.unary_stream(f"{SERVICE}/StreamLogs")
        left = iter(calls)
        ends: list[bytes] = []

        async def worker() -> None:
            for request, following in left:
                await execute(request)
                if follow:
                    end = b""
                    async for response in stream_logs(following):
                        end = response
                    ends.append(end)

        await channel.channel_ready()
        gc.collect()
        gc.disable()
        started, processor = time.perf_counter(), time.process_time()
        await asyncio.gather(*(worker() for _ in range(in_flight)))
        # What is queued first ends first, but for a few. Asking for each would be timed too.
        unfinished = v1.ListExecutionsRequest(filter="state = PENDING OR state = RUNNING", page_size=1)
        waiting = f"{run}-{count - 1}"
        while waiting:
            async for _ in stub.StreamLogs(v1.StreamLogsRequest(execution_id=waiting, tail=1, follow=True)):
                pass
            listed = (await stub.ListExecutions(unfinished)).executions
            waiting = listed[0].status.execution_id if listed else ""
        elapsed, processor = time.perf_counter() - started, time.process_time() - processor
        gc.enable()
        for end in ends:
            last = v1.StreamLogsResponse.FromString(end)
            assert last.final_status.state == v1.EXECUTION_STATE_COMPLETED, last
        failed = await stub.ListExecutions(v1.ListExecutionsRequest(filter="state != COMPLETED", page_size=1))
        assert not failed.executions, failed
    async with AsyncExecutionClient(address) as client:
        for index in random.sample(range(count), min(count, 50)):
            execution = await client.get(f"{run}-{index}")
            assert execution.output == expected(index), execution
    return {"per_second": count / elapsed, "processor": processor / count}


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("address")
    parser.add_argument("count", type=int)
    parser.add_argument("in_flight", type=int)
    parser.add_argument("--follow", action="store_true")
    arguments = parser.parse_args()
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        found = runner.run(measure(arguments.address, arguments.count, arguments.in_flight, arguments.follow))
    print(json.dumps(found))
