"""Run http nodes: call a server, follow its redirects where that is asked for, and answer what it said."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import aclosing
from typing import Any, ClassVar, Final, Literal

import httpx2

from execsvc.definition.plan import HttpConfig
from execsvc.egress import Refusal
from execsvc.egress.rules import PORTS
from execsvc.engine.nodes.executor import NodeContext, NodeError, NodeResult
from execsvc.engine.nodes.http_answer import headers_of, read_body, read_words, value_of
from execsvc.engine.nodes.http_errors import call_error, status_error
from execsvc.engine.nodes.http_request import HttpRequest, make_request, redirected
from execsvc.engine.tracing import HttpCall
from execsvc.model import LogLevel

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})


class HttpNode:
    """Executor of http nodes.

    A server is asked once an attempt: repeating is the engine's business, and so is the node's timeout.

    Args:
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds without a byte after which an answer is given up.
        now: seconds since the epoch, to read Retry-After dates by.
    """

    effect: ClassVar[Literal[True]] = True

    def __init__(
        self, *, connect_timeout: float = 10.0, read_timeout: float = 600.0, now: Callable[[], float] = time.time
    ) -> None:
        self._timeout = httpx2.Timeout(read_timeout, connect=connect_timeout)
        self._now = now

    async def run(self, config: HttpConfig, context: NodeContext) -> NodeResult:
        """Call; the output is an object of ``status``, ``headers`` and ``body``.

        Raises:
            NodeError: HTTP_RATE_LIMITED, HTTP_UNAVAILABLE, HTTP_UNREACHABLE and HTTP_BAD_RESPONSE are retryable;
                HTTP_UNEXPECTED_STATUS, HTTP_BAD_JSON, HTTP_INVALID_REQUEST, ADDRESS_NOT_ALLOWED and
                RESPONSE_TOO_LARGE are not; nor is a template or an expression that fails.
        """
        request = await make_request(config, context)
        context.log(LogLevel.DEBUG, f"calling {request.where}", {"method": request.method})
        # Of all redirects together.
        limit = asyncio.timeout(context.network.bounds.time)
        try:
            async with limit:
                return await self._follow(config, context, request)
        except TimeoutError as error:
            if not limit.expired():
                raise
            raise call_error(error, request.where) from None

    async def _follow(self, config: HttpConfig, context: NodeContext, request: HttpRequest) -> NodeResult:
        for number in range(config.max_redirects + 1):
            answer = await self._traced(config, context, request, number)
            if isinstance(answer, NodeResult):
                return answer
            request = answer
        message = f"{request.where}: more than {config.max_redirects} redirects, which is all that max_redirects allows"
        raise NodeError("HTTP_UNEXPECTED_STATUS", message)

    async def _traced(
        self, config: HttpConfig, context: NodeContext, request: HttpRequest, number: int
    ) -> NodeResult | HttpRequest:
        if context.trace is None or not context.trace.sampled:
            return await self._exchange(config, context, request, None)
        host, port = request.url.host, request.url.port or PORTS[request.url.scheme]
        # Where a redirect leads is no template.
        template = config.path.source or "/" if number == 0 else ""
        with context.trace.http_call(request.method, host, port, template, number) as call:
            return await self._exchange(config, context, request, call)

    async def _exchange(
        self, config: HttpConfig, context: NodeContext, request: HttpRequest, call: HttpCall | None
    ) -> NodeResult | HttpRequest:
        """Send a request and read its answer; gives the request that a redirect asks for where it is followed."""
        client = context.http
        try:
            made = client.build_request(
                request.method, request.url, headers=request.headers, content=request.content, timeout=self._timeout
            )
            response = await client.send(made, stream=True, follow_redirects=False)
            # Closed at once on any way out, so that the connection is not left to the garbage collector.
            async with aclosing(response):
                status = response.status_code
                if call is not None:
                    call.answered(status)
                location = response.headers.get("location", "")
                if status in _REDIRECTS and location and config.max_redirects:
                    return redirected(request, status, location, own_key=context.series_key)
                if not any(first <= status <= last for first, last in config.expected):
                    words = await read_words(response)
                    raise status_error(status, response.headers, words, request.where, now=self._now())
                body = await read_body(response, request.where)
        except (httpx2.HTTPError, httpx2.InvalidURL, httpx2.StreamError, Refusal) as error:
            raise call_error(error, request.where) from None
        value, packed = await value_of(response, body, config.response_format, request.where)
        facts = {"status": status, "bytes": len(body)}
        context.log(LogLevel.DEBUG, f"{request.where} answered {status}", facts)
        output: dict[str, Any] = {"status": status, "headers": headers_of(response), "body": value}
        if packed:
            output["encoding"] = "base64"
        return NodeResult(output=output, checked=True)
