"""Stands before every method: asks who calls, and turns what servicers raise into statuses."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, Final

import grpc
from google.protobuf.message import DecodeError

from execsvc.errors import ExecsvcError, FieldProblem, InvalidRequest, TooLarge
from execsvc.rpc.calls import MethodObserver, observed_stream, observed_unary
from execsvc.rpc.gate import Gate, admitted
from execsvc.wire.errors import internal_status, status_of

logger = logging.getLogger(__name__)

#: Paths of the API's own methods begin so.
_OURS: Final = "/execsvc."

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]


class _Unreadable:
    """Stands for a request whose bytes are no message of its type, or too many; says which."""

    def __init__(self, error: ExecsvcError) -> None:
        self.error = error


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts a gate before every method, and applies the table of ``execsvc.wire.errors`` to those of the API.

    Args:
        gate: lets calls in.
        request_bytes: size of a request at most.
        observers: told of calls, by method, as in ``/execsvc.v1.ServerService/GetServerInfo``.
    """

    def __init__(
        self, *, gate: Gate, request_bytes: int, observers: Mapping[str, MethodObserver] | None = None
    ) -> None:
        self._gate = gate
        self._request_bytes = request_bytes
        self._observers = observers or {}
        self._wrapped: dict[str, Handler] = {}
        self._certified: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answer the method's handler, wrapped once; or one that refuses the call without reading its request."""
        method = handler_call_details.method
        try:
            admitted_already = await self._gate.admit(method, handler_call_details.invocation_metadata)
        except Exception as error:
            return self._refusal(error, method)
        handler = await self._handler(continuation, handler_call_details)
        if admitted_already or handler is None:
            return handler
        # Only what handles a call learns of its connection's certificate.
        certified = self._certified.get(method)
        if certified is None:
            certified = self._certified[method] = self._by_certificate(handler, method)
        return certified

    async def _handler(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        method = handler_call_details.method
        wrapped = self._wrapped.get(method)
        if wrapped is None:
            handler = await continuation(handler_call_details)
            # Standard services (health, reflection, channelz) have errors of their own.
            if handler is None or not method.startswith(_OURS):
                return handler
            wrapped = self._wrapped[method] = _wrap(handler, method, self._request_bytes, self._observers.get(method))
        return wrapped

    def _by_certificate(self, handler: Any, method: str) -> Handler:
        """Let calls in by their certificate, before anything of a request is read."""

        async def admit(context: Any) -> None:
            try:
                await self._gate.admit_certified(method, context)
            except Exception as error:
                refusal: Any = self._refusal(error, method)
                await anext(refusal.stream_stream(None, context))

        async def messages(requests: Any) -> AsyncIterator[Any]:
            async for data in requests:
                yield _read(handler, data)

        def given(request: Any) -> Any:
            return messages(request) if handler.request_streaming else _read(handler, request)

        async def unary(request: Any, context: Any) -> Any:
            await admit(context)
            behavior = handler.stream_unary if handler.request_streaming else handler.unary_unary
            return await behavior(given(request), context)

        async def stream(request: Any, context: Any) -> AsyncIterator[Any]:
            await admit(context)
            behavior = handler.stream_stream if handler.request_streaming else handler.unary_stream
            async with aclosing(behavior(given(request), context)) as responses:
                async for response in responses:
                    yield response

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        made: Handler = make(stream if handler.response_streaming else unary, None, handler.response_serializer)
        return made

    def _refusal(self, error: Exception, method: str) -> Handler:
        async def refuse(requests: Any, context: Any) -> AsyncIterator[Any]:
            told = self._gate.refused(error, method, context.peer()) if isinstance(error, ExecsvcError) else error
            await _abort(context, told, method)
            yield

        observer = self._observers.get(method)
        return grpc.stream_stream_rpc_method_handler(observed_stream(refuse, observer) if observer else refuse)


def _read(handler: Any, data: bytes) -> Any:
    deserialize = handler.request_deserializer
    return data if deserialize is None else deserialize(data)


def _wrap(handler: Any, method: str, request_bytes: int, observer: MethodObserver | None) -> Handler:
    deserialize = handler.request_deserializer

    def read(data: bytes) -> Any:
        if len(data) > request_bytes:
            return _Unreadable(TooLarge(path="request", size=len(data), limit=request_bytes))
        try:
            return deserialize(data)
        except DecodeError:
            message = "is no message of this method's request type, nests too deeply, or holds text that is not UTF-8"
            return _Unreadable(InvalidRequest([FieldProblem(path="request", reason="UNREADABLE", message=message)]))

    if handler.response_streaming:
        stream = _stream(handler.unary_stream, method)
        return grpc.unary_stream_rpc_method_handler(
            observed_stream(stream, observer) if observer else stream, read, handler.response_serializer
        )
    unary = _unary(handler.unary_unary, method)
    return grpc.unary_unary_rpc_method_handler(
        observed_unary(unary, observer) if observer else unary, read, handler.response_serializer
    )


def _unary(behavior: Callable[[Any, Any], Awaitable[Any]], method: str) -> Callable[[Any, Any], Awaitable[Any]]:
    async def call(request: Any, context: Any) -> Any:
        try:
            _check(request)
            return await behavior(request, context)
        except Exception as error:
            await _abort(context, error, method)

    return call


def _stream(
    behavior: Callable[[Any, Any], AsyncGenerator[Any, None]], method: str
) -> Callable[[Any, Any], AsyncIterator[Any]]:
    async def call(request: Any, context: Any) -> AsyncIterator[Any]:
        try:
            _check(request)
            async for response in admitted(behavior(request, context)):
                yield response
        except Exception as error:
            await _abort(context, error, method)

    return call


def _check(request: Any) -> None:
    if isinstance(request, _Unreadable):
        raise request.error


async def _abort(context: Any, error: Exception, method: str) -> None:
    if isinstance(error, grpc.aio.AbortError):
        raise error
    if isinstance(error, ExecsvcError):
        code, message, status = status_of(error)
    elif isinstance(error, asyncio.CancelledError):
        raise error
    else:
        logger.error("%s failed", method, exc_info=error)
        code, message, status = internal_status()
    await context.abort(code, message, (("grpc-status-details-bin", status),))
