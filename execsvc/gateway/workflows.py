"""The routes about workflows: check a definition, list the node types."""

from __future__ import annotations

from fastapi import APIRouter, Request, Response

from execsvc.gateway.answers import answer
from execsvc.gateway.bodies import read_body
from execsvc.gateway.context import Gateway
from execsvc.gateway.documents import node_type_document
from execsvc.gateway.openapi import body, problems
from execsvc.gateway.problems import field_error
from execsvc.gateway.schemas import NodeTypes, ValidateBody, Validation
from execsvc_client import DefinitionError


def routes(gateway: Gateway) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["workflows"])

    @router.post(
        "/api/v1/validate",
        response_class=Response,
        summary="Check a definition",
        responses={200: {"model": Validation}, **problems(400, 408, 413, 415, 429, 503)},
        openapi_extra=body(ValidateBody),
    )
    async def validate(request: Request) -> Response:
        """Answers every problem at once. A definition with problems is an answer, not an error."""
        wanted = await read_body(request, ValidateBody, gateway.settings)
        try:
            found = (await gateway.calls.validate(wanted.definition)).problems
        except DefinitionError as error:
            found = error.field_violations
        return answer({"valid": not found, "problems": [field_error(problem).document() for problem in found]})

    @router.get(
        "/api/v1/node-types",
        response_class=Response,
        summary="The node types that the server runs",
        responses={200: {"model": NodeTypes}, **problems(429, 503)},
    )
    async def node_types() -> Response:
        found = await gateway.calls.node_types()
        return answer({"node_types": [node_type_document(node_type) for node_type in found]})

    return router
