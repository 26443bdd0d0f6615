"""How the client for plain threads calls: opens the channel, runs calls, waits between attempts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from types import TracebackType
from typing import Any, Self, TypeVar

import grpc
from google.protobuf.message import Message

from execsvc_client._calls import Call, Page
from execsvc_client._channel import DEFAULT_TARGET, Metadata, Settings, Token, make_stubs
from execsvc_client._errors import Cancelled, from_rpc_error
from execsvc_client._retry import Reconnect, Retry
from execsvc_client._tls import TLS

_T = TypeVar("_T")


class Caller:
    """A connection to a server that is opened by the first call. Safe to share between threads."""

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
        self._channel: grpc.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._closed = False
        self._opening = threading.Lock()

    def close(self) -> None:
        """Close the connection; calls still under way end with ``Cancelled``. May be called again."""
        with self._opening:
            self._closed = True
        if self._channel is not None:
            self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Call[_T]) -> _T:
        settings = self._settings
        deadline = settings.timing.clock() + settings.call_timeout
        return self._repeat(call, Retry(settings.timing, repeats=call.repeats, deadline=deadline))

    def _repeat(self, call: Call[_T], policy: Retry | Reconnect) -> _T:
        while True:
            method = getattr(self._open()[call.service], call.method)
            try:
                response = method(call.request, timeout=policy.call_timeout(), metadata=self._settings.metadata())
            except grpc.RpcError as error:
                delay = policy.delay_after(from_rpc_error(error))
            else:
                return call.answer(response)
            self._settings.timing.sleep(delay)

    def _paged(self, page: Callable[[str], Call[Page[_T]]]) -> Iterator[_T]:
        token = ""
        while True:
            found = self._run(page(token))
            yield from found.items
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
        """Return the stubs, on a channel opened by the first call."""
        with self._opening:
            if self._closed:
                raise Cancelled("the client is closed")
            if self._channel is None:
                settings = self._settings
                options = settings.channel_options()
                if settings.credentials is None:
                    self._channel = grpc.insecure_channel(settings.target, options)
                else:
                    self._channel = grpc.secure_channel(settings.target, settings.credentials, options)
                self._stubs = make_stubs(self._channel)
            return self._stubs
