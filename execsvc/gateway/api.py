"""The ASGI application: the routes, what guards them, and errors as problems."""

from __future__ import annotations

import logging
from typing import Any

import grpc.aio
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp

from execsvc import __version__
from execsvc.gateway import executions, health, logs, pages, sockets, streams, workflows
from execsvc.gateway.answers import problem_response
from execsvc.gateway.context import Gateway
from execsvc.gateway.openapi import describe
from execsvc.gateway.origins import Origins
from execsvc.gateway.problems import FieldError, Problem, Refused, invalid, of_error
from execsvc.gateway.request_ids import RequestIds
from execsvc.log_fields import REQUEST_ID_KEY
from execsvc_client import ExecsvcError

logger = logging.getLogger(__name__)

_DESCRIPTION = """Run workflows durably, follow and control them.

Errors are problem details (RFC 9457) with a stable `reason`. Besides what is listed here there is a WebSocket,
`/api/v1/execute/{execution_id}/ws?after=0&tokens=true`: it sends `status`, `log`, `token` and `end` messages and takes
`{"action": "pause" | "resume" | "stop" | "retry", "request_id": "…"}`.
"""


def make_app(gateway: Gateway, channel: grpc.aio.Channel) -> ASGIApp:
    """Make the application.

    Args:
        channel: a connection to the server, for its health.
    """
    app = FastAPI(
        title="execsvc",
        version=__version__,
        description=_DESCRIPTION,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for part in (executions, logs, streams, sockets, workflows, pages):
        app.include_router(part.routes(gateway))
    app.include_router(health.routes(channel))
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_middleware(Origins, allowed=gateway.settings.cors)
    if gateway.settings.cors:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=gateway.settings.cors,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=[
                "Authorization",
                "Content-Type",
                "Idempotency-Key",
                "Last-Event-ID",
                "traceparent",
                "tracestate",
                REQUEST_ID_KEY,
            ],
            expose_headers=["Location", "Retry-After", REQUEST_ID_KEY],
            max_age=3600,
        )
    # Around all others, so that their answers have one as well.
    app.add_middleware(RequestIds)
    return app


async def _refused(request: Request, error: Any) -> Response:
    return problem_response(error.problem, request.url.path)


async def _failed(request: Request, error: Any) -> Response:
    problem = of_error(error)
    if problem.status == 500:
        logger.error("%s %s: %s", request.method, request.url.path, error, exc_info=error)
    return problem_response(problem, request.url.path)


async def _invalid(request: Request, error: Any) -> Response:
    found = [
        FieldError(
            # Headers as HTTP writes them: idempotency-key.
            field=".".join(str(part) for part in problem["loc"][1:]),
            reason="INVALID_VALUE",
            description=problem["msg"],
        )
        for problem in error.errors()
    ]
    return problem_response(invalid(*found).problem, request.url.path)


async def _http(request: Request, error: Any) -> Response:
    reasons = {404: "NO_SUCH_PATH", 405: "METHOD_NOT_ALLOWED"}
    details = {
        404: f"there is nothing at {request.url.path}; /docs lists what there is",
        405: f"{request.method} is not possible here",
    }
    problem = Problem(
        status=error.status_code,
        reason=reasons.get(error.status_code, "HTTP_ERROR"),
        detail=details.get(error.status_code, str(error.detail)),
        headers=dict(error.headers or {}),
    )
    return problem_response(problem, request.url.path)


async def _crashed(request: Request, error: Exception) -> Response:
    problem = Problem(status=500, reason="INTERNAL", detail="internal error; the gateway's log has the details")
    return problem_response(problem, request.url.path)


_HANDLERS: dict[Any, Any] = {
    Refused: _refused,
    ExecsvcError: _failed,
    RequestValidationError: _invalid,
    HTTPException: _http,
    Exception: _crashed,
}
