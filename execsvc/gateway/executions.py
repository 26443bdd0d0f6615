"""The routes of executions: start, look, list, control, delete."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Header, Query, Request, Response

from execsvc.gateway.answers import answer
from execsvc.gateway.bodies import read_body
from execsvc.gateway.context import Gateway
from execsvc.gateway.documents import record_document, status_document, summary_document
from execsvc.gateway.openapi import ID, body, created, problems
from execsvc.gateway.problems import FIELDS, FieldError, Refused, invalid, of_error
from execsvc.gateway.schemas import (
    ControlBody,
    ExecuteBody,
    ExecutionPage,
    ExecutionStateName,
    Record,
    RetryBody,
    Status,
    Validation,
    View,
)
from execsvc_client import ExecsvcError, ExecutionStatus

Action = Literal["pause", "resume", "stop", "retry"]

IdempotencyKey = Annotated[
    str | None,
    Header(description="Taken where the body names no id; quotes around it are dropped.", max_length=256),
]
PageToken = Annotated[
    str, Query(description="`next_page_token` of the page before, with the other parameters as they were.")
]

_SUMMARIES: Final[dict[Action, str]] = {
    "pause": "Pause an execution: nodes under way finish, none starts",
    "resume": "Resume a paused execution",
    "stop": "Stop an execution: what is under way is cancelled",
    "retry": "Let a failed or stopped execution go on; what has finished keeps its result",
}


def routes(gateway: Gateway) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["executions"])

    @router.post(
        "/api/v1/execute",
        status_code=202,
        response_class=Response,
        summary="Start an execution",
        responses={
            200: {"model": Validation, "description": "With `validate_only`: the request is valid."},
            202: created(Status, "It is stored, and waits for a slot unless the request was a repeat."),
            **problems(400, 404, 408, 409, 413, 415, 429, 503, 507),
        },
        openapi_extra=body(ExecuteBody),
    )
    async def execute(request: Request, idempotency_key: IdempotencyKey = None) -> Response:
        """Answers once the execution is on disk. The same request again answers the execution that is there."""
        wanted = await read_body(request, ExecuteBody, gateway.settings)
        key = _key(wanted.execution_id, idempotency_key, "execution_id")
        try:
            status = await gateway.calls.execute(
                wanted.definition,
                wanted.input_data,
                execution_id=key,
                workflow_id=wanted.workflow_id or "",
                workflow_version=wanted.version or "",
                labels=wanted.labels,
                priority=wanted.priority or 0,
                timeout=wanted.timeout,
                concurrency_key=wanted.concurrency_key or "",
                retry=wanted.retry,
                validate_only=wanted.validate_only,
            )
        except ExecsvcError as error:
            raise _named(error, wanted.execution_id, "execution_id") from error
        if wanted.validate_only:
            return answer({"valid": True, "problems": []})
        location = str(request.app.url_path_for("status", execution_id=status.execution_id))
        return answer(status_document(status), 202, {"Location": location})

    @router.get(
        "/api/v1/execute/{execution_id}/status",
        response_class=Response,
        summary="Where an execution stands",
        responses={200: {"model": Status}, **problems(400, 404, 429, 503)},
    )
    async def status(execution_id: ID) -> Response:
        return answer(status_document(await gateway.calls.status(execution_id)))

    @router.get(
        "/api/v1/execute/{execution_id}",
        response_class=Response,
        summary="The record of an execution",
        responses={200: {"model": Record}, **problems(400, 404, 429, 503)},
    )
    async def record(
        execution_id: ID,
        view: Annotated[View, Query(description="`basic` leaves out definition, input and outputs.")] = "full",
    ) -> Response:
        found = await gateway.calls.get(execution_id, view)
        return answer(record_document(found, full=view == "full"))

    @router.delete(
        "/api/v1/execute/{execution_id}",
        status_code=204,
        response_class=Response,
        summary="Remove an execution that has ended",
        responses=problems(400, 404, 409, 429, 503),
    )
    async def delete(execution_id: ID) -> Response:
        await gateway.calls.delete(execution_id)
        return Response(status_code=204)

    @router.get(
        "/api/v1/executions",
        response_class=Response,
        summary="List executions",
        responses={200: {"model": ExecutionPage}, **problems(400, 429, 503)},
    )
    async def executions(
        filter: Annotated[
            str, Query(description='In the language of AIP-160, such as `labels.team = "billing"`.')
        ] = "",
        state: Annotated[list[ExecutionStateName], Query(description="Only in one of these states.")] = [],  # noqa: B006
        workflow_id: Annotated[str | None, Query(description="Only of this workflow.")] = None,
        order_by: Annotated[
            str, Query(description="`create_time` or `end_time`, with ` desc` for the newest first.")
        ] = "create_time desc",
        limit: Annotated[int, Query(ge=1, le=1000, description="Executions at most.")] = 50,
        page_token: PageToken = "",
    ) -> Response:
        page = await gateway.calls.list_executions_page(
            selection(filter, state, workflow_id), order_by=order_by, page_size=limit, page_token=page_token
        )
        return answer(
            {"executions": [summary_document(item) for item in page.items], "next_page_token": page.next_token}
        )

    for action in _SUMMARIES:
        _control_route(router, gateway, action)
    return router


def _control_route(router: APIRouter, gateway: Gateway, action: Action) -> None:
    model = RetryBody if action == "retry" else ControlBody

    @router.post(
        f"/api/v1/execute/{{execution_id}}/{action}",
        response_class=Response,
        name=action,
        operation_id=action,
        summary=_SUMMARIES[action],
        responses={
            200: {"model": Status, "description": "It is done; this is where it stands now."},
            **problems(400, 404, 408, 409, 413, 415, 429, 503, 507),
        },
        openapi_extra=body(model, required=False),
    )
    async def control_execution(request: Request, execution_id: ID, idempotency_key: IdempotencyKey = None) -> Response:
        wanted = await read_body(request, model, gateway.settings, optional=True)
        key = _key(wanted.request_id, idempotency_key, "request_id")
        try:
            status = await control(gateway, execution_id, action, wanted, key)
        except ExecsvcError as error:
            raise _named(error, wanted.request_id, "request_id") from error
        return answer(status_document(status))


async def control(
    gateway: Gateway, execution_id: str, action: Action, wanted: ControlBody, request_id: str | None
) -> ExecutionStatus:
    """Change an execution's state. Raises ExecsvcError."""
    calls: dict[Action, Callable[..., Awaitable[ExecutionStatus]]] = {
        "pause": gateway.calls.pause,
        "resume": gateway.calls.resume,
        "stop": gateway.calls.stop,
        "retry": gateway.calls.retry,
    }
    more: dict[str, Any] = {"input": wanted.input_data} if isinstance(wanted, RetryBody) and action == "retry" else {}
    state = wanted.expected_state
    return await calls[action](
        execution_id,
        wanted.reason or "",
        expected_state=None if state is None else state.upper(),
        request_id=request_id,
        **more,
    )


def _key(in_body: str | None, header: str | None, field: str) -> str | None:
    """Give the id that a request carries. Raises Refused if it carries two."""
    key = header
    if key is not None and len(key) >= 2 and key[0] == key[-1] == '"':
        # Written as the draft of the header wants it, as a structured field.
        key = key[1:-1]
    if key == "":
        raise invalid(FieldError(field="Idempotency-Key", reason="INVALID_ID", description="is empty"))
    if in_body and key and in_body != key:
        description = f"says {key!r}, but {field} in the body is {in_body!r}; send one of them"
        raise invalid(FieldError(field="Idempotency-Key", reason="CONFLICT", description=description[:400]))
    return in_body or key


def _named(error: ExecsvcError, in_body: str | None, field: str) -> Refused:
    """Name what is wrong with the request as it was sent: the id may have come as a header."""
    return Refused(of_error(error, FIELDS if in_body else {**FIELDS, field: "Idempotency-Key"}))


def selection(filter: str, states: list[ExecutionStateName], workflow_id: str | None) -> str:
    """Write the filter of what meets every condition."""
    parts = [" OR ".join(f"state = {state.upper()}" for state in states)] if states else []
    if workflow_id is not None:
        escaped = workflow_id.replace("\\", "\\\\").replace('"', '\\"')
        parts.append(f'workflow_id = "{escaped}"')
    if not filter.strip():
        return " AND ".join(parts)
    # Alone it stays as it was written, so that the columns in what the server says of it are right.
    return " AND ".join([*parts, f"({filter})"]) if parts else filter
