"""The WebSocket of an execution: what happens goes out, control messages come in."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import Annotated, Any, Final

from fastapi import APIRouter, Query, WebSocket, WebSocketDisconnect

from execsvc import cancellation
from execsvc.gateway.answers import dumped
from execsvc.gateway.bodies import as_model, parse_json
from execsvc.gateway.context import Gateway
from execsvc.gateway.documents import status_document
from execsvc.gateway.executions import Action, control
from execsvc.gateway.feed import Feed, Wanted
from execsvc.gateway.problems import FieldError, Problem, Refused, invalid, of_error
from execsvc.gateway.schemas import LevelName, RetryBody
from execsvc_client import ExecsvcError, Unavailable

logger = logging.getLogger(__name__)

#: Close codes of our own are this much above the HTTP status they stand for.
_CLOSE: Final = 4000


class ControlMessage(RetryBody):
    """A message that comes in; ``input_data`` only with ``retry``."""

    action: Action


class _Gone(Exception):
    """The reader does not read what it is sent."""


def routes(gateway: Gateway) -> APIRouter:
    """Make the route."""
    router = APIRouter()

    @router.websocket("/api/v1/execute/{execution_id}/ws")
    async def socket(
        websocket: WebSocket,
        execution_id: str,
        after: Annotated[int, Query(ge=0, le=2**63 - 1)] = 0,
        tokens: bool = True,
        level: LevelName | None = None,
        node_id: str = "",
    ) -> None:
        upper = None if level is None else level.upper()
        wanted = Wanted(execution_id=execution_id, after=after, level=upper, node_id=node_id, tokens=tokens)
        await websocket.accept()
        await _Socket(gateway, websocket, wanted).run()

    return router


class _Socket:
    """One open WebSocket."""

    def __init__(self, gateway: Gateway, websocket: WebSocket, wanted: Wanted) -> None:
        self._gateway = gateway
        self._websocket = websocket
        self._wanted = wanted
        self._sending = asyncio.Lock()
        #: Set when a retry lets an execution go on that had ended.
        self._again = asyncio.Event()

    async def run(self) -> None:
        """Serve until either side leaves."""
        try:
            self._gateway.places.require()
        except Refused as refused:
            await self._refuse(refused.problem)
            return
        with self._gateway.places.taken():
            await self._serve()

    async def _serve(self) -> None:
        tasks = [asyncio.create_task(self._write()), asyncio.create_task(self._read())]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                task.result()
        except ExecsvcError as error:
            await self._refuse(of_error(error))
        except WebSocketDisconnect:
            pass
        except _Gone:
            logger.info("a reader of %s does not read: its WebSocket is cut off", self._websocket.url.path)
            await self._gateway.connections.cut(self._websocket.scope["client"])
        finally:
            await cancellation.end(*tasks)

    async def _write(self) -> None:
        """Send what happens. After the end it waits: a retry may let the execution go on."""
        wanted = self._wanted
        # Without a server the feed waits for it.
        with contextlib.suppress(Unavailable):
            await self._gateway.calls.status(wanted.execution_id)
        while True:
            self._again.clear()
            async with Feed(self._gateway.streams, wanted) as feed:
                async for message in feed:
                    await self._send({"type": message.type, "last_sequence": feed.last_sequence, "data": message.data})
            await self._again.wait()
            wanted = Wanted(
                execution_id=wanted.execution_id,
                after=feed.last_sequence,
                level=wanted.level,
                node_id=wanted.node_id,
                tokens=wanted.tokens,
            )

    async def _read(self) -> None:
        """Carry out what is asked for, one after the other."""
        while True:
            received = await self._websocket.receive()
            if received["type"] == "websocket.disconnect":
                raise WebSocketDisconnect(received.get("code", 1005))
            text = received.get("text")
            data = text.encode("utf-8", "surrogatepass") if text is not None else received["bytes"]
            request_id: Any = None
            try:
                value = parse_json(data)
                request_id = value.get("request_id") if isinstance(value, dict) else None
                answer = await self._controlled(as_model(value, ControlMessage))
            except Refused as refused:
                answer = self._problem(refused.problem, request_id)
            except ExecsvcError as error:
                answer = self._problem(of_error(error), request_id)
            await self._send(answer)

    async def _controlled(self, message: ControlMessage) -> dict[str, Any]:
        if message.input_data is not None and message.action != "retry":
            description = f"goes with retry only, not with {message.action}"
            raise invalid(FieldError(field="input_data", reason="CONFLICT", description=description))
        status = await control(self._gateway, self._wanted.execution_id, message.action, message, message.request_id)
        if message.action == "retry":
            self._again.set()
        return {
            "type": "control",
            "action": message.action,
            "request_id": message.request_id,
            "data": status_document(status),
        }

    def _problem(self, problem: Problem, request_id: Any) -> dict[str, Any]:
        document = problem.document(self._websocket.url.path)
        return {"type": "problem", "request_id": request_id if isinstance(request_id, str) else None, "data": document}

    async def _refuse(self, problem: Problem) -> None:
        """Say why the execution cannot be followed, and close."""
        try:
            await self._send(self._problem(problem, None))
            await self._websocket.close(_CLOSE + problem.status, problem.reason)
        except (WebSocketDisconnect, RuntimeError, _Gone):
            logger.debug("the browser left first")

    async def _send(self, message: dict[str, Any]) -> None:
        async with self._sending:
            try:
                async with asyncio.timeout(self._gateway.settings.send_timeout):
                    await self._websocket.send_text(dumped(message).decode())
            except TimeoutError as error:
                raise _Gone from error
