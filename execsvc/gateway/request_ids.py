"""The id of each HTTP request: the caller's own or one made here; in answers, in the log, and sent on to the server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from execsvc.log_fields import REQUEST_ID_KEY, begin_request, request_id

_STARTS: Final = frozenset({"http.response.start", "websocket.accept", "websocket.http.response.start"})


def sent_on() -> Sequence[tuple[str, str]]:
    """Give the metadata that goes to the server with the calls that a request leads to."""
    found = request_id()
    return ((REQUEST_ID_KEY, found),) if found else ()


class RequestIds:
    """Notes the id of each request, and puts it into the answer."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        found = begin_request(Headers(scope=scope).get(REQUEST_ID_KEY, ""))

        async def answer(message: Message) -> None:
            if message["type"] in _STARTS:
                message = {**message, "headers": list(message.get("headers", ()))}
                MutableHeaders(raw=message["headers"])[REQUEST_ID_KEY] = found
            await send(message)

        await self._app(scope, receive, answer)
