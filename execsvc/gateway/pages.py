"""The pages about the API: its OpenAPI document, and that document for people."""

from __future__ import annotations

import html
import json
import re
from typing import Any

from fastapi import APIRouter, FastAPI, Request, Response
from fastapi.openapi.docs import get_swagger_ui_html

from execsvc.gateway.answers import answer
from execsvc.gateway.context import Gateway

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;margin:0}#plain{max-width:60em;margin:2em auto;padding:0 1em}
#plain article{border:1px solid #8884;border-radius:6px;margin:.6em 0;padding:.4em 1em}
#plain code{font:13px ui-monospace,monospace}#plain pre{background:#8882;border-radius:4px;overflow:auto;padding:.6em}
#plain summary{cursor:pointer}#plain b{display:inline-block;min-width:4.5em}
"""
#: Swagger UI comes from a CDN: where that cannot be reached, the plain list stays.
_SWITCH = "<script>if(window.SwaggerUIBundle)document.getElementById('plain').remove()</script>"


def routes(gateway: Gateway) -> APIRouter:
    """Make the routes."""
    router = APIRouter(include_in_schema=False)

    @router.get("/openapi.json")
    async def openapi(request: Request) -> Response:
        return answer(_document(request))

    @router.get("/docs")
    async def docs(request: Request) -> Response:
        page = get_swagger_ui_html(openapi_url="/openapi.json", title="execsvc API").body
        text = bytes(page).decode()
        plain = f"<style>{_STYLE}</style><div id=plain>{_plain(_document(request))}</div>{_SWITCH}"
        return Response(text.replace("</body>", f"{plain}</body>"), media_type="text/html")

    return router


def _document(request: Request) -> dict[str, Any]:
    app: FastAPI = request.app
    return app.openapi()


def _plain(document: dict[str, Any]) -> str:
    """Write the document as a list, for browsers without a way to the CDN."""
    info = document["info"]
    parts = [f"<h1>{html.escape(info['title'])} {html.escape(info['version'])}</h1>"]
    parts += [f"<p>{_prose(text)}</p>" for text in info["description"].split("\n\n")]
    parts.append("<p>The whole document: <a href=/openapi.json>openapi.json</a></p>")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            parts.append(_operation(document, path, method, operation))
    return "\n".join(parts)


def _prose(text: str) -> str:
    """Write text with its code as code."""
    return re.sub("`([^`]+)`", r"<code>\1</code>", html.escape(text))


def _operation(document: dict[str, Any], path: str, method: str, operation: dict[str, Any]) -> str:
    parts = [
        f"<article><details><summary><b>{method.upper()}</b> <code>{html.escape(path)}</code> "
        f"{_prose(operation.get('summary', ''))}</summary>"
    ]
    if "description" in operation:
        parts.append(f"<p>{_prose(operation['description'])}</p>")
    if operation.get("parameters"):
        items = (
            f"<li><code>{html.escape(item['name'])}</code> ({item['in']}) {_prose(item.get('description', ''))}"
            for item in operation["parameters"]
        )
        parts.append(f"<ul>{''.join(items)}</ul>")
    for content in operation.get("requestBody", {}).get("content", {}).values():
        name = content["schema"]["$ref"].rpartition("/")[2]
        schema = document["components"]["schemas"][name]
        fields = (
            f"<li><code>{html.escape(field)}</code> {_prose(described.get('description', ''))}"
            for field, described in schema["properties"].items()
        )
        parts.append(f"<ul>{''.join(fields)}</ul>")
        parts += [f"<pre>{html.escape(json.dumps(example, indent=2))}</pre>" for example in schema.get("examples", ())]
    answers = (
        f"<li><code>{status}</code> {_prose(found['description'])}" for status, found in operation["responses"].items()
    )
    parts.append(f"<ul>{''.join(answers)}</ul></details></article>")
    return "".join(parts)
