"""Real servers in an event loop of their own, driven step by step, and what is seen of them from outside."""

from __future__ import annotations

import asyncio
import json
import tempfile
import time
from collections.abc import Awaitable, Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, TypeVar

import grpc

from execsvc.app import Settings, running
from execsvc.model import ControlAction, ExecutionState, NodeState
from execsvc.store import PostgresDatabase
from execsvc_client import to_definition, v1
from tests.model.expected import ATTEMPTS, CAPACITY, SHAPES, SLOTS, Shape
from tests.model.nodes import Told, types_and_executors
from tests.servers.places import Place
from tests.servers.postgres import shared_server
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


#: Each call goes to the next server.
ROUND_ROBIN: Final = ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]}))


class Driver:
    """Starts, restarts and calls servers on one database."""

    def __init__(self, place: Place) -> None:
        self._runner = asyncio.Runner()
        self._directory = tempfile.TemporaryDirectory()
        self.told = Told()
        node_types, executors = types_and_executors(self.told)
        self._postgres = shared_server().migrated() if place.postgres else None
        self._settings = Settings(
            address="127.0.0.1:0",
            database=Path(self._directory.name) / "execsvc.db",
            postgres=PostgresDatabase(url=self._postgres) if self._postgres else None,
            max_concurrent=SLOTS // place.servers,
            max_queued=CAPACITY,
            grace=0.0,
            node_types=node_types,
            executors=executors,
        )
        self._servers = [AsyncExitStack() for _ in range(place.servers)]
        self._addresses = [""] * place.servers
        self._channel = AsyncExitStack()
        #: When pauses were answered, by execution id; microseconds.
        self.paused: dict[str, list[int]] = {}
        self.run(self._start())

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Let the loop turn until something is done."""
        return self._runner.run(work)

    async def _start(self) -> None:
        for number in range(len(self._servers)):
            await self._start_server(number)
        await self._connect()

    async def _start_server(self, number: int) -> None:
        server = await self._servers[number].enter_async_context(running(self._settings))
        self._addresses[number] = server.address

    async def _connect(self) -> None:
        """Connect to all of them, and wait until each has been reached."""
        channel = grpc.aio.insecure_channel("ipv4:" + ",".join(self._addresses), [ROUND_ROBIN])
        await self._channel.enter_async_context(channel)
        self._stub = v1.ExecutionServiceStub(channel)
        about = v1.ServerServiceStub(channel)
        reached: set[int] = set()
        while len(reached) < len(self._servers):
            info = await about.GetServerInfo(v1.GetServerInfoRequest(), wait_for_ready=True)
            reached.add(info.start_time.ToMicroseconds())

    async def restart(self) -> None:
        """Take one server after the other down, cutting off what is under way, and start another in its place."""
        await self._channel.aclose()
        for number, server in enumerate(self._servers):
            await server.aclose()
            await self._start_server(number)
        await self._connect()

    def close(self) -> None:
        """End everything."""
        for part in (self._channel, *self._servers):
            self.run(part.aclose())
        self._runner.close()
        self._directory.cleanup()
        if self._postgres:
            shared_server().give_back(self._postgres)

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
        answer = await _answer(self._stub.Control(request))
        if action is ControlAction.PAUSE:
            self.paused.setdefault(execution_id, []).append(time.time_ns() // 1000)
        return answer

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
