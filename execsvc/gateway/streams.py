"""Server-Sent Events: an execution's log, or all that happens to it, for ``EventSource`` in browsers."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Header, Query, Request, Response
from sse_starlette import EventSourceResponse, ServerSentEvent
from sse_starlette.sse import SendTimeoutError
from starlette.types import Receive, Scope, Send

from execsvc.gateway.answers import dumped
from execsvc.gateway.context import Gateway
from execsvc.gateway.documents import entry_document, status_document
from execsvc.gateway.feed import Feed, Wanted
from execsvc.gateway.logs import After, Level, NodeId
from execsvc.gateway.openapi import ID, events, problems
from execsvc.gateway.problems import FieldError, invalid, of_error
from execsvc_client import ExecsvcError, ExecutionStatus, Unavailable

logger = logging.getLogger(__name__)

#: Milliseconds after which a browser connects again.
RECONNECT: Final = 1000
#: Seconds that the look at the place to go on from may take.
_LOOK: Final = 10.0

#: ``Last-Event-ID``: a sequence; with ``-end`` the end was seen as well.
_PLACE: Final = re.compile(r"([0-9]{1,18})(-end)?")

LastEventId = Annotated[
    str | None,
    Header(description="Sent by browsers when they connect again: the stream goes on after this event.", max_length=64),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """Where a stream begins."""

    after: int
    #: Whether a browser connects again.
    again: bool = False
    #: Whether it has seen the end.
    ended: bool = False


class _Closing(Exception):
    """The gateway goes down."""


class _EventStream(EventSourceResponse):
    """Ends when the gateway goes down, when the browser goes away, and when it does not read what it is sent."""

    def __init__(self, content: AsyncIterator[ServerSentEvent], gateway: Gateway) -> None:
        self._closing = gateway.closing
        self._connections = gateway.connections
        self._places = gateway.places
        super().__init__(
            content,
            ping=gateway.settings.keep_alive,
            ping_message_factory=lambda: ServerSentEvent(comment="keep-alive", sep="\n"),
            send_timeout=gateway.settings.send_timeout,
            sep="\n",
            data_sender_callable=self._until_closing,
        )

    async def _until_closing(self) -> None:
        await self._closing.wait()
        raise _Closing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            with self._places.taken():
                await super().__call__(scope, receive, send)
        except _Closing:
            # A whole answer, so that the browser connects again at once.
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except SendTimeoutError:
            logger.info("a reader of %s does not read: its stream is cut off", scope["path"])
            await self._connections.cut(scope["client"])


def routes(gateway: Gateway) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["streams"])

    @router.get(
        "/api/v1/execute/{execution_id}/logs/stream",
        response_class=Response,
        summary="Follow the log (Server-Sent Events)",
        responses={200: events("log", "end", "problem"), **_more()},
    )
    async def logs_stream(
        request: Request,
        execution_id: ID,
        after: After = None,
        tail: Annotated[int, Query(ge=0, le=2**31 - 1, description="Begin with the last so many entries.")] = 0,
        level: Level = None,
        node_id: NodeId = "",
        last_event_id: LastEventId = None,
    ) -> Response:
        """`log` events, each with its sequence as id, then `end` with where the execution stands."""
        if tail and after is not None:
            raise invalid(FieldError(field="tail", reason="CONFLICT", description="after and tail exclude each other"))
        gateway.places.require()
        start = _start(after, last_event_id)
        if await _nothing_left(gateway, execution_id, start):
            return Response(status_code=204)
        wanted = _wanted(execution_id, start, level, node_id)
        return _EventStream(_log_events(gateway, wanted, 0 if start.again else tail, request.url.path), gateway)

    @router.get(
        "/api/v1/execute/{execution_id}/events",
        response_class=Response,
        summary="Follow states, log and tokens (Server-Sent Events)",
        responses={200: events("status", "log", "token", "end", "problem"), **_more()},
    )
    async def all_events(
        request: Request,
        execution_id: ID,
        after: After = None,
        tokens: Annotated[bool, Query(description="Also what models answer, piece by piece, from now on.")] = False,
        level: Level = None,
        node_id: NodeId = "",
        last_event_id: LastEventId = None,
    ) -> Response:
        """`status` events (a snapshot with the nodes that changed; the first has all), `log` events, `token` events
        where asked for, then `end`. The id of each is the sequence of the last `log` event."""
        gateway.places.require()
        start = _start(after, last_event_id)
        if await _nothing_left(gateway, execution_id, start):
            return Response(status_code=204)
        wanted = _wanted(execution_id, start, level, node_id, tokens=tokens)
        return _EventStream(_all_events(gateway, wanted, request.url.path), gateway)

    return router


def _more() -> dict[int | str, dict[str, Any]]:
    over = {"description": "To a browser that connects again after the end: there is no more."}
    return {204: over, **problems(400, 404, 416, 429, 503)}


def _wanted(execution_id: str, start: _Start, level: str | None, node_id: str, *, tokens: bool = False) -> Wanted:
    upper = None if level is None else level.upper()
    return Wanted(execution_id=execution_id, after=start.after, level=upper, node_id=node_id, tokens=tokens)


def _start(after: int | None, last_event_id: str | None) -> _Start:
    if not last_event_id:
        return _Start(after=after or 0)
    found = _PLACE.fullmatch(last_event_id)
    if found is None:
        description = f"{last_event_id!r} is no id of an event of this stream"
        raise invalid(FieldError(field="Last-Event-ID", reason="INVALID_VALUE", description=description))
    return _Start(after=int(found[1]), again=True, ended=found[2] is not None)


async def _nothing_left(gateway: Gateway, execution_id: str, start: _Start) -> bool:
    """Find out before the answer begins whether there can be a stream, and whether anything would be on it.

    Raises:
        ExecsvcError: there is no such execution, or its log ends before the place.
    """
    try:
        async with asyncio.timeout(_LOOK):
            status = await gateway.calls.status(execution_id)
            if start.after == 0 and not start.ended:
                return False
            async with gateway.calls.logs(execution_id, after_sequence=start.after) as log:
                async for _ in log:
                    return False
    except (Unavailable, TimeoutError):
        # A browser takes an error for the end of everything, so one that connects again waits on an open stream.
        if start.again:
            return False
        raise
    return start.ended and status.state.terminal


async def _log_events(gateway: Gateway, wanted: Wanted, tail: int, path: str) -> AsyncIterator[ServerSentEvent]:
    yield _opening(None if tail else wanted.after)
    log = gateway.streams.logs(
        wanted.execution_id,
        after_sequence=0 if tail else wanted.after,
        tail=tail,
        min_level=wanted.level,
        node_id=wanted.node_id,
        follow=True,
    )
    try:
        async with log:
            async for entry in log:
                yield _event("log", entry_document(entry), str(entry.sequence))
        yield _end(log.final_status, log.last_sequence)
    except ExecsvcError as error:
        yield _event("problem", of_error(error).document(path))


async def _all_events(gateway: Gateway, wanted: Wanted, path: str) -> AsyncIterator[ServerSentEvent]:
    yield _opening(wanted.after)
    try:
        async with Feed(gateway.streams, wanted) as feed:
            async for message in feed:
                place = f"{feed.last_sequence}-end" if message.type == "end" else str(feed.last_sequence)
                yield _event(message.type, message.data, place)
    except ExecsvcError as error:
        yield _event("problem", of_error(error).document(path))


def _opening(place: int | None) -> ServerSentEvent:
    """Begin a stream: says when to connect again, and from where if nothing else comes before."""
    return ServerSentEvent(id=None if place is None else str(place), retry=RECONNECT, sep="\n")


def _end(status: ExecutionStatus | None, last_sequence: int) -> ServerSentEvent:
    document = None if status is None else status_document(status)
    return _event("end", document, f"{last_sequence}-end")


def _event(name: str, document: Any, place: str | None = None) -> ServerSentEvent:
    return ServerSentEvent(data=dumped(document).decode(), event=name, id=place, sep="\n")
