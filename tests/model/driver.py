"""A real server in an event loop of its own, driven step by step, and what is seen of it from outside."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from execsvc.app import Settings, running
from execsvc.model import ControlAction, ExecutionState, NodeState
from execsvc_client import to_definition, v1
from tests.model.expected import ATTEMPTS, CAPACITY, SHAPES, SLOTS, Shape
from tests.model.nodes import Told, types_and_executors
from tests.support.statuses import refusal
from tests.support.workflows import node, output, transform, workflow

T = TypeVar("T")


def definition_of(shape: Shape) -> v1.WorkflowDefinition:
    """The workflow of a shape."""
    nodes: dict[str, dict[str, Any]] = {}
    for name in shape.edges:
        if name in shape.told:
            nodes[name] = node("told")
            if name in shape.retried:
                nodes[name]["retry"] = {"max_attempts": ATTEMPTS, "initial_backoff": "0.001s"}
            if name in shape.excused:
                nodes[name]["on_error"] = {"action": "continue", "fallback": "fell back"}
        elif name == "check":
            nodes[name] = node("condition", expression="nodes.a == 'yes'")
        else:
            nodes[name] = output("input.n") if name == "out" else transform("1")
    paths = [
        f"{source} >{branch}> {name}" if branch else f"{source} > {name}"
        for name, edges in shape.edges.items()
        for source, branch in edges
    ]
    return to_definition(workflow(*paths, **nodes))


DEFINITIONS: Final = {name: definition_of(shape) for name, shape in SHAPES.items()}


class Driver:
    """Starts, restarts and calls a server on one database."""

    def __init__(self) -> None:
        self._runner = asyncio.Runner()
        self._directory = tempfile.TemporaryDirectory()
        self.told = Told()
        node_types, executors = types_and_executors(self.told)
        self._settings = Settings(
            address="127.0.0.1:0",
            database=Path(self._directory.name) / "execsvc.db",
            max_concurrent=SLOTS,
            max_queued=CAPACITY,
            grace=0.0,
            node_types=node_types,
            executors=executors,
        )
        self._server = AsyncExitStack()
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the loop turn until something is done."""
        return self._runner.run(work)

    async def _start(self) -> None:
        server = await self._server.enter_async_context(running(self._settings))
        channel = await self._server.enter_async_context(grpc.aio.insecure_channel(server.address))
        self._stub = v1.ExecutionServiceStub(channel)

    async def restart(self) -> None:
        """Take the server down, cutting off what is under way, and start another on the same database."""
        await self._server.aclose()
        await self._start()

    def close(self) -> None:
        """End everything."""
        self.run(self._server.aclose())
        self._runner.close()
        self._directory.cleanup()

    async def execute(self, execution_id: str, shape: str, *, priority: int, number: int) -> str:
        """Answers the state, or the reason of the refusal."""
        request = v1.ExecuteRequest(
            execution_id=execution_id, definition=DEFINITIONS[shape], priority=priority, input={"n": number}
        )
        return await _answer(self._stub.Execute(request))

    async def control(
        self, execution_id: str, action: ControlAction, *, request_id: str = "", expected: ExecutionState | None = None
    ) -> str:
        """Answers the state, or the reason of the refusal."""
        request = v1.ControlRequest(execution_id=execution_id, request_id=request_id)
        getattr(request, action).SetInParent()
        if expected is not None:
            request.expected_state = v1.ExecutionState.Value(f"EXECUTION_STATE_{expected}")
        return await _answer(self._stub.Control(request))

    async def delete(self, execution_id: str) -> str:
        """Answers the empty text, or the reason of the refusal."""
        return await _answer(self._stub.DeleteExecution(v1.DeleteExecutionRequest(execution_id=execution_id)))

    async def record(self, execution_id: str) -> v1.Execution | None:
        """The record; None if there is none."""
        request = v1.GetExecutionRequest(execution_id=execution_id, view=v1.EXECUTION_VIEW_FULL)
        try:
            return (await self._stub.GetExecution(request)).execution
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.NOT_FOUND:
                return None
            raise

    async def log(self, execution_id: str) -> list[v1.LogEntry]:
        """The whole log."""
        entries: list[v1.LogEntry] = []
        token = ""
        while True:
            page = await self._stub.ListLogs(
                v1.ListLogsRequest(execution_id=execution_id, page_size=1000, page_token=token)
            )
            entries += page.entries
            token = page.next_page_token
            if not token:
                return entries


def state_of(status: v1.ExecutionStatus) -> ExecutionState:
    """The state a status tells."""
    return ExecutionState(v1.ExecutionState.Name(status.state).removeprefix("EXECUTION_STATE_"))


def journal_of(record: v1.Execution) -> dict[str, tuple[NodeState, int]]:
    """State and attempt of each node."""
    return {
        run.node_id: (NodeState(v1.NodeState.Name(run.state).removeprefix("NODE_STATE_")), run.attempt)
        for run in record.nodes
    }


async def _answer(call: Awaitable[Any]) -> str:
    try:
        answer = await call
    except grpc.aio.AioRpcError as error:
        return (await refusal(_raised(error))).info.reason
    return "" if isinstance(answer, v1.DeleteExecutionResponse) else state_of(answer.status)


async def _raised(error: grpc.aio.AioRpcError) -> None:
    raise error
