"""The page of the HTTP API: what the gateway's own OpenAPI document says of each route."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import grpc.aio
from fastapi import FastAPI

from execsvc.gateway.api import make_app
from execsvc.gateway.context import Gateway
from execsvc.gateway.settings import Settings
from execsvc_client import AsyncExecutionClient
from tools.docs.markdown import NOTICE, code, escape, table

_INTRODUCTION: Final = """
Every route of the gateway, as its OpenAPI document has it (`/openapi.json`, and `/docs` for people). [HTTP](http.md)
shows them at work, streams and the WebSocket included. Errors are `application/problem+json` (RFC 9457).
"""
#: Nothing is asked of it.
_NOWHERE: Final = "127.0.0.1:1"


def render() -> str:
    """Write the page."""
    document = asyncio.run(_document())
    schemas: Mapping[str, Any] = document["components"]["schemas"]
    parts = ["# HTTP routes", NOTICE.format(source="execsvc/gateway"), _INTRODUCTION.strip()]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            parts += _route(method.upper(), path, operation)
    parts.append("## Bodies")
    for name, schema in sorted(schemas.items()):
        parts += [f"### {name}", *_schema(schema)]
    return "\n\n".join(part for part in parts if part) + "\n"


async def _document() -> dict[str, Any]:
    async with (
        AsyncExecutionClient(_NOWHERE) as client,
        grpc.aio.insecure_channel(_NOWHERE) as channel,
    ):
        app = make_app(Gateway(settings=Settings(target=_NOWHERE), calls=client, streams=client), channel)
        assert isinstance(app, FastAPI)
        return app.openapi()


def _route(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## {method} {code(path)}"
    said = [operation.get("summary", "").rstrip("."), operation.get("description", "")]
    yield escape(" ".join(f"{part.rstrip('.')}." for part in said if part))
    parameters = [
        (code(found["name"]), found["in"], _type(found["schema"]), _text(found, needed=found.get("required", False)))
        for found in operation.get("parameters", ())
    ]
    if parameters:
        yield table(("parameter", "in", "type", ""), parameters)
    for kind, media in operation.get("requestBody", {}).get("content", {}).items():
        yield f"Body: {_type(media['schema'])}, {code(kind)}."
        yield from _examples(media)
    yield table(("status", "answer"), [(code(status), _answer(found)) for status, found in _responses(operation)])
    for status, found in _responses(operation):
        for media in found.get("content", {}).values():
            if status.startswith("2"):
                yield from _examples(media)


def _responses(operation: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    yield from sorted(operation.get("responses", {}).items())


def _answer(response: Mapping[str, Any]) -> str:
    kinds = [_type(media["schema"]) for media in response.get("content", {}).values() if media.get("schema")]
    said = escape(response.get("description", "").replace("Successful Response", "OK"))
    return f"{said.rstrip('.')}: {', '.join(kinds)}" if kinds else said


def _examples(media: Mapping[str, Any]) -> Iterator[str]:
    examples = [media["example"]] if "example" in media else []
    examples += [found["value"] for found in media.get("examples", {}).values() if "value" in found]
    for example in examples[:1]:
        if not isinstance(example, str):
            yield f"```json\n{json.dumps(example, indent=2, ensure_ascii=False)}\n```"


def _schema(schema: Mapping[str, Any]) -> Iterator[str]:
    if "description" in schema:
        yield escape(schema["description"])
    required = schema.get("required", ())
    rows = [
        (code(name), _type(field), _text(field, needed=name in required))
        for name, field in schema.get("properties", {}).items()
    ]
    yield table(("field", "type", ""), rows) if rows else _type(schema)


def _type(schema: Mapping[str, Any]) -> str:
    if "$ref" in schema:
        name = str(schema["$ref"]).rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for several in ("anyOf", "oneOf"):
        if several in schema:
            return " or ".join(dict.fromkeys(_type(found) for found in schema[several]))
    if "allOf" in schema and len(schema["allOf"]) == 1:
        return _type(schema["allOf"][0])
    if "const" in schema:
        return code(json.dumps(schema["const"]))
    if "enum" in schema:
        return ", ".join(code(json.dumps(value)) for value in schema["enum"])
    kind = schema.get("type", "any")
    named = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if named == "array":
        return f"array of {_type(schema.get('items', {}))}"
    if named == "object" and isinstance(schema.get("additionalProperties"), dict):
        return f"object of {_type(schema['additionalProperties'])}"
    return f"{named} ({schema['format']})" if "format" in schema else named


def _text(field: Mapping[str, Any], *, needed: bool) -> str:
    said = [escape(field.get("description", ""))]
    if needed:
        said.append("Required.")
    default = field.get("default", field.get("schema", {}).get("default"))
    if default not in (None, "", [], {}):
        said.append(f"Default: {code(json.dumps(default))}.")
    return " ".join(part for part in said if part)
