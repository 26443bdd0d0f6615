"""Spans of calls of the API, by OpenTelemetry's conventions for RPC."""

from __future__ import annotations

from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import Span, SpanKind, Status, StatusCode

#: Codes that are a server's fault; others are answers to what a client asked.
_FAULTS: Final = frozenset({"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"})


class CallSpans:
    """Implements ``rpc.CallObserver``."""

    def __init__(self, tracer: Tracer) -> None:
        self._tracer = tracer

    def method(self, service: str, method: str, *, streaming: bool) -> MethodSpans:
        """See ``rpc.CallObserver``."""
        return MethodSpans(self._tracer, f"{service}/{method}")


class MethodSpans:
    """Implements ``rpc.MethodObserver``."""

    def __init__(self, tracer: Tracer, name: str) -> None:
        self._tracer = tracer
        self._name = name
        self._fields = propagate.get_global_textmap().fields
        self._attributes = {"rpc.system.name": "grpc", "rpc.method": name}

    def began(self, request: Any, context: Any) -> Span:
        """See ``rpc.MethodObserver``. The call becomes what is current in the task that answers it."""
        carrier = {
            key: value
            for key, value in context.invocation_metadata() or ()
            if key in self._fields and isinstance(value, str)
        }
        parent = propagate.extract(carrier, context=Context()) if carrier else Context()
        span = self._tracer.start_span(self._name, context=parent, kind=SpanKind.SERVER, attributes=self._attributes)
        execution_id = getattr(request, "execution_id", "")
        if execution_id and span.is_recording():
            span.set_attribute("execsvc.execution.id", execution_id)
        otel_context.attach(trace.set_span_in_context(span, Context()))
        return span

    def ended(self, call: Any, code: str, seconds: float) -> None:
        """See ``rpc.MethodObserver``."""
        span: Span = call
        span.set_attribute("rpc.response.status_code", code)
        if code != "OK":
            span.set_attribute("error.type", code)
        if code in _FAULTS:
            span.set_status(Status(StatusCode.ERROR, code))
        span.end()
