"""Where in a trace something happens, as W3C headers say it."""

from __future__ import annotations

from collections.abc import Mapping

from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.trace import NonRecordingSpan, SpanContext
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

_W3C = TraceContextTextMapPropagator()
_NAMES = ("traceparent", "tracestate")


def written(span: SpanContext) -> dict[str, str]:
    """Write a place in a trace as ``traceparent`` and, if there is one, ``tracestate``; nothing where it is none."""
    carrier: dict[str, str] = {}
    _W3C.inject(carrier, context=within(span))
    return carrier


def read(facts: Mapping[str, object]) -> SpanContext | None:
    """Read it back; None: there is none."""
    carrier = {name: text for name in _NAMES if isinstance(text := facts.get(name), str)}
    span = trace.get_current_span(_W3C.extract(carrier, context=Context())).get_span_context()
    return span if span.is_valid else None


def within(span: SpanContext) -> Context:
    """Give the context of a span that another part has made."""
    return trace.set_span_in_context(NonRecordingSpan(span), Context())
