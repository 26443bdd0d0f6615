"""A project of somebody else that uses the installed client, checked with ``mypy --strict`` and run."""

from __future__ import annotations

import asyncio
import sys
from importlib.metadata import version

from execsvc_client import AsyncExecutionClient, ExecsvcError, ExecutionClient, NotFound, v1

DOUBLE = {
    "nodes": [
        {"id": "start", "type": "input"},
        {"id": "twice", "type": "transform", "config": {"expression": "input.n * 2"}},
        {"id": "end", "type": "output"},
    ],
    "edges": [{"source": "start", "target": "twice"}, {"source": "twice", "target": "end"}],
}


def blocking(target: str) -> object:
    """Run a workflow, read its log, and meet an error."""
    with ExecutionClient(target) as client:
        status = client.execute(DOUBLE, {"n": 21})
        with client.logs(status.execution_id, follow=True) as log:
            entries = [entry.message for entry in log]
        execution = client.wait(status.execution_id, timeout=60)
        assert len(entries) == log.last_sequence, entries
        assert execution.raw.status.state == v1.EXECUTION_STATE_COMPLETED
        try:
            client.status("no-such-execution")
        except NotFound as error:
            return execution.output if error.reason == "EXECUTION_NOT_FOUND" else error.reason
        return "an execution that is not there was found"


async def with_asyncio(target: str) -> object:
    """The same with the other client."""
    async with AsyncExecutionClient(target) as client:
        status = await client.execute(DOUBLE, {"n": 21})
        seen = [snapshot.state async for snapshot in client.watch(status.execution_id)]
        assert seen[-1] == "COMPLETED", seen
        return (await client.get(status.execution_id)).output


def main() -> int:
    """Do both; 0 if all is as it should be."""
    try:
        outputs = [blocking(sys.argv[1]), asyncio.run(with_asyncio(sys.argv[1]))]
    except ExecsvcError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return 1
    print(f"execsvc-client {version('execsvc-client')}, outputs {outputs}")
    return 0 if outputs == [42, 42] else 1


if __name__ == "__main__":
    sys.exit(main())
