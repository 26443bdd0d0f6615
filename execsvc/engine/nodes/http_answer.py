"""What an http node makes of an answer: its body within bounds, as JSON, text or base64, and the headers it keeps."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from typing import Any, Final

import httpx2
import orjson

from execsvc.definition.json_values import check_json
from execsvc.definition.problems import Problems
from execsvc.egress import ResponseTooLarge
from execsvc.engine.nodes.executor import NodeError

#: Bytes of a body that are read; as much as a node may put out.
BODY_LIMIT: Final = 4 * 1024 * 1024
#: Lists and objects of a JSON body: each takes a while to make, and meanwhile nothing else goes on.
PARTS_LIMIT: Final = 250_000
#: Bytes of the body of a failure that are read for its words.
WORDS_LIMIT: Final = 16 * 1024
#: Bytes that are read in place; more are read beside the event loop.
_SMALL: Final = 32 * 1024
#: Headers that are not kept: what the connection is made of, and cookies, which are credentials.
_DROPPED: Final = frozenset({"connection", "keep-alive", "set-cookie", "set-cookie2", "trailer", "transfer-encoding"})
_JSON: Final = re.compile(r"application/json|text/json|[\w.+-]+/[\w.-]+\+json")
#: Integers of 64 bits have fewer digits; what has more might be one that would lose some.
_LONG_NUMBER: Final = re.compile(rb"[0-9]{20}")
#: Encodings that are read. Python knows more, some of which take time without end, or are no text.
_CHARSETS: Final = frozenset(
    {"ascii", "us-ascii", "utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "utf-32", "shift_jis", "shift-jis"}
    | {"euc-jp", "iso-2022-jp", "euc-kr", "gb2312", "gbk", "gb18030", "big5", "koi8-r", "koi8-u", "latin1", "macintosh"}
    | {f"iso-8859-{number}" for number in range(1, 17) if number != 12}
    | {f"windows-{number}" for number in (874, *range(1250, 1259))}
)


async def read_body(response: httpx2.Response, where: str) -> bytes:
    """Read a body to its end. Raises NodeError (RESPONSE_TOO_LARGE), and what the library does."""
    announced = response.headers.get("content-length", "")
    length = int(announced) if announced.isdecimal() and len(announced) < 20 else 0
    pieces: list[bytes] = []
    if response.request.method != "HEAD":
        if length > BODY_LIMIT:
            raise _too_large(where)
        length = 0
        async for piece in response.aiter_bytes():
            length += len(piece)
            if length > BODY_LIMIT:
                raise _too_large(where)
            pieces.append(piece)
    return b"".join(pieces)


async def read_words(response: httpx2.Response) -> str:
    """Read the beginning of the body of a failure, as text; nothing where that fails."""
    pieces: list[bytes] = []
    length = 0
    try:
        async for piece in response.aiter_bytes():
            length += len(piece)
            pieces.append(piece)
            if length >= WORDS_LIMIT:
                break
    except (httpx2.HTTPError, ResponseTooLarge):
        # What has come is what there is.
        pass
    return _decoded(b"".join(pieces)[:WORDS_LIMIT], _charset(response), errors="replace")


def headers_of(response: httpx2.Response) -> dict[str, str]:
    """Give the headers of an answer, names in lower case; several of one name are joined."""
    return {name: value for name, value in response.headers.items() if name not in _DROPPED}


async def value_of(response: httpx2.Response, body: bytes, wanted: str, where: str) -> tuple[Any, bool]:
    """Give what a body says, and whether that is base64, which a body becomes that is no text.

    Args:
        wanted: ``auto``, ``json``, ``text`` or ``base64``.

    Raises:
        NodeError: HTTP_BAD_JSON where it is none, or holds what a node cannot put out; RESPONSE_TOO_LARGE.
    """
    if not body:
        return (None, False) if wanted in ("auto", "json") else ("", wanted == "base64")
    media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    if wanted == "auto" and _JSON.fullmatch(media_type):
        wanted = "json"
    work = (response, body, wanted, media_type, where)
    return _value(*work) if len(body) <= _SMALL else await asyncio.to_thread(_value, *work)


def _value(response: httpx2.Response, body: bytes, wanted: str, media_type: str, where: str) -> tuple[Any, bool]:
    charset = _charset(response)
    match wanted:
        case "json":
            return _parsed(body, charset, where), False
        case "text":
            return _decoded(body, charset, errors="replace"), False
        case "base64":
            return base64.b64encode(body).decode(), True
    try:
        return _decoded(body, charset, errors="strict"), False
    except UnicodeError:
        if charset or media_type.startswith("text/"):
            return _decoded(body, charset, errors="replace"), False
        return base64.b64encode(body).decode(), True


def _parsed(body: bytes, charset: str, where: str) -> Any:
    if charset not in ("", "utf-8", "utf8", "ascii", "us-ascii"):
        body = _decoded(body, charset, errors="replace").encode()
    body = body.removeprefix(b"\xef\xbb\xbf")
    if body.count(b"{") + body.count(b"[") > PARTS_LIMIT:
        message = f"{where} answered JSON of more than {PARTS_LIMIT} lists and objects"
        raise NodeError(ResponseTooLarge.type, message)
    try:
        value = orjson.loads(body)
        if _LONG_NUMBER.search(body):
            # What orjson makes of an integer that is too long is near it.
            value = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NodeError("HTTP_BAD_JSON", f"{where} answered a body that is no JSON: {error}") from None
    problems = Problems()
    check_json(value, "body", problems)
    if len(problems):
        first = problems.in_order()[0]
        hint = "response_format text takes it as it is"
        raise NodeError(
            "HTTP_BAD_JSON", f"{where} answered JSON that is not taken: {first.path}: {first.message}; {hint}"
        )
    return value


def _charset(response: httpx2.Response) -> str:
    """Name the encoding that an answer says it has; empty: it says none, or one that is not read."""
    found = re.search(r"charset\s*=\s*\"?([\w-]{1,40})", response.headers.get("content-type", ""), re.IGNORECASE)
    name = found[1].lower() if found else ""
    return name if name in _CHARSETS else ""


def _decoded(body: bytes, charset: str, *, errors: str) -> str:
    text = body.decode(charset or "utf-8", errors)
    return text.removeprefix("\ufeff")


def _too_large(where: str) -> NodeError:
    return NodeError(ResponseTooLarge.type, f"{where} answers with more than {BODY_LIMIT} bytes")
