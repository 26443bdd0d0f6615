"""A client that asks for executions until it is killed: ``python -m tests.chaos.dying_client ADDRESS PREFIX``."""

from __future__ import annotations

import asyncio
import sys

import grpc

from execsvc_client import to_definition, v1
from tests.support.workflows import output, transform, workflow

#: Characters of each input; large enough that many requests are only half sent when the end comes.
SIZE = 300_000
DEFINITION = workflow(
    "size > out", size=transform("size(input.text)"), out=output("{'n': input.n, 'size': nodes.size}")
)


async def main(address: str, prefix: str) -> None:
    definition = to_definition(DEFINITION)
    async with grpc.aio.insecure_channel(address) as channel:
        stub = v1.ExecutionServiceStub(channel)

        async def submit(worker: int) -> None:
            number = worker
            while True:
                request = v1.ExecuteRequest(execution_id=f"{prefix}-{number}", definition=definition)
                request.input.update({"n": number, "text": "x" * SIZE})
                await stub.Execute(request)
                number += 8

        async with asyncio.TaskGroup() as group:
            for worker in range(8):
                group.create_task(submit(worker))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
