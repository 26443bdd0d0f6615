"""Log streams, for loops and for async loops: connections opened, read, and opened again where the cursor stands."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any

import grpc
import grpc.aio

from execsvc_client import v1
from execsvc_client._errors import Cancelled, from_rpc_error
from execsvc_client._log_cursor import LogCursor
from execsvc_client._models import ExecutionStatus, LogEntry


class _Stream:
    """What both kinds of stream show of their cursor."""

    def __init__(self, cursor: LogCursor, connect: Callable[[v1.StreamLogsRequest, float | None], Any]) -> None:
        self._cursor = cursor
        self._connect = connect
        #: The open connection; None between two.
        self._call: Any = None

    @property
    def last_sequence(self) -> int:
        """The place reached: everything up to here was handed out or left out by the filter. Resume with it."""
        return self._cursor.last_sequence

    @property
    def final_status(self) -> ExecutionStatus | None:
        """Where the execution stands, once it has ended and every entry was handed out; None before."""
        return self._cursor.final_status

    def _opened(self) -> Any:
        if self._call is None:
            self._call = self._connect(self._cursor.request(), self._cursor.call_timeout())
        return self._call

    def _drop(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()


def is_task_cancelled() -> bool:
    """Whether a ``CancelledError`` is meant for the current task; gRPC raises it as well where a call was ended."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class AsyncLogStream(_Stream):
    """The log of an execution, for ``async for``. Made by ``AsyncExecutionClient.logs``; for one task at a time.

    A loop that is left early should close the stream: ``async with client.logs(…) as log: async for entry in log: …``.
    A read that is cancelled or times out loses nothing; the next one goes on where it stood.
    """

    def __init__(self, cursor: LogCursor, connect: Callable[[v1.StreamLogsRequest, float | None], Any]) -> None:
        super().__init__(cursor, connect)
        self._closed = False

    def __aiter__(self) -> AsyncLogStream:
        return self

    async def __anext__(self) -> LogEntry:
        while not self._closed:
            entry = self._cursor.next_entry()
            if entry is not None:
                return entry
            if self._cursor.ended:
                self._drop()
                break
            delay = await self._read()
            if delay is not None:
                await asyncio.sleep(delay)
        raise StopAsyncIteration

    async def _read(self) -> float | None:
        """Take one response in; return the seconds to wait if the connection broke instead."""
        call = self._opened()
        try:
            response = await call.read()
        except grpc.aio.AioRpcError as error:
            self._call = None
            return self._cursor.broken(from_rpc_error(error))
        except asyncio.CancelledError:
            self._drop()
            if is_task_cancelled():
                raise
            if self._closed:
                return None
            raise Cancelled("the client was closed") from None
        if response is grpc.aio.EOF:
            self._call = None
            return self._cursor.closed_by_server()
        self._cursor.receive(response)
        return None

    async def aclose(self) -> None:
        """End the call on the server, and the iteration."""
        self._closed = True
        self._drop()

    async def __aenter__(self) -> AsyncLogStream:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class LogStream(_Stream):
    """The log of an execution, for ``for``. Made by ``ExecutionClient.logs``; for one thread at a time.

    A loop that is left early should close the stream: ``with client.logs(…) as log: for entry in log: …``.
    """

    def __init__(self, cursor: LogCursor, connect: Callable[[v1.StreamLogsRequest, float | None], Any]) -> None:
        super().__init__(cursor, connect)
        self._closed = threading.Event()

    def __iter__(self) -> LogStream:
        return self

    def __next__(self) -> LogEntry:
        while not self._closed.is_set():
            entry = self._cursor.next_entry()
            if entry is not None:
                return entry
            if self._cursor.ended:
                self._drop()
                break
            delay = self._read()
            if delay is not None:
                self._closed.wait(delay)
        raise StopIteration

    def _read(self) -> float | None:
        """Take one response in; return the seconds to wait if the connection broke instead."""
        call = self._opened()
        if self._closed.is_set():
            # Closed from another thread while this one connected.
            self._drop()
            return None
        try:
            response = next(call)
        except StopIteration:
            self._call = None
            return self._cursor.closed_by_server()
        except grpc.RpcError as error:
            self._call = None
            if self._closed.is_set():
                return None
            return self._cursor.broken(from_rpc_error(error))
        except BaseException:
            # Ctrl-C and the like: whoever reads on starts at the cursor with a connection of its own.
            self._drop()
            raise
        self._cursor.receive(response)
        return None

    def close(self) -> None:
        """End the call on the server, and the iteration. May be called from any thread."""
        self._closed.set()
        self._drop()

    def __enter__(self) -> LogStream:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
