"""Spans of what nodes call, around each call: requests made inside belong to it."""

from __future__ import annotations

import asyncio
from contextvars import Token
from types import TracebackType
from typing import Self

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import Tracer
from opentelemetry.trace import SpanKind, Status, StatusCode

from execsvc.engine import NodeError
from execsvc.engine.secrecy import hidden_here


class ClientSpan:
    """Implements ``engine.tracing.ClientCall``.

    Args:
        content: whether the span holds texts that may come from inputs and outputs.
    """

    def __init__(self, tracer: Tracer, name: str, *, content: bool) -> None:
        self._content = content
        self._token: Token[Context] | None = None
        self._span = tracer.start_span(name, kind=SpanKind.CLIENT)

    def __enter__(self) -> Self:
        """See ``ClientCall``."""
        self._token = otel_context.attach(trace.set_span_in_context(self._span))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """See ``ClientCall``."""
        if self._token is not None:
            otel_context.detach(self._token)
        if error is not None:
            self.failed(error)
        self._span.end()

    def failed(self, error: BaseException) -> None:
        """Say how the call failed."""
        type, text = error.__class__.__name__, ""
        if isinstance(error, NodeError):
            type, text = error.type, error.message
        elif isinstance(error, asyncio.CancelledError):
            type = "cancelled"
        self._span.set_attribute("error.type", type)
        # Servers repeat in errors what they were asked.
        self._span.set_status(Status(StatusCode.ERROR, hidden_here().hide(text) if self._content and text else type))
