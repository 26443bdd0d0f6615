"""The routes for those who look after processes: whether this one lives, and whether it can serve."""

from __future__ import annotations

from typing import Final

import grpc.aio
from fastapi import APIRouter, Response
from grpc_health.v1 import health_pb2, health_pb2_grpc

from execsvc.gateway.answers import answer
from execsvc.gateway.openapi import problems
from execsvc.gateway.problems import Problem, Refused
from execsvc.gateway.schemas import Health

#: Seconds that the server may take to say how it is.
TIMEOUT: Final = 2.0


def routes(channel: grpc.aio.Channel) -> APIRouter:
    """Make the routes.

    Args:
        channel: a connection to the server.
    """
    router = APIRouter(tags=["health"])
    check = health_pb2_grpc.HealthStub(channel).Check  # type: ignore[attr-defined]

    @router.get("/healthz", response_class=Response, summary="Whether this process lives", responses=_live())
    async def healthz() -> Response:
        return answer({"status": "ok"})

    @router.get(
        "/readyz",
        response_class=Response,
        summary="Whether the gRPC server behind this gateway serves",
        responses={**_live(), **problems(503)},
    )
    async def readyz() -> Response:
        request = health_pb2.HealthCheckRequest()
        try:
            response = await check(request, timeout=TIMEOUT)
        except grpc.aio.AioRpcError as error:
            raise _not_ready("NO_SERVER", f"the server does not answer: {error.code().name}") from error
        if response.status != health_pb2.HealthCheckResponse.SERVING:
            raise _not_ready("SERVER_DRAINING", "the server is shutting down")
        return answer({"status": "ok"})

    return router


def _live() -> dict[int | str, dict[str, object]]:
    return {200: {"model": Health}}


def _not_ready(reason: str, detail: str) -> Refused:
    return Refused(Problem(status=503, reason=reason, detail=detail, retry_after=1.0))
