"""Which pages may call: browsers send requests for any page, to servers on this machine as well."""

from __future__ import annotations

import logging
import re
from collections.abc import Collection, Sequence
from contextvars import ContextVar
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from execsvc.gateway.answers import problem_response
from execsvc.gateway.problems import Problem

logger = logging.getLogger(__name__)

#: W3C's headers. What does not look like them is not sent on: gRPC would refuse the whole call.
_TRACEPARENT: Final = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}(-[!-~]{0,128})?")
_TRACESTATE: Final = re.compile(r"[ -~]{1,1024}")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

#: The bearer token of the request that is being answered; sent on to the server.
bearer: ContextVar[str] = ContextVar("bearer", default="")
#: Headers of that request that say which trace it belongs to; sent on to the server.
trace_context: ContextVar[Sequence[tuple[str, str]]] = ContextVar("trace_context", default=())


class Origins:
    """Refuses what a page of another origin asks for, unless it may; notes a request's token, and its place in a trace.

    What changes nothing needs no guard: browsers keep the answer from the page (CORS). WebSockets and plain POSTs they
    send all the same.
    """

    def __init__(self, app: ASGIApp, allowed: Collection[str]) -> None:
        self._app = app
        self._allowed = frozenset(allowed)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        guarded = scope["type"] == "websocket" or scope["method"] not in _SAFE
        if guarded and not self._may(headers):
            origin = headers["origin"]
            if scope["type"] == "websocket":
                # Browsers keep why a handshake failed from the page: it is told here.
                logger.warning("a WebSocket of a page of %s was refused; allow it with --cors %s", origin, origin)
                await send({"type": "websocket.close", "code": 1008})
                return
            problem = Problem(
                status=403,
                reason="ORIGIN_NOT_ALLOWED",
                detail=f"pages of {origin} may not call this gateway; allow them with --cors {origin}",
            )
            await problem_response(problem, scope["path"])(scope, receive, send)
            return
        scheme, _, token = headers.get("authorization", "").partition(" ")
        held = bearer.set(token.strip() if scheme.lower() == "bearer" else "")
        traced = trace_context.set(_trace_context(headers))
        try:
            await self._app(scope, receive, send)
        finally:
            bearer.reset(held)
            trace_context.reset(traced)

    def _may(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin in self._allowed or "*" in self._allowed:
            return True
        return origin.partition("://")[2] == headers.get("host")


def _trace_context(headers: Headers) -> Sequence[tuple[str, str]]:
    parent, state = headers.get("traceparent", ""), ",".join(headers.getlist("tracestate"))
    if not _TRACEPARENT.fullmatch(parent):
        return ()
    named = ("traceparent", parent)
    return (named, ("tracestate", state)) if _TRACESTATE.fullmatch(state) else (named,)
