"""The node type ``http``: what its config looks like, and what becomes of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from execsvc.definition.headers import is_sendable, may_set
from execsvc.definition.node_types import Builder, NodeType, object_schema
from execsvc.definition.plan import HttpConfig
from execsvc.definition.templates import Template

_METHODS: Final = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")
#: Those that send nothing.
_BODILESS: Final = frozenset({"GET", "HEAD"})
#: Up to what ends a host, or begins a tag of a template.
_ORIGIN: Final = re.compile(r"(?i:https?)://[^/?#{\s]*")
#: A name in any script or an address, and a port; who is asked is told by headers.
_AUTHORITY: Final = re.compile(r"(?:\[[0-9A-Fa-f:.]+\]|[^\x00-\x20\x7f<>\"\\^`|{}%@:\[\]]+)(?::\d+)?")
_STATUS: Final = "^(?:[2-5]xx|[2-5][0-9]{2}(?:-[2-5][0-9]{2})?)$"
_TEMPLATE: Final = "a mustache template, which may name secrets"
_TEMPLATES: Final = {"type": "string", "maxLength": 65_536}


def _compile(config: Mapping[str, Any], builder: Builder) -> HttpConfig | None:
    before = len(builder.problems)
    method = config.get("method", "GET")
    origin, path, search = _url(config["url"], builder)
    given = [field for field in ("json", "form", "body") if config.get(field)]
    for field in given[1:]:
        builder.problem([field], "CONFLICT", f"set either '{given[0]}' or '{field}', not both")
    if given and method in _BODILESS:
        builder.problem([given[0]], "CONFLICT", f"a {method} sends no body; set 'method', or put it into 'query'")
    source = config.get("json", "")
    json = builder.expression(["json"], source) if source else None
    body = builder.template(["body"], config["body"], secrets=True) if config.get("body") else None
    query, form = _templates("query", config, builder), _templates("form", config, builder)
    headers = _headers(config, builder)
    expected = [_range(text, i, builder) for i, text in enumerate(config.get("expected_status") or ["2xx"])]
    if path is None or len(builder.problems) > before:
        return None
    return HttpConfig(
        method=method,
        origin=origin,
        path=path,
        search=search,
        query=MappingProxyType(query),
        headers=MappingProxyType(headers),
        json=json,
        form=MappingProxyType(form),
        body=body,
        expected=tuple(expected),
        max_redirects=config.get("max_redirects", 0),
        response_format=config.get("response_format", "auto"),
    )


def _url(url: str, builder: Builder) -> tuple[str, Template | None, Template | None]:
    """Part a URL into its origin, which is literal, and templates of what follows; notes problems."""
    found = _ORIGIN.match(url)
    origin = found[0] if found else ""
    rest = url[len(origin) :]
    where = ["url"]
    if found is None or (rest and rest[0] not in "/?#"):
        message = "must start with http:// or https:// and a host, written out up to the first / as in "
        builder.problem(where, "INVALID_VALUE", message + "https://api.example/v1/users/{{input.id}}")
        return "", None, None
    if not _AUTHORITY.fullmatch(origin.partition("//")[2]):
        message = "must name a host, and a port at most; a user or a key belongs into headers, as secret:NAME"
        builder.problem(where, "INVALID_VALUE", message)
        return "", None, None
    if builder.url(where, f"{origin}/") is None:
        return "", None, None
    first, mark, second = rest.partition("?")
    path = builder.template(where, first, secrets=True)
    search = builder.template(where, second, secrets=True) if mark else None
    for template in (path, search):
        for text in template.literals if template is not None else ():
            if "#" in text:
                builder.problem(where, "INVALID_VALUE", "has a fragment (#…), which is never sent")
            if not text.isprintable() or " " in text or "\\" in text:
                message = "has spaces, line ends or backslashes; write them as %20 and so on"
                builder.problem(where, "INVALID_VALUE", message)
    # What data makes of a segment is looked at when it is there.
    if "{{" not in first and {".", ".."} & set(first.split("/")):
        builder.problem(where, "INVALID_VALUE", "has a segment . or .. in its path; write out where it leads")
    return origin, path, search


def _templates(field: str, config: Mapping[str, Any], builder: Builder) -> dict[str, Template]:
    given: Mapping[str, str] = config.get(field, {})
    found = {name: builder.template([field, name], text, secrets=True) for name, text in given.items()}
    return {name: template for name, template in found.items() if template is not None}


def _headers(config: Mapping[str, Any], builder: Builder) -> dict[str, Template]:
    headers = _templates("headers", config, builder)
    seen: dict[str, str] = {}
    for name in config.get("headers", {}):
        where = ["headers", name]
        if not may_set(name):
            builder.problem(where, "INVALID_VALUE", "is no header that a workflow may set")
        other = seen.setdefault(name.lower(), name)
        if other != name:
            builder.problem(where, "CONFLICT", f"is the same header as {other!r}")
        if name in headers and not all(map(is_sendable, headers[name].literals)):
            builder.problem(where, "INVALID_VALUE", "must be one line of ASCII text")
    return headers


def _range(text: str, place: int, builder: Builder) -> tuple[int, int]:
    if text.endswith("xx"):
        return int(text[0]) * 100, int(text[0]) * 100 + 99
    first, _, last = text.partition("-")
    if last and last < first:
        builder.problem(["expected_status", place], "INVALID_VALUE", f"the range {text} ends before it begins")
    return int(first), int(last or first)


HTTP: Final = NodeType(
    name="http",
    description="Calls an HTTP server; the result has the status, the headers (names in lower case) and the body.",
    config_schema=object_schema(
        {
            "method": {"enum": list(_METHODS), "default": "GET", "description": "What to do; GET if left out."},
            "url": {
                "type": "string",
                "minLength": 1,
                "maxLength": 8192,
                "description": f"Where to: scheme and host as they are, on a host that the operator lets nodes call "
                f"(--egress), and behind them {_TEMPLATE}; values are percent-encoded.",
            },
            "query": {
                "type": "object",
                "default": {},
                "maxProperties": 64,
                "additionalProperties": _TEMPLATES,
                "description": f"Further parameters of the query by name, each {_TEMPLATE}. One that renders to "
                "nothing is left out.",
            },
            "headers": {
                "type": "object",
                "default": {},
                "maxProperties": 32,
                "additionalProperties": {"type": "string", "maxLength": 8192},
                "description": f"Headers by name, each {_TEMPLATE}, as in Bearer secret:NAME. One that renders to "
                "nothing is left out.",
            },
            "json": {
                "type": "string",
                "default": "",
                "description": "A CEL expression whose value is sent as JSON; sees input, nodes.<id>, execution.",
            },
            "form": {
                "type": "object",
                "default": {},
                "maxProperties": 64,
                "additionalProperties": _TEMPLATES,
                "description": f"Instead of json: fields of a form by name, each {_TEMPLATE}. One that renders to "
                "nothing is left out.",
            },
            "body": {
                "type": "string",
                "default": "",
                "description": f"Instead of json: the text that is sent, {_TEMPLATE}. It is text/plain unless the "
                "headers say otherwise.",
            },
            "expected_status": {
                "type": "array",
                "default": [],
                "maxItems": 32,
                "items": {"type": "string", "pattern": _STATUS},
                "description": "Statuses that are a success: 200, 4xx, 200-204. Any other fails the node. Left out: "
                "2xx.",
            },
            "max_redirects": {
                "type": "integer",
                "default": 0,
                "minimum": 0,
                "maximum": 10,
                "description": "How many redirects are followed; headers, and a body that names secrets, go to no "
                "other host.",
            },
            "response_format": {
                "enum": ["auto", "json", "text", "base64"],
                "default": "auto",
                "description": "What the body of the answer becomes; auto: what its content type says.",
            },
        },
        ("url",),
    ),
    effect=True,
    compile=_compile,
)
