"""Streams that survive broken connections, for loops and for async loops: opened, read, and opened again."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from types import TracebackType
from typing import Any, Generic, Protocol, Self, TypeAlias, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from execsvc_client._errors import Cancelled, ExecsvcError, from_rpc_error

_T = TypeVar("_T")
_T_co = TypeVar("_T_co", covariant=True)

#: Opens a connection for a request that may last so many seconds (None: without end); answers the call.
Connect: TypeAlias = Callable[[Message, float | None], Any]


class Cursor(Protocol[_T_co]):
    """Where a reader stands, and how to go on after a break. No I/O."""

    @property
    def ended(self) -> bool:
        """Whether everything was handed out and nothing more will come."""
        ...

    def request(self) -> Message:
        """Return what the next connection must ask for."""
        ...

    def call_timeout(self) -> float | None:
        """Return the seconds that the next connection may last; None: without end."""
        ...

    def receive(self, response: Any) -> None:
        """Take one response in."""
        ...

    def next_item(self) -> _T_co | None:
        """Hand out the next item; None: read another response first, unless ``ended``."""
        ...

    def closed_by_server(self) -> float | None:
        """Note that the stream ended without an error.

        Returns:
            The seconds to wait before connecting again; None: this was the end.
        """
        ...

    def broken(self, error: ExecsvcError) -> float:
        """Note that the stream failed; return the seconds to wait before connecting again.

        Raises:
            ExecsvcError: connecting again would not help, or was tried for too long.
        """
        ...


def is_task_cancelled() -> bool:
    """Whether a ``CancelledError`` is meant for the current task; gRPC raises it as well where a call was ended."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


class _Connection:
    """The call that a stream reads from, opened when it is needed."""

    def __init__(self, cursor: Cursor[Any], connect: Connect) -> None:
        self._cursor = cursor
        self._connect = connect
        #: The open connection; None between two.
        self._call: Any = None

    def _opened(self) -> Any:
        if self._call is None:
            self._call = self._connect(self._cursor.request(), self._cursor.call_timeout())
        return self._call

    def _drop(self) -> None:
        call, self._call = self._call, None
        if call is not None:
            call.cancel()


class AsyncStream(_Connection, Generic[_T]):
    """A stream for ``async for``; for one task at a time."""

    def __init__(self, cursor: Cursor[_T], connect: Connect) -> None:
        super().__init__(cursor, connect)
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> _T:
        while not self._closed:
            item: _T | None = self._cursor.next_item()
            if item is not None:
                return item
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

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


class Stream(_Connection, Generic[_T]):
    """A stream for ``for``; for one thread at a time."""

    def __init__(self, cursor: Cursor[_T], connect: Connect) -> None:
        super().__init__(cursor, connect)
        self._closed = threading.Event()

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> _T:
        while not self._closed.is_set():
            item: _T | None = self._cursor.next_item()
            if item is not None:
                return item
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

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()
