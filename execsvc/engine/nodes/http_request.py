"""What an http node sends: made from its config, the data and the secrets, and made anew where it is redirected."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final
from urllib.parse import quote, quote_plus, unquote, urlencode

import httpx2
import orjson

from execsvc import __version__
from execsvc.definition.expressions import ExpressionError
from execsvc.definition.headers import is_sendable
from execsvc.definition.plan import HttpConfig
from execsvc.definition.templates import FEW, Template
from execsvc.egress.rules import PORTS
from execsvc.engine.nodes.executor import NodeContext, NodeError
from execsvc.engine.nodes.foreign_words import redact

#: Bytes of what is sent; as much as a node may put out.
CONTENT_LIMIT: Final = 4 * 1024 * 1024
#: Characters of a URL, and of all headers; servers refuse longer ones.
URL_LIMIT: Final = 16_384
HEADERS_LIMIT: Final = 65_536
#: Methods that change nothing and so need no key.
_SAFE: Final = frozenset({"GET", "HEAD"})
_KEY: Final = "idempotency-key"
#: Headers of a node that go along to another host: they hold no credentials.
_ANYWHERE: Final = frozenset({"accept", "content-type", "user-agent"})
_SLASHES: Final = re.compile(r"[/\\]")
#: Characters of a URL that messages show.
_SHOWN: Final = 300


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpRequest:
    """One request. Shows nothing of what is in it."""

    method: str
    url: httpx2.URL = field(repr=False)
    #: By name in lower case.
    headers: Mapping[str, str] = field(repr=False)
    #: Names of the headers that hold secrets, in lower case.
    secret: frozenset[str]
    content: bytes | None = field(repr=False)
    #: Whether ``content`` may hold secrets.
    secret_content: bool
    #: Method and URL for people, without secrets and without the query, which is all data.
    where: str


async def make_request(config: HttpConfig, context: NodeContext) -> HttpRequest:
    """Fill in data and secrets, beside the event loop where that could take long.

    Raises:
        NodeError: HTTP_INVALID_REQUEST where they make no request, OUTPUT_TOO_LARGE where they make too large a one;
            SECRET_UNUSABLE, and whatever an expression or a template fails with. None is retryable.
    """
    many = len(config.query) + len(config.headers) + len(config.form) > FEW
    return await asyncio.to_thread(_make, config, context) if many else _make(config, context)


def _make(config: HttpConfig, context: NodeContext) -> HttpRequest:
    try:
        url = _url(config, context)
        headers = _headers(config, context)
        content, content_type = _content(config, context)
    except ExpressionError as error:
        raise NodeError(error.type, error.message) from error
    secret = {name.lower() for name, template in config.headers.items() if template.secrets}
    if content is not None:
        headers.setdefault("content-type", content_type)
        if len(content) > CONTENT_LIMIT:
            raise _too_much()
    headers.setdefault("user-agent", f"execsvc/{__version__}")
    if config.method not in _SAFE:
        headers.setdefault(_KEY, context.series_key)
    return HttpRequest(
        method=config.method,
        url=url,
        headers={name: value for name, value in headers.items() if value},
        secret=frozenset(secret),
        content=content,
        secret_content=any(template.secrets for template in (config.body, *config.form.values()) if template),
        where=_where(config.method, url),
    )


def redirected(request: HttpRequest, status: int, location: str, *, own_key: str) -> HttpRequest:
    """Make the request that a redirect asks for. Source: RFC 9110 section 15.4, and what all browsers do.

    Args:
        own_key: the key that is the server's own, and goes along to another host.

    Raises:
        NodeError: HTTP_UNEXPECTED_STATUS where it leads nowhere, or where the request must not go.
    """
    try:
        target = request.url.join(location)
    except (httpx2.InvalidURL, ValueError):
        raise _refused(request, status, "its Location is no URL") from None
    if target.scheme not in PORTS or not target.host or "%" in target.host:
        raise _refused(request, status, "its Location is no http or https URL with a host")
    if request.url.scheme == "https" and target.scheme == "http":
        raise _refused(request, status, "it leads from https to http")
    target = target.copy_with(userinfo=b"", fragment=None)
    method, content, headers = request.method, request.content, dict(request.headers)
    if (status == 303 and method != "HEAD") or (status in (301, 302) and method == "POST"):
        method, content = "GET", None
        headers.pop("content-type", None)
        headers.pop(_KEY, None)
    if _origin(target) != _origin(request.url):
        if content is not None and request.secret_content:
            raise _refused(request, status, "it leads to another host, and the body names secrets")
        headers = {
            name: value
            for name, value in headers.items()
            if (name in _ANYWHERE and name not in request.secret) or (name == _KEY and value == own_key)
        }
    return replace(request, method=method, url=target, content=content, headers=headers, where=_where(method, target))


def _too_much() -> NodeError:
    return NodeError("OUTPUT_TOO_LARGE", f"what is to be sent has more than {CONTENT_LIMIT} bytes")


def _where(method: str, url: httpx2.URL) -> str:
    text = redact(str(url.copy_with(query=None, fragment=None)))
    return f"{method} {text if len(text) <= _SHOWN else text[:_SHOWN] + '…'}"


def _refused(request: HttpRequest, status: int, why: str) -> NodeError:
    message = f"{request.where} answered {status}, a redirect that is not followed: {why}"
    return NodeError("HTTP_UNEXPECTED_STATUS", message)


def _origin(url: httpx2.URL) -> tuple[str, str, int | None]:
    return url.scheme, url.host, url.port or PORTS.get(url.scheme)


def _url(config: HttpConfig, context: NodeContext) -> httpx2.URL:
    # A secret is the operator's, and may hold what data may not.
    secrets = {name: _encoded(value) for name, value in context.secrets.items()}
    path = config.path.render(context.scope, secrets, quote=_segment) or "/"
    # Some servers, and proxies before them, decode first and then go where dots lead; some cut off what follows a
    # semicolon.
    if any(segment.partition(";")[0] in (".", "..") for segment in _SLASHES.split(unquote(path))):
        raise NodeError("HTTP_INVALID_REQUEST", "url: data makes a segment . or .. of its path, which leads elsewhere")
    parts = []
    if config.search is not None:
        parts.append(config.search.render(context.scope, secrets, quote=_encoded))
    too_long = NodeError("HTTP_INVALID_REQUEST", f"url: with its query it has more than {URL_LIMIT} characters")
    fields = _fields(config.query, context, URL_LIMIT, too_long)
    parts += [f"{_encoded(name)}={_encoded(value)}" for name, value in fields if value]
    query = "&".join(part for part in parts if part)
    text = f"{config.origin}{path}?{query}" if query else f"{config.origin}{path}"
    if len(text) > URL_LIMIT:
        raise too_long
    try:
        return httpx2.URL(text)
    except httpx2.InvalidURL:
        # Its words may hold what is in the URL.
        raise NodeError("HTTP_INVALID_REQUEST", f"url: {config.origin} is no host, or what follows no path") from None


def _segment(value: str) -> str:
    """Encode a value for a path, where nothing would make another path: that of all users instead of one, say.

    So would a slash: many servers, and proxies before them, decode it before they part the path.
    """
    if not value:
        message = "url: a value in its path is missing or empty; in the query it might be"
        raise NodeError("HTTP_INVALID_REQUEST", message)
    if _SLASHES.search(value):
        message = "url: a value in its path has a slash; let it be two values with %2F between them, or a parameter"
        raise NodeError("HTTP_INVALID_REQUEST", message)
    return _encoded(value)


def _encoded(value: str) -> str:
    return quote(value, safe="", errors="replace")


def _fields(
    templates: Mapping[str, Template], context: NodeContext, limit: int, too_long: NodeError
) -> Iterator[tuple[str, str]]:
    """Render templates by name, as long as they are no more than so many characters together."""
    length = 0
    for name, template in templates.items():
        value = template.render(context.scope, context.secrets)
        length += len(value)
        if length > limit:
            raise too_long
        yield name, value


def _headers(config: HttpConfig, context: NodeContext) -> dict[str, str]:
    found: dict[str, str] = {}
    too_long = NodeError("HTTP_INVALID_REQUEST", f"headers: they have more than {HEADERS_LIMIT} characters")
    for name, text in _fields(config.headers, context, HEADERS_LIMIT, too_long):
        template, value = config.headers[name], text.strip()
        # A line end would begin another header; HTTP libraries refuse it with words that repeat the value.
        if not is_sendable(value):
            if all(is_sendable(context.secrets[secret]) for secret in template.secrets):
                raise NodeError("HTTP_INVALID_REQUEST", f"headers.{name}: data makes more of it than one line of ASCII")
            message = f"headers.{name}: what is filled in cannot be sent: it is not one line of ASCII"
            raise NodeError("SECRET_UNUSABLE", message)
        # One that the workflow itself leaves empty is switched off; where data is missing, what is usual is sent.
        if value or not template.source:
            found[name.lower()] = value
    return found


def _content(config: HttpConfig, context: NodeContext) -> tuple[bytes | None, str]:
    if config.json is not None:
        value: Any = config.json.evaluate(context.scope)
        try:
            return orjson.dumps(value, default=dict), "application/json"
        except (TypeError, ValueError) as error:
            raise NodeError("HTTP_INVALID_REQUEST", f"json: the value is no JSON: {error}") from error
    if config.form:
        fields = [(name, value) for name, value in _fields(config.form, context, CONTENT_LIMIT, _too_much()) if value]
        text = urlencode(fields, quote_via=quote_plus, errors="replace")
        return text.encode(), "application/x-www-form-urlencoded"
    if config.body is not None:
        text = config.body.render(context.scope, context.secrets)
        return text.encode(errors="replace"), "text/plain; charset=utf-8"
    return None, ""
