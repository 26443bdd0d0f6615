"""Which pages may call: browsers send requests for any page, to servers on this machine as well."""

from __future__ import annotations

import logging
from collections.abc import Collection
from contextvars import ContextVar
from typing import Final

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from execsvc.gateway.answers import problem_response
from execsvc.gateway.problems import Problem

logger = logging.getLogger(__name__)

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})

#: The bearer token of the request that is being answered; sent on to the server.
bearer: ContextVar[str] = ContextVar("bearer", default="")


class Origins:
    """Refuses what a page of another origin asks for, unless it is allowed to; notes whose token a request carries.

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
        try:
            await self._app(scope, receive, send)
        finally:
            bearer.reset(held)

    def _may(self, headers: Headers) -> bool:
        origin = headers.get("origin")
        if origin is None or origin in self._allowed or "*" in self._allowed:
            return True
        return origin.partition("://")[2] == headers.get("host")
