"""Read the body of a request: bounded, strictly JSON, one object of known fields; every problem with its path."""

from __future__ import annotations

import asyncio
import json
import math
from collections.abc import Iterator
from typing import Any, Final, TypeVar

from pydantic import BaseModel, ValidationError
from starlette.requests import Request

from execsvc.gateway.problems import FieldError, Problem, Refused, invalid
from execsvc.gateway.settings import Settings

_Model = TypeVar("_Model", bound=BaseModel)

#: Bodies up to this many bytes are parsed at once; larger ones in a thread, so that nobody else waits for it.
_SMALL: Final = 128 * 1024
#: What the reasons of pydantic's problems are called in this API.
_REASONS: Final = {"missing": "REQUIRED", "extra_forbidden": "UNKNOWN_FIELD"}


class _Duplicate(ValueError):
    """A key stands twice in one object."""


async def read_body(request: Request, model: type[_Model], settings: Settings, *, optional: bool = False) -> _Model:
    """Read a request's body as a model.

    Args:
        settings: say how large it may be, and how long it may take to come.
        optional: whether there may be none.

    Raises:
        Refused: it is too large or too late, no JSON, or not what the model wants.
    """
    data = await _bytes(request, settings.max_body, settings.body_timeout)
    if optional and not data.strip():
        return model()
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json" and not media_type.endswith("+json"):
        raise invalid(
            FieldError(
                field="Content-Type",
                reason="UNSUPPORTED_MEDIA_TYPE",
                description=f"must be application/json, not {media_type or 'missing'}; curl sends it with --json",
            ),
            status=415,
            reason="UNSUPPORTED_MEDIA_TYPE",
        )
    value = parse_json(data) if len(data) <= _SMALL else await asyncio.to_thread(parse_json, data)
    return as_model(value, model)


async def _bytes(request: Request, limit: int, within: float) -> bytes:
    too_large = Refused(
        Problem(
            status=413,
            reason="TOO_LARGE",
            detail=f"the body is larger than this gateway allows, {limit} bytes (--max-body)",
            facts={"path": "", "limit": limit, "unit": "bytes"},
        )
    )
    announced = request.headers.get("content-length", "")
    if announced.isdecimal() and int(announced) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(within):
            async for part in request.stream():
                size += len(part)
                if size > limit:
                    raise too_large
                parts.append(part)
    except TimeoutError:
        detail = f"the body was not there {within:g} s after the request began; send it at once"
        headers = {"Connection": "close"}
        raise Refused(Problem(status=408, reason="REQUEST_STALLED", detail=detail, headers=headers)) from None
    return b"".join(parts)


def parse_json(data: bytes) -> Any:
    """Parse JSON as RFC 8259 has it: UTF-8, no NaN, no key twice. Raises Refused."""
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        before = data[: error.start]
        raise _syntax(
            f"byte {error.start} is not UTF-8",
            "INVALID_UTF8",
            before.count(b"\n") + 1,
            error.start - before.rfind(b"\n"),
        ) from None
    odd: list[str] = []

    def constant(name: str) -> float:
        odd.append(name)
        return math.nan

    try:
        value = json.loads(text, parse_constant=constant, object_pairs_hook=_object)
        places = list(_places(value, "")) if odd else []
    except json.JSONDecodeError as error:
        raise _syntax(f"not JSON: {error.msg}", "JSON_SYNTAX", error.lineno, error.colno) from None
    except _Duplicate as error:
        key = str(error)
        raise invalid(FieldError(field=key, reason="DUPLICATE_KEY", description="stands twice in one object")) from None
    except RecursionError:
        raise invalid(FieldError(field="", reason="TOO_DEEP", description="the JSON is nested too deeply")) from None
    except ValueError as error:
        # Integers of more digits than Python converts.
        raise invalid(FieldError(field="", reason="NUMBER_OUT_OF_RANGE", description=str(error))) from None
    if places:
        what = f"JSON has no {odd[0]}; send null or a string"
        raise invalid(*(FieldError(field=path, reason="NOT_A_NUMBER", description=what) for path in places))
    return value


def _syntax(what: str, reason: str, line: int, column: int) -> Refused:
    error = FieldError(
        field="", reason=reason, description=f"line {line}, column {column}: {what}", line=line, column=column
    )
    return invalid(error)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _Duplicate(key)
            seen.add(key)
    return found


def _places(value: Any, path: str) -> Iterator[str]:
    """Give the paths of what is no number; the JSON's parser says only that there is some."""
    if isinstance(value, dict):
        for key, item in value.items():
            yield from _places(item, f"{path}.{key}" if path else key)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _places(item, f"{path}[{index}]")
    elif isinstance(value, float) and not math.isfinite(value):
        yield path


def as_model(value: Any, model: type[_Model]) -> _Model:
    """Check the fields of a JSON value. Raises Refused."""
    try:
        return model.model_validate(value, strict=True)
    except ValidationError as error:
        raise invalid(*(_field_error(found, model) for found in error.errors(include_url=False))) from None


def _field_error(found: Any, model: type[BaseModel]) -> FieldError:
    path = ""
    for part in found["loc"]:
        if isinstance(part, int):
            path += f"[{part}]"
        elif part not in ("str", "float", "int", "bool"):
            # Not the names of a union's members.
            path += f".{part}" if path else str(part)
    kind = found["type"]
    if kind == "extra_forbidden":
        description = f"unknown field; known are {', '.join(model.model_fields)}"
    elif kind == "missing":
        description = "is required"
    elif kind in ("model_type", "model_attributes_type"):
        description = "the body must be a JSON object"
    else:
        description = found["msg"]
    return FieldError(field=path, reason=_REASONS.get(kind, "WRONG_TYPE"), description=description)
