"""Wait for what the log says, and check that it is whole."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from execsvc_client import AsyncExecutionClient, LogEntry


async def until_logged(client: AsyncExecutionClient, execution_id: str, *events: str, node_id: str = "") -> LogEntry:
    """Follow the log until each of the events has come once, in any order; answers the entry of the last."""
    waiting = list(events)
    async with client.logs(execution_id, node_id=node_id, follow=True) as log:
        async for entry in log:
            if entry.metadata.get("event") in waiting:
                waiting.remove(entry.metadata["event"])
                if not waiting:
                    return entry
    raise AssertionError(f"{execution_id} ended without {waiting}: {await story(client, execution_id)}")


async def entries(client: AsyncExecutionClient, execution_id: str, **filter: Any) -> list[LogEntry]:
    """The log as it is now."""
    return [entry async for entry in client.list_logs(execution_id, **filter)]


async def story(client: AsyncExecutionClient, execution_id: str) -> list[str]:
    """The log in short: ``event`` of the execution, ``node:event`` of nodes; checks that it has no gaps."""
    found = await entries(client, execution_id)
    assert [entry.sequence for entry in found] == list(range(1, len(found) + 1))
    return [told(entry) for entry in found]


def told(entry: LogEntry) -> str:
    """An entry in short."""
    event = str(entry.metadata.get("event", entry.message)).removeprefix("execution_").removeprefix("node_")
    return f"{entry.node_id}:{event}" if entry.node_id else event


async def follow_until(
    client: AsyncExecutionClient, execution_id: str, found: Callable[[LogEntry], bool], **filter: Any
) -> LogEntry:
    """Follow the log until an entry fits."""
    async with client.logs(execution_id, follow=True, **filter) as log:
        async for entry in log:
            if found(entry):
                return entry
    raise AssertionError("the execution ended without such an entry")
