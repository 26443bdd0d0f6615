"""The OpenAPI document: FastAPI's, with request bodies and problems as this API has them."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal

from fastapi import FastAPI, Path
from fastapi.openapi.utils import get_openapi
from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from execsvc.gateway.problems import MEDIA_TYPE
from execsvc.gateway.schemas import MORE

_REF: Final = "#/components/schemas/{model}"
_WORDS: Final = {
    400: "The request is not valid; `errors` has every problem with its path.",
    401: "The token is missing, wrong, expired or revoked.",
    403: "Not allowed: to the role of the token (`required_role` has the one it takes), or to pages of this origin.",
    404: "There is no such execution, or no such stored workflow.",
    409: "The id is taken, or the state does not allow it: `state` has the current one.",
    408: "The body did not come in time.",
    413: "The body, the definition or the input is too large.",
    415: "The body is not `application/json`.",
    416: "The place lies past the end of the log; `last_sequence` has its end.",
    429: "The queue is full, there is more to do than can be done, or too many wrong tokens came; see `Retry-After`.",
    503: "The server cannot be reached, or takes nothing right now.",
    507: "The disk of the server is full.",
}

_BEARER: Final = "bearer"
_SCHEME: Final = {
    "type": "http",
    "scheme": "bearer",
    "description": "An API token, as `execsvc token create` makes it. Servers without `--auth token` ask for none.",
}

ID = Annotated[str, Path(description="Id of the execution.", examples=["hello-1"])]


def problems(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Describe the errors of a route; those that any route may have are added."""
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="ProblemDetails")}}}
    found: dict[int | str, dict[str, Any]] = {
        status: {"description": _WORDS[status], "content": content} for status in sorted({*statuses, 401, 403})
    }
    for status in (429, 503, 507):
        if status in found:
            found[status] = found[status] | {"headers": _header("Retry-After", "Seconds to wait.", "integer")}
    found["default"] = {"description": "Any other error.", "content": content}
    return found


def created(model: type[BaseModel], description: str) -> dict[str, Any]:
    """Describe the answer that names where to look."""
    return {
        "model": model,
        "description": description,
        "headers": _header("Location", "Where its status is.", "string"),
    }


def _header(name: str, description: str, kind: Literal["integer", "string"]) -> dict[str, Any]:
    return {name: {"description": description, "schema": {"type": kind}}}


def body(model: type[BaseModel], *, required: bool = True) -> dict[str, Any]:
    """Describe the body that a route reads by itself."""
    schema = {"$ref": _REF.format(model=model.__name__)}
    return {"requestBody": {"required": required, "content": {"application/json": {"schema": schema}}}}


def describe(app: FastAPI) -> dict[str, Any]:
    """Make the document, once."""
    if app.openapi_schema is not None:
        return app.openapi_schema
    document = get_openapi(
        title=app.title,
        version=app.version,
        openapi_version=app.openapi_version,
        description=app.description,
        routes=app.routes,
        tags=app.openapi_tags,
    )
    document["components"]["securitySchemes"] = {_BEARER: _SCHEME}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            # The empty one: whether a token is asked for is the server's own decision.
            operation["security"] = [{_BEARER: []}, {}] if path.startswith("/api/") else []
            # FastAPI's own words for a parameter that is not valid; here that is a problem like any other.
            operation["responses"].pop("422", None)
    schemas: dict[str, Any] = document["components"]["schemas"]
    for name in ("HTTPValidationError", "ValidationError"):
        schemas.pop(name, None)
    _, more = models_json_schema([(model, "validation") for model in MORE], ref_template=_REF)
    schemas.update(more["$defs"])
    for schema in schemas.values():
        schema["properties"] = {name: _named(field) for name, field in schema.get("properties", {}).items()}
    app.openapi_schema = document
    return document


def _named(field: dict[str, Any]) -> dict[str, Any]:
    """Put the reference in the place of a field's own schema, where it names a model."""
    name = field.pop("x-model", None)
    if name is None:
        return field
    reference = {"$ref": _REF.format(model=name)}
    kept = {key: value for key, value in field.items() if key in ("description", "default", "title")}
    return kept | ({"anyOf": [reference, {"type": "null"}]} if "default" in field else reference)


def events(*names: str) -> dict[str, Any]:
    """Describe a stream of Server-Sent Events with these names."""
    shown = {
        "status": 'id: 3\nevent: status\ndata: {"execution_id":"hello-1","status":"running","progress":0.33,…}',
        "log": 'id: 4\nevent: log\ndata: {"sequence":4,"level":"info","node_id":"greet","message":"started",…}',
        "token": 'id: 4\nevent: token\ndata: {"node_id":"greet","attempt":1,"text":"Hello"}',
        "end": 'id: 9-end\nevent: end\ndata: {"execution_id":"hello-1","status":"completed","progress":1.0,…}',
    }
    example = "".join(f"{shown[name]}\n\n" for name in names if name in shown)
    content = {"text/event-stream": {"schema": {"type": "string"}, "example": example}}
    return {"description": f"Events {', '.join(f'`{name}`' for name in names)}.", "content": content}
