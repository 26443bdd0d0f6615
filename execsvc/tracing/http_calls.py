"""Spans of requests over HTTP, by OpenTelemetry's conventions for HTTP clients, without what is data in a URL."""

from __future__ import annotations

from opentelemetry.sdk.trace import Tracer

from execsvc.tracing.client_spans import ClientSpan


class HttpCallSpan(ClientSpan):
    """Implements ``engine.HttpCall``.

    Args:
        template: the path as the workflow has it.
        redirects: how many requests have led here.
        content: whether the span holds texts that may come from inputs and outputs.
    """

    def __init__(
        self, tracer: Tracer, method: str, host: str, port: int, *, template: str, redirects: int, content: bool
    ) -> None:
        super().__init__(tracer, method, content=content)
        if not self._span.is_recording():
            return
        self._span.set_attributes({"http.request.method": method, "server.address": host, "server.port": port})
        if template:
            self._span.set_attribute("url.template", template)
        if redirects:
            self._span.set_attribute("http.request.resend_count", redirects)

    def answered(self, status: int) -> None:
        """See ``HttpCall``."""
        self._span.set_attribute("http.response.status_code", status)
