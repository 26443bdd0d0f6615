"""What is let in when there is more to do than can be done: each method has a lane, so operators get past crowds."""

from __future__ import annotations

import asyncio
import inspect
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import aclosing
from enum import Enum
from types import MappingProxyType
from typing import Any, Final

import grpc

from execsvc.errors import FieldProblem, InvalidRequest, RequestStalled
from execsvc.rpc.lanes import Lane, Limit, Streams

#: Seconds within which a request has to be there, once its call has begun.
REQUEST: Final = 60.0
#: Streams of the standard services, which anybody may open: health checks, reflection.
STANDARD_STREAMS: Final = 1_000


class Kind(Enum):
    """What a call asks of the server."""

    #: Reads definitions and writes: what a crowd sends, and what is shed first.
    WORK = "work"
    READ = "read"
    #: What operators need while there is a crowd.
    CONTROL = "control"
    #: Lasts.
    STREAM = "stream"


#: Of every method of the API.
KINDS: Final[Mapping[str, Mapping[str, Kind]]] = MappingProxyType(
    {
        "execsvc.v1.ExecutionService": {
            "Execute": Kind.WORK,
            "GetStatus": Kind.READ,
            "GetExecution": Kind.READ,
            "StreamLogs": Kind.STREAM,
            "ListLogs": Kind.READ,
            "Control": Kind.CONTROL,
            "WatchExecution": Kind.STREAM,
            "ListExecutions": Kind.READ,
            "DeleteExecution": Kind.CONTROL,
        },
        "execsvc.v1.WorkflowService": {
            "ValidateWorkflow": Kind.WORK,
            "ListNodeTypes": Kind.READ,
            "CreateWorkflow": Kind.WORK,
            "GetWorkflow": Kind.READ,
            "ListWorkflows": Kind.READ,
        },
        "execsvc.v1.ServerService": {"GetServerInfo": Kind.CONTROL},
    }
)

Read = Callable[[bytes], Any]
Behavior = Callable[[Any, Any], Awaitable[Any]]


class Admission:
    """Stands before the methods of one server.

    Args:
        calls: calls of a kind that are worked on at once.
        streams: streams that are open at once.
        request_seconds: as ``REQUEST``.
    """

    def __init__(self, *, calls: int, streams: int, request_seconds: float = REQUEST) -> None:
        self._lanes = {
            Kind.WORK: Lane(Limit(calls, adapts=True)),
            Kind.READ: Lane(Limit(calls, adapts=False)),
            Kind.CONTROL: Lane(Limit(calls, adapts=False)),
        }
        self._streams = Streams(streams)
        self._standard = Streams(STANDARD_STREAMS)
        self._request_seconds = request_seconds

    def unary(self, path: str, behavior: Behavior, read: Read, client: Callable[[Any], str]) -> Behavior:
        """Have a call wait for its turn before anything of its request is read.

        Args:
            client: tells who calls, out of the call's context.
        """
        lane = self._lanes[kind_of(path)]

        async def call(requests: Any, context: Any) -> Any:
            if not lane.enter_at_once():
                await lane.enter(client(context))
            begun = time.perf_counter()
            taken = 0.0
            try:
                request = read(await self._message(context))
                begun = time.perf_counter()
                response = await behavior(request, context)
                taken = time.perf_counter() - begun
                return response
            finally:
                lane.leave(taken)

        return call

    def stream(self, behavior: Behavior, read: Read, client: Callable[[Any], str]) -> Behavior:
        """Have a stream counted for as long as it lasts."""

        async def call(requests: Any, context: Any) -> Any:
            who = client(context)
            self._streams.enter(who)
            try:
                return await behavior(read(await self._message(context)), context)
            finally:
                self._streams.leave(who)

        return call

    def standard(self, behavior: Any) -> Behavior:
        """Have a stream of a standard service counted, which answers by ``yield`` or by ``context.write``."""
        yields = inspect.isasyncgenfunction(behavior)

        async def call(request: Any, context: Any) -> None:
            who = context.peer()
            self._standard.enter(who)
            try:
                if yields:
                    async with aclosing(behavior(request, context)) as responses:
                        async for response in responses:
                            await context.write(response)
                else:
                    await behavior(request, context)
            finally:
                self._standard.leave(who)

        return call

    async def _message(self, context: Any) -> bytes:
        """Take the one message of a call.

        It is read from the context: an iterator left after its first message would have to wait for the collector, and
        with it all that the call holds.

        Raises:
            RequestStalled: it does not come.
            InvalidRequest: there is none.
        """
        patience = _Patience()
        timer = asyncio.get_running_loop().call_later(self._request_seconds, patience.end)
        try:
            message = await context.read()
        except asyncio.CancelledError:
            if patience.ended():
                raise RequestStalled(self._request_seconds) from None
            raise
        finally:
            timer.cancel()
        if message is grpc.aio.EOF:
            text = "a call takes one message, and none came"
            raise InvalidRequest([FieldProblem(path="request", reason="UNREADABLE", message=text)])
        return bytes(message)


class _Patience:
    """With the task that reads a request; ``asyncio.timeout`` costs each call several times as much."""

    __slots__ = ("_task", "_tired")

    def __init__(self) -> None:
        self._task = asyncio.current_task()
        self._tired = False

    def end(self) -> None:
        """Cancel the task."""
        if self._task is not None:
            self._tired = True
            self._task.cancel()

    def ended(self) -> bool:
        """Whether that, and nobody else, has cancelled it; it may go on then."""
        return self._tired and self._task is not None and not self._task.uncancel()


def kind_of(path: str) -> Kind:
    """Give the kind of a method; of one that nobody has thought of, that which is shed first."""
    service, _, method = path.strip("/").partition("/")
    return KINDS.get(service, {}).get(method, Kind.WORK)
