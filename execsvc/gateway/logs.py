"""The route of an execution's log, page by page."""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Query, Response

from execsvc.gateway.answers import answer
from execsvc.gateway.context import Gateway
from execsvc.gateway.documents import entry_document
from execsvc.gateway.executions import PageToken
from execsvc.gateway.openapi import ID, problems
from execsvc.gateway.problems import FieldError, invalid
from execsvc.gateway.schemas import LevelName, LogPage
from execsvc_client import LogEntry

Level = Annotated[LevelName | None, Query(description="Leave out entries below this level.")]
NodeId = Annotated[str, Query(description="Only entries of this node.")]
After = Annotated[int | None, Query(ge=0, le=2**63 - 1, description="Only entries after this sequence.")]

#: Page tokens of this gateway begin like this; the server's hold no dot.
_AFTER: Final = "after."


def routes(gateway: Gateway) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["logs"])

    @router.get(
        "/api/v1/execute/{execution_id}/logs",
        response_class=Response,
        summary="A page of the log, oldest first",
        responses={200: {"model": LogPage}, **problems(400, 404, 416, 429, 503)},
    )
    async def logs(
        execution_id: ID,
        level: Level = None,
        node_id: NodeId = "",
        after: After = None,
        limit: Annotated[int, Query(ge=1, le=1000, description="Entries at most.")] = 100,
        page_token: PageToken = "",
    ) -> Response:
        if after is not None and page_token:
            raise invalid(
                FieldError(field="page_token", reason="CONFLICT", description="after and page_token exclude each other")
            )
        place = after if after is not None else _place(page_token)
        if place is not None:
            found, more = await _after(gateway, execution_id, level, node_id, place, limit)
            token = f"{_AFTER}{found[-1].sequence}" if more else ""
        else:
            page = await gateway.calls.list_logs_page(
                execution_id, min_level=_upper(level), node_id=node_id, page_size=limit, page_token=page_token
            )
            found, token = list(page.items), page.next_token
        last = found[-1].sequence if found else place or 0
        return answer(
            {"logs": [entry_document(entry) for entry in found], "last_sequence": last, "next_page_token": token}
        )

    return router


def _place(page_token: str) -> int | None:
    """Read a page token of this gateway; None: it is the server's."""
    number = page_token.removeprefix(_AFTER)
    if number == page_token or not (number.isascii() and number.isdigit() and len(number) < 19):
        return None
    return int(number)


async def _after(
    gateway: Gateway, execution_id: str, level: LevelName | None, node_id: str, place: int, limit: int
) -> tuple[list[LogEntry], bool]:
    """Read so many entries after a place, and whether there are more."""
    found: list[LogEntry] = []
    async with gateway.calls.logs(execution_id, after_sequence=place, min_level=_upper(level), node_id=node_id) as log:
        async for entry in log:
            if len(found) == limit:
                return found, True
            found.append(entry)
    return found, False


def _upper(level: LevelName | None) -> str | None:
    return None if level is None else level.upper()
