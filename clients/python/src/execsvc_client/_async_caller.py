"""How the client for asyncio calls: opens the channel, runs calls, waits between attempts."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
import grpc.aio
from google.protobuf.message import Message

from execsvc_client._calls import Call, Page
from execsvc_client._channel import DEFAULT_TARGET, Metadata, Settings, Token, make_stubs
from execsvc_client._errors import Cancelled, from_rpc_error
from execsvc_client._retry import Reconnect, Retry
from execsvc_client._streams import is_task_cancelled
from execsvc_client._tls import TLS
from execsvc_client._values import LARGE_BYTES, is_large

_T = TypeVar("_T")


class AsyncCaller:
    """A connection to a server that is opened by the first call. One event loop at a time."""

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        tls: TLS | None = None,
        credentials: grpc.ChannelCredentials | None = None,
        token: Token | None = None,
        metadata: Metadata | None = None,
        call_timeout: float = 30.0,
        reconnect_timeout: float | None = 300.0,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Prepare a client; the connection is opened by the first call and again whenever it breaks.

        Args:
            target: host and port, or any other gRPC target such as ``unix:/run/execsvc.sock``.
            tls: connect over TLS: ``TLS()`` for a server with a certificate of a public authority. None: without.
            credentials: of gRPC, instead of ``tls``, where that does not say enough.
            token: sent as ``authorization: Bearer …``, or a function that returns it. Use it with TLS only.
            metadata: what else is sent with every call, ``x-request-id`` or ``traceparent``; or a function of it.
            call_timeout: seconds that one call may take, repeats included. Streams and ``wait`` have none.
            reconnect_timeout: seconds that ``logs``, ``watch`` and ``wait`` go on trying to reach the server without
                hearing from it; None: for ever.
            options: gRPC channel arguments that replace the defaults of this client.

        Raises:
            OSError: a file that ``tls`` names cannot be read.
            ValueError: ``tls`` does not fit together, or ``credentials`` is given as well.
        """
        if tls is not None:
            if credentials is not None:
                raise ValueError("tls and credentials say the same; give one of them")
            credentials, options = tls.credentials(), [*tls.options().items(), *options]
        self._settings = Settings(
            target=target,
            credentials=credentials,
            token=token,
            more_metadata=metadata,
            call_timeout=call_timeout,
            reconnect_timeout=reconnect_timeout,
            options=options,
        )
        self._channel: grpc.aio.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._closed = False

    async def close(self) -> None:
        """Close the connection; calls still under way end with ``Cancelled``. May be called again."""
        self._closed = True
        if self._channel is not None:
            await self._channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.close()

    async def _run(self, call: Call[_T]) -> _T:
        settings = self._settings
        deadline = settings.timing.clock() + settings.call_timeout
        return await self._repeat(call, Retry(settings.timing, repeats=call.repeats, deadline=deadline))

    async def _made(self, make: Callable[[], Call[_T]], *values: object) -> Call[_T]:
        """Make a call of values; beside the loop where they are large, since that takes up to a second or two."""
        return await asyncio.to_thread(make) if any(map(is_large, values)) else make()

    async def _repeat(self, call: Call[_T], policy: Retry | Reconnect) -> _T:
        while True:
            method = getattr(self._open()[call.service], call.method)
            try:
                response = await method(call.request, timeout=policy.call_timeout(), metadata=self._settings.metadata())
            except grpc.aio.AioRpcError as error:
                delay = policy.delay_after(from_rpc_error(error))
            except asyncio.CancelledError:
                if is_task_cancelled():
                    raise
                raise Cancelled("the client was closed") from None
            else:
                large = response.ByteSize() > LARGE_BYTES
                return await asyncio.to_thread(call.answer, response) if large else call.answer(response)
            await asyncio.sleep(delay)

    async def _paged(self, page: Callable[[str], Call[Page[_T]]]) -> AsyncIterator[_T]:
        token = ""
        while True:
            found = await self._run(page(token))
            for item in found.items:
                yield item
            token = found.next_token
            if not token:
                return

    def _reconnect(self, deadline: float | None, call_timeout: float | None = None) -> Reconnect:
        return Reconnect(
            self._settings.timing,
            give_up_after=self._settings.reconnect_timeout,
            deadline=deadline,
            call_timeout=call_timeout,
        )

    def _connect(self, method: str, request: Message, timeout: float | None) -> Any:
        call = getattr(self._open()["ExecutionService"], method)
        return call(request, timeout=timeout, metadata=self._settings.metadata())

    def _open(self) -> dict[str, Any]:
        """Return the stubs, on a channel opened by the first call: it belongs to the loop that is running then."""
        if self._closed:
            raise Cancelled("the client is closed")
        if self._channel is None:
            settings = self._settings
            options = settings.channel_options()
            if settings.credentials is None:
                self._channel = grpc.aio.insecure_channel(settings.target, options)
            else:
                self._channel = grpc.aio.secure_channel(settings.target, settings.credentials, options)
            self._stubs = make_stubs(self._channel)
        return self._stubs
