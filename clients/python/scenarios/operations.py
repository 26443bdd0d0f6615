"""The operations of scenarios, each on either client, as documents."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import Any

from clients.python.scenarios import documents
from clients.python.scenarios.clients import AnyClient


class Problem(Exception):
    """A step did not do what it should."""


class Progress:
    """How far an operation in the background is."""

    def __init__(self) -> None:
        self.reading: documents.LogReading | documents.WatchReading | None = None
        self.changed = asyncio.Event()


Arguments = dict[str, Any]
Operation = Callable[[AnyClient, Arguments, Progress], Awaitable[dict[str, Any]]]


async def _execute(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return documents.message((await client.call("execute", **arguments)).raw)


async def _get(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return documents.execution(await client.call("get", **arguments))


async def _wait(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    own = client.alone()
    try:
        return documents.execution(await own.call("wait", **arguments))
    finally:
        await own.close()


async def _logs(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    stop_after = arguments.pop("stop_after", None)
    stream = client.iterate("logs", **arguments)
    reading = progress.reading = documents.LogReading()
    async with aclosing(client.items(stream)) as items:
        async for entry in items:
            reading.add(entry)
            progress.changed.set()
            if reading.count == stop_after:
                break
    return reading.streamed(stream)


async def _watch(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    stop_after = arguments.pop("stop_after", None)
    stream = client.iterate("watch", **arguments)
    reading = progress.reading = documents.WatchReading()
    async with aclosing(client.items(stream)) as items:
        async for snapshot in items:
            reading.add(snapshot)
            progress.changed.set()
            if reading.count == stop_after:
                break
    return reading.streamed(stream)


async def _list_logs(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    reading = documents.LogReading()
    async for entry in client.items(client.iterate("list_logs", **arguments)):
        reading.add(entry)
    return reading.listed()


async def _list(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    limit = arguments.pop("limit", None)
    ids: list[str] = []
    async with aclosing(client.items(client.iterate("list_executions", **arguments))) as items:
        async for execution in items:
            ids.append(execution.execution_id)
            if len(ids) == limit:
                break
    return {"count": len(ids), "ids": ids}


async def _list_page(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    page = await client.call("list_executions_page", **arguments)
    return {"ids": [item.execution_id for item in page.items], "next_page_token": page.next_token}


async def _delete(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    await client.call("delete", **arguments)
    return {}


async def _validate(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return documents.message((await client.call("validate", **arguments)).raw)


async def _create_workflow(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    workflow = await client.call("create_workflow", **arguments)
    return documents.message(workflow.raw) | {"created": workflow.created}


async def _get_workflow(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return documents.message((await client.call("get_workflow", **arguments)).raw)


async def _list_workflows(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    versions = [item.version async for item in client.items(client.iterate("list_workflows", **arguments))]
    return {"count": len(versions), "versions": versions}


async def _node_types(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return {"names": [kind.name for kind in await client.call("node_types")]}


async def _server_info(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
    return documents.message((await client.call("server_info")).raw)


def _status(method: str) -> Operation:
    async def run(client: AnyClient, arguments: Arguments, progress: Progress) -> dict[str, Any]:
        return documents.message((await client.call(method, **arguments)).raw)

    return run


OPERATIONS: Mapping[str, Operation] = {
    "create_workflow": _create_workflow,
    "delete": _delete,
    "execute": _execute,
    "get": _get,
    "get_workflow": _get_workflow,
    "list": _list,
    "list_logs": _list_logs,
    "list_page": _list_page,
    "list_workflows": _list_workflows,
    "logs": _logs,
    "node_types": _node_types,
    "server_info": _server_info,
    "validate": _validate,
    "wait": _wait,
    "watch": _watch,
    **{name: _status(name) for name in ("pause", "resume", "retry", "status", "stop")},
}


async def ask_lab(url: str, body: Any = None) -> Any:
    """Ask the lab, with a POST where there is a body.

    Raises:
        Problem: it cannot do that.
    """
    content = None if body is None else json.dumps(body).encode()

    def ask() -> Any:
        try:
            with urllib.request.urlopen(urllib.request.Request(url, data=content), timeout=100) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            with error:
                raise Problem(f"the lab answered {error.code}: {error.read().decode()}") from None

    return await asyncio.to_thread(ask)
