"""A real gRPC server whose faults are scripted, a wire that can be cut, and both clients behind one face."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import grpc
import pytest

from execsvc_client import AsyncExecutionClient, ExecutionClient, v1

FINAL = v1.ExecutionStatus(execution_id="e", state=v1.EXECUTION_STATE_COMPLETED, progress=1.0)


@dataclass
class Fault:
    """What goes wrong on one connection of StreamLogs."""

    #: Entries sent before it happens.
    after: int
    #: ``unavailable``, ``reset`` (as a core words a broken stream), or ``eof`` (ended without an error).
    how: str = "unavailable"
    #: Entries sent again although the client's cursor is past them.
    repeat: int = 0


@dataclass
class Script:
    """What the server holds, what it is to do wrong, and what it was asked."""

    entries: list[v1.LogEntry] = field(default_factory=list)
    final: v1.ExecutionStatus | None = None
    #: One for each connection of StreamLogs, in order; later ones work.
    faults: deque[Fault] = field(default_factory=deque)
    #: What each connection of WatchExecution sends, in order; one that has no final state then breaks.
    watches: deque[list[v1.WatchExecutionResponse]] = field(default_factory=deque)
    #: Ids of the executions that ListExecutions answers, and versions of the workflow that ListWorkflows does.
    listed: list[str] = field(default_factory=list)
    #: By method: what the next calls do; None succeeds, anything else is called with the context and must abort.
    failures: dict[str, deque[Callable[[grpc.ServicerContext], None] | None]] = field(default_factory=dict)
    #: Every request with its method, oldest first.
    requests: list[tuple[str, Any]] = field(default_factory=list)
    metadata: list[dict[str, str | bytes]] = field(default_factory=list)
    #: Set when a client has ended a stream.
    ended: threading.Event = field(default_factory=threading.Event)
    changed: threading.Condition = field(default_factory=threading.Condition)
    batch: int = 3

    async def until_asked(self, method: str) -> None:
        """Wait until a method was called."""
        async with asyncio.timeout(30):
            await asyncio.to_thread(self._wait_for, lambda: self.asked(method))

    def _wait_for(self, holds: Callable[[], object]) -> None:
        with self.changed:
            assert self.changed.wait_for(holds, 30)

    def asked(self, method: str) -> list[Any]:
        return [request for name, request in self.requests if name == method]

    def fail(self, method: str, *failures: Callable[[grpc.ServicerContext], None] | None) -> None:
        self.failures.setdefault(method, deque()).extend(failures)

    def break_after(self, after: int, how: str = "unavailable", *, repeat: int = 0) -> None:
        """Let the next connection of StreamLogs break."""
        self.faults.append(Fault(after=after, how=how, repeat=repeat))

    def grow(self, count: int, *, final: v1.ExecutionStatus | None = None, **fields: Any) -> None:
        """Append log entries, and perhaps end the execution."""
        with self.changed:
            for _ in range(count):
                sequence = len(self.entries) + 1
                values: dict[str, Any] = {"level": v1.LOG_LEVEL_INFO, "message": f"entry {sequence}"} | fields
                self.entries.append(v1.LogEntry(sequence=sequence, **values))
            self.final = final or self.final
            self.changed.notify_all()


def unavailable(context: grpc.ServicerContext) -> None:
    context.abort(grpc.StatusCode.UNAVAILABLE, "not now")


class Servicer(v1.ExecutionServiceServicer, v1.WorkflowServiceServicer, v1.ServerServiceServicer):
    """Does what the script says; StreamLogs keeps the contract of the API."""

    def __init__(self, script: Script) -> None:
        self.script = script

    def _enter(self, method: str, request: Any, context: grpc.ServicerContext) -> None:
        with self.script.changed:
            self.script.requests.append((method, request))
            self.script.metadata.append(dict(context.invocation_metadata()))
            self.script.changed.notify_all()
        failures = self.script.failures.get(method)
        failure = failures.popleft() if failures else None
        if failure is not None:
            failure(context)

    def Execute(self, request: v1.ExecuteRequest, context: Any) -> v1.ExecuteResponse:
        self._enter("Execute", request, context)
        status = v1.ExecutionStatus(execution_id=request.execution_id, state=v1.EXECUTION_STATE_PENDING)
        return v1.ExecuteResponse(status=status)

    def GetStatus(self, request: v1.GetStatusRequest, context: Any) -> v1.GetStatusResponse:
        self._enter("GetStatus", request, context)
        return v1.GetStatusResponse(status=self.script.final or FINAL)

    def GetExecution(self, request: v1.GetExecutionRequest, context: Any) -> v1.GetExecutionResponse:
        self._enter("GetExecution", request, context)
        execution = v1.Execution(status=self.script.final or FINAL, uid="u")
        execution.output.struct_value.update({"label": "late", "n": 3, "half": 0.5})
        return v1.GetExecutionResponse(execution=execution)

    def Control(self, request: v1.ControlRequest, context: Any) -> v1.ControlResponse:
        self._enter("Control", request, context)
        return v1.ControlResponse(status=FINAL)

    def ListLogs(self, request: v1.ListLogsRequest, context: Any) -> v1.ListLogsResponse:
        self._enter("ListLogs", request, context)
        start = int(request.page_token or 0)
        end = start + request.page_size
        more = str(end) if end < len(self.script.entries) else ""
        return v1.ListLogsResponse(entries=self.script.entries[start:end], next_page_token=more)

    def WatchExecution(self, request: v1.WatchExecutionRequest, context: Any) -> Iterator[v1.WatchExecutionResponse]:
        self._enter("WatchExecution", request, context)
        context.add_callback(self.script.ended.set)
        context.add_callback(self._wake)
        responses = self.script.watches.popleft() if self.script.watches else []
        yield from responses
        if responses and responses[-1].status.state >= v1.EXECUTION_STATE_COMPLETED:
            return
        if not self.script.watches:
            # Nothing more happens.
            with self.script.changed:
                self.script.changed.wait_for(lambda: not context.is_active(), 30)
        context.abort(grpc.StatusCode.UNAVAILABLE, "Socket closed")

    def ListExecutions(self, request: v1.ListExecutionsRequest, context: Any) -> v1.ListExecutionsResponse:
        self._enter("ListExecutions", request, context)
        names, token = self._page(request)
        executions = [v1.Execution(status=v1.ExecutionStatus(execution_id=name), uid=f"u-{name}") for name in names]
        return v1.ListExecutionsResponse(executions=executions, next_page_token=token)

    def DeleteExecution(self, request: v1.DeleteExecutionRequest, context: Any) -> v1.DeleteExecutionResponse:
        self._enter("DeleteExecution", request, context)
        return v1.DeleteExecutionResponse()

    def CreateWorkflow(self, request: v1.CreateWorkflowRequest, context: Any) -> v1.CreateWorkflowResponse:
        self._enter("CreateWorkflow", request, context)
        workflow = v1.Workflow(workflow_id=request.workflow_id, version="v1")
        return v1.CreateWorkflowResponse(workflow=workflow, created=True)

    def GetWorkflow(self, request: v1.GetWorkflowRequest, context: Any) -> v1.GetWorkflowResponse:
        self._enter("GetWorkflow", request, context)
        workflow = v1.Workflow(workflow_id=request.workflow_id, version=request.version or "newest")
        workflow.definition.nodes.add(id="out").output.SetInParent()
        return v1.GetWorkflowResponse(workflow=workflow)

    def ListWorkflows(self, request: v1.ListWorkflowsRequest, context: Any) -> v1.ListWorkflowsResponse:
        self._enter("ListWorkflows", request, context)
        versions, token = self._page(request)
        workflows = [v1.Workflow(workflow_id=request.workflow_id, version=version) for version in versions]
        return v1.ListWorkflowsResponse(workflows=workflows, next_page_token=token)

    def _page(self, request: v1.ListExecutionsRequest | v1.ListWorkflowsRequest) -> tuple[list[str], str]:
        start = int(request.page_token or 0)
        end = start + request.page_size
        return self.script.listed[start:end], str(end) if end < len(self.script.listed) else ""

    def ValidateWorkflow(self, request: v1.ValidateWorkflowRequest, context: Any) -> v1.ValidateWorkflowResponse:
        self._enter("ValidateWorkflow", request, context)
        problem = v1.WorkflowProblem(path="definition.nodes", reason="NO_OUTPUT", message="add one")
        return v1.ValidateWorkflowResponse(problems=[problem])

    def ListNodeTypes(self, request: v1.ListNodeTypesRequest, context: Any) -> v1.ListNodeTypesResponse:
        self._enter("ListNodeTypes", request, context)
        kind = v1.NodeType(name="llm", description="calls", effect=True)
        kind.config_schema.update({"type": "object"})
        return v1.ListNodeTypesResponse(node_types=[kind])

    def GetServerInfo(self, request: v1.GetServerInfoRequest, context: Any) -> v1.GetServerInfoResponse:
        self._enter("GetServerInfo", request, context)
        return v1.GetServerInfoResponse(version="1.2.3", capabilities=["node:llm"])

    def StreamLogs(self, request: v1.StreamLogsRequest, context: Any) -> Iterator[v1.StreamLogsResponse]:
        self._enter("StreamLogs", request, context)
        script = self.script
        context.add_callback(script.ended.set)
        context.add_callback(self._wake)
        fault = script.faults.popleft() if script.faults else None
        cursor = max(0, len(script.entries) - request.tail) if request.tail else request.after_sequence
        cursor = max(0, cursor - fault.repeat) if fault else cursor
        sent = 0
        # The first heartbeat.
        yield v1.StreamLogsResponse(uid="u", last_sequence=max(cursor, request.after_sequence))
        while context.is_active():
            limit = script.batch if fault is None else min(script.batch, fault.after - sent)
            batch = script.entries[cursor : cursor + limit]
            if batch:
                cursor, sent = batch[-1].sequence, sent + len(batch)
                shown = [entry for entry in batch if entry.level >= request.min_level]
                yield v1.StreamLogsResponse(uid="u", entries=shown, last_sequence=cursor)
            if fault is not None and sent >= fault.after:
                if fault.how == "eof":
                    return
                reset = fault.how == "reset"
                context.abort(
                    grpc.StatusCode.INTERNAL if reset else grpc.StatusCode.UNAVAILABLE,
                    "Received RST_STREAM with error code 2" if reset else "Socket closed",
                )
            with script.changed:
                if cursor < len(script.entries):
                    continue
                if script.final is not None:
                    yield v1.StreamLogsResponse(uid="u", last_sequence=cursor, final_status=script.final)
                    return
                if not request.follow:
                    return
                script.changed.wait(1)

    def _wake(self) -> None:
        with self.script.changed:
            self.script.changed.notify_all()


class ScriptedServer:
    """A gRPC server on a port of its own that can be stopped and started again on that port."""

    def __init__(self) -> None:
        self.script = Script()
        self._server: grpc.Server | None = None
        self.port = 0
        self.start()

    @property
    def target(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        self._server = grpc.server(ThreadPoolExecutor(8), options=[("grpc.so_reuseport", 0)])
        servicer = Servicer(self.script)
        v1.add_ExecutionServiceServicer_to_server(servicer, self._server)
        v1.add_WorkflowServiceServicer_to_server(servicer, self._server)
        v1.add_ServerServiceServicer_to_server(servicer, self._server)
        self.port = self._server.add_insecure_port(f"127.0.0.1:{self.port}")
        self._server.start()

    def stop(self) -> None:
        """Cut every call off and free the port."""
        if self._server is not None:
            self._server.stop(None).wait()
            self._server = None


class Wire:
    """A TCP connection between client and server that breaks on demand, as a cable or a killed process does."""

    def __init__(self, port: int) -> None:
        self._upstream = port
        self._sockets: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.target = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def _accept(self) -> None:
        while True:
            try:
                near, _ = self._listener.accept()
            except OSError:
                return
            far = socket.create_connection(("127.0.0.1", self._upstream))
            self._sockets += [near, far]
            for source, target in ((near, far), (far, near)):
                thread = threading.Thread(target=self._pump, args=(source, target))
                self._threads.append(thread)
                thread.start()

    def _pump(self, source: socket.socket, target: socket.socket) -> None:
        try:
            while data := source.recv(65536):
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                _shut(end)

    def cut(self) -> None:
        """Break every connection there is; new ones can be made."""
        for end in self._sockets:
            _shut(end)

    def close(self) -> None:
        _shut(self._listener)
        self._listener.close()
        self.cut()
        for thread in self._threads:
            thread.join()
        for end in self._sockets:
            end.close()


def _shut(end: socket.socket) -> None:
    with contextlib.suppress(OSError):
        end.shutdown(socket.SHUT_RDWR)


class Driver:
    """Either client behind awaitable methods, so that one test holds for both."""

    def __init__(self, kind: str, target: str, **settings: Any) -> None:
        self.kind = kind
        cls: Any = AsyncExecutionClient if kind == "async" else ExecutionClient
        self.client: Any = cls(target, **settings)

    async def call(self, method: str, *args: Any, **kwargs: Any) -> Any:
        """Run one call of the client."""
        bound = getattr(self.client, method)
        if self.kind == "async":
            return await bound(*args, **kwargs)
        return await asyncio.to_thread(bound, *args, **kwargs)

    async def next(self, stream: Any) -> Any:
        """Read one item; None at the end."""
        if self.kind == "async":
            return await anext(stream, None)
        return await asyncio.to_thread(next, stream, None)

    async def read(self, stream: Any) -> list[Any]:
        """Read an iterator to its end."""
        items = []
        while (item := await self.next(stream)) is not None:
            items.append(item)
        return items

    async def close_stream(self, stream: Any) -> None:
        if self.kind == "async":
            await stream.aclose()
        else:
            stream.close()


@pytest.fixture
def server() -> Iterator[ScriptedServer]:
    running = ScriptedServer()
    yield running
    running.stop()


@pytest.fixture
def wire(server: ScriptedServer) -> Iterator[Wire]:
    between = Wire(server.port)
    yield between
    between.close()


@pytest.fixture(params=["async", "sync"])
async def connect(request: pytest.FixtureRequest) -> AsyncIterator[Callable[..., Driver]]:
    """Makes clients of either kind and closes them."""
    drivers: list[Driver] = []

    def make(target: str, **settings: Any) -> Driver:
        drivers.append(Driver(request.param, target, **settings))
        return drivers[-1]

    yield make
    for driver in drivers:
        await driver.call("close")


@pytest.fixture
def driver(connect: Callable[..., Driver], server: ScriptedServer) -> Driver:
    return connect(server.target)
