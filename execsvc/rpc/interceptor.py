"""Stands before every method: asks who calls, and turns what servicers raise into statuses."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, Final, cast

import grpc
from google.protobuf.message import DecodeError

from execsvc.errors import ExecsvcError, FieldProblem, InvalidRequest, TooLarge
from execsvc.log_fields import REQUEST_ID_KEY, add_fields, begin_request, request_id
from execsvc.rpc.admission import Admission, Behavior
from execsvc.rpc.calls import CallLog, MethodObserver, observed
from execsvc.rpc.gate import Gate, client_of
from execsvc.wire.errors import internal_status, status_of

logger = logging.getLogger(__name__)

#: Paths of the API's own methods begin so.
_OURS: Final = "/execsvc."

if TYPE_CHECKING:
    Handler = grpc.RpcMethodHandler[Any, Any]


class Interceptor(grpc.aio.ServerInterceptor):
    """Puts a gate before every method, and applies the table of ``execsvc.wire.errors`` to those of the API.

    Args:
        gate: lets calls in.
        admission: makes calls wait for their turn.
        request_bytes: size of a request at most.
        observers: told of calls, by method, as in ``/execsvc.v1.ServerService/GetServerInfo``.
        tracers: the same, but only of calls that are let in, with their requests: who may not call could flood them.
    """

    def __init__(
        self,
        *,
        gate: Gate,
        admission: Admission,
        request_bytes: int,
        observers: Mapping[str, MethodObserver] | None = None,
        tracers: Mapping[str, MethodObserver] | None = None,
    ) -> None:
        self._gate = gate
        self._admission = admission
        self._request_bytes = request_bytes
        self._observers = observers or {}
        self._tracers = tracers or {}
        self._wrapped: dict[str, Handler] = {}
        self._certified: dict[str, Handler] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable[Handler | None]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> Handler | None:
        """Answer the method's handler, wrapped once; or one that refuses the call without reading its request."""
        method = handler_call_details.method
        sent = handler_call_details.invocation_metadata or ()
        begin_request(next((value for key, value in sent if key == REQUEST_ID_KEY), ""))
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
            if handler is None:
                return None
            # Standard services (health, reflection, channelz) have errors of their own.
            wrap = self._wrap if method.startswith(_OURS) else self._wrap_standard
            wrapped = self._wrapped[method] = wrap(handler, method)
        return wrapped

    def _wrap(self, handler: Any, method: str) -> Handler:
        # Requests are taken as a stream of one, so that nothing is read of those that have to wait, or are refused.
        # What a call returns is sent with its status: the one response, or the last one of a stream.
        observer, tracer = self._observer(method), self._tracers.get(method)
        read = _reads(handler.request_deserializer, self._request_bytes)
        behavior = handler.unary_stream if handler.response_streaming else handler.unary_unary
        if tracer is not None:
            behavior = observed(behavior, tracer)
        if handler.response_streaming:
            # Its responses are bytes already.
            waiting, serializer = self._admission.stream(behavior, read, client_of), None
        else:
            waiting = self._admission.unary(method, behavior, read, client_of)
            serializer = _serializer(handler.response_serializer)
        return grpc.stream_unary_rpc_method_handler(
            observed(_answering(waiting, method), observer), response_serializer=serializer
        )

    def _wrap_standard(self, handler: Any, method: str) -> Handler:
        if not handler.response_streaming:
            return cast("Handler", handler)
        behavior = _answering(self._admission.standard(handler.stream_stream or handler.unary_stream), method)
        make: Any = grpc.unary_stream_rpc_method_handler
        if handler.request_streaming:
            make = grpc.stream_stream_rpc_method_handler
        return cast("Handler", make(behavior, handler.request_deserializer, handler.response_serializer))

    def _by_certificate(self, handler: Any, method: str) -> Handler:
        """Let calls in by their certificate, before anything of a request is read."""

        async def admit(context: Any) -> None:
            try:
                await self._gate.admit_certified(method, context)
            except Exception as error:
                refusal: Any = self._refusal(error, method)
                await refusal.stream_unary(None, context)

        async def messages(requests: Any) -> AsyncIterator[Any]:
            async for data in requests:
                yield _read(handler, data)

        def given(request: Any) -> Any:
            return messages(request) if handler.request_streaming else _read(handler, request)

        make, behavior = {
            (False, False): (grpc.unary_unary_rpc_method_handler, handler.unary_unary),
            (False, True): (grpc.unary_stream_rpc_method_handler, handler.unary_stream),
            (True, False): (grpc.stream_unary_rpc_method_handler, handler.stream_unary),
            (True, True): (grpc.stream_stream_rpc_method_handler, handler.stream_stream),
        }[handler.request_streaming, handler.response_streaming]

        async def call(request: Any, context: Any) -> Any:
            await admit(context)
            return await behavior(given(request), context)

        return make(call, None, handler.response_serializer)

    def _refusal(self, error: Exception, method: str) -> Handler:
        async def refuse(requests: Any, context: Any) -> None:
            told = self._gate.refused(error, method, context.peer()) if isinstance(error, ExecsvcError) else error
            await _abort(context, told, method)

        return grpc.stream_unary_rpc_method_handler(observed(refuse, self._observer(method)))

    def _observer(self, method: str) -> MethodObserver:
        return CallLog(method, self._observers.get(method))


def _read(handler: Any, data: bytes) -> Any:
    deserialize = handler.request_deserializer
    return data if deserialize is None else deserialize(data)


def _reads(deserialize: Callable[[bytes], Any], request_bytes: int) -> Callable[[bytes], Any]:
    def read(data: bytes) -> Any:
        if len(data) > request_bytes:
            raise TooLarge(path="request", size=len(data), limit=request_bytes)
        try:
            request = deserialize(data)
        except DecodeError:
            message = "is no message of this method's request type, nests too deeply, or holds text that is not UTF-8"
            raise InvalidRequest([FieldProblem(path="request", reason="UNREADABLE", message=message)]) from None
        add_fields(execution_id=getattr(request, "execution_id", ""))
        return request

    return read


def _serializer(serialize: Callable[[Any], bytes]) -> Callable[[Any], bytes]:
    def serialized(response: Any) -> bytes:
        # Large ones are made as bytes.
        return response if isinstance(response, bytes) else serialize(response)

    return serialized


def _answering(behavior: Behavior, method: str) -> Behavior:
    async def call(requests: Any, context: Any) -> Any:
        context.set_trailing_metadata(_trailer())
        try:
            return await behavior(requests, context)
        except Exception as error:
            await _abort(context, error, method)

    return call


def _trailer() -> tuple[tuple[str, str], ...]:
    return ((REQUEST_ID_KEY, request_id()),)


async def _abort(context: Any, error: Exception, method: str) -> None:
    if isinstance(error, grpc.aio.BaseError):
        # An answer was given already, or there is nobody any more to take one: a connection that broke may make itself
        # known by a response that cannot be written. gRPC ends the call.
        raise error
    if isinstance(error, ExecsvcError):
        code, message, status = status_of(error, request_id())
    else:
        logger.error("%s failed", method, exc_info=error)
        code, message, status = internal_status(request_id())
    await context.abort(code, message, (("grpc-status-details-bin", status), *_trailer()))
