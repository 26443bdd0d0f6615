"""A process that writes to a store until it is killed: ``python -m tests.support.store_writer FILE``.

Prints a line for each change once its future is done: ``created ID`` or ``logged ID SEQUENCE``.
"""

from __future__ import annotations

import asyncio
import os
import sys

from execsvc.model import NodeRun, NodeState
from execsvc.store import SqliteStore
from tests.support.changes import claim, create, entries, update

#: Executions written at once.
WRITERS = 8


def acknowledge(line: str) -> None:
    os.write(1, f"{line}\n".encode())


async def write(store: SqliteStore, number: int) -> None:
    round_ = 0
    while True:
        round_ += 1
        execution_id = f"{os.getpid()}.{number}.{round_}"
        creating, claiming = store.create(create(execution_id)), store.update(claim(execution_id))
        await creating
        acknowledge(f"created {execution_id}")
        await claiming
        for i in range(5):
            node = NodeRun(node_id=f"n{i}", state=NodeState.COMPLETED, output=b"%d" % i)
            change = update(execution_id, epoch=1, nodes=(node,), entries=entries(f"n{i}", "x" * 1000))
            sequence = (await store.update(change)).status.last_sequence
            acknowledge(f"logged {execution_id} {sequence}")


async def main(path: str) -> None:
    store = await SqliteStore.open(path)
    acknowledge("opened")
    async with asyncio.TaskGroup() as group:
        for number in range(WRITERS):
            group.create_task(write(store, number))


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1]))
