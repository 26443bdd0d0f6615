"""Read definitions and inputs from JSON files, with the line and column of what is wrong."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from execsvc.definition.problems import shorten
from execsvc.errors import FieldProblem, InvalidRequest

_MAX_DEPTH = 256


def load_file_text(text: str | bytes, *, filename: str) -> dict[str, Any]:
    """Parse the text of a JSON file that holds one object.

    Raises:
        InvalidRequest: it is no JSON, names a key twice in one object, holds NaN or infinity, is not UTF-8, or is
            nested deeper than 256 levels. The problem's path is ``file:line:column``.
    """
    if isinstance(text, bytes):
        text = _decode(text, filename)
    text = text.removeprefix("\ufeff")
    _check_depth(text, filename)
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        raise _invalid(filename, text, error.pos, "JSON_SYNTAX", error.msg) from error
    except _Refused as error:
        raise _invalid(filename, text, _find(text, error.needle), error.reason, str(error)) from error
    except (RecursionError, ValueError) as error:
        # Python refuses integers of more than 4,300 digits.
        raise _invalid(filename, text, 0, "JSON_SYNTAX", shorten(str(error), 200)) from error
    if not isinstance(value, dict):
        raise _invalid(filename, text, 0, "WRONG_TYPE", "the file must hold a JSON object")
    return value


class _Refused(ValueError):
    def __init__(self, reason: str, needle: str, message: str) -> None:
        self.reason = reason
        self.needle = needle
        super().__init__(message)


def _decode(data: bytes, filename: str) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        before = data[: error.start].decode("utf-8")
        message = f"byte 0x{data[error.start]:02x} is no valid UTF-8; save the file as UTF-8"
        raise _invalid(filename, before, len(before), "INVALID_UTF8", message) from error


def _unique(pairs: Sequence[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise _Refused("DUPLICATE_KEY", json.dumps(key), f"the key {shorten(key)!r} stands twice in one object")
        result[key] = value
    return result


def _refuse_constant(name: str) -> Any:
    raise _Refused("NOT_A_NUMBER", name, f"{name} is no JSON number")


def _find(text: str, needle: str) -> int:
    """Find what was refused; the reader does not tell where it is. For a key, its last place is the repetition."""
    position = text.rfind(needle) if needle.startswith('"') else _outside_of_texts(text, needle)
    return max(position, 0)


def _outside_of_texts(text: str, needle: str) -> int:
    inside = False
    position = 0
    while position < len(text):
        char = text[position]
        if inside and char == "\\":
            position += 1
        elif char == '"':
            inside = not inside
        elif not inside and text.startswith(needle, position):
            return position
        position += 1
    return -1


def _check_depth(text: str, filename: str) -> None:
    if text.count("[") + text.count("{") <= _MAX_DEPTH:
        return
    depth, inside, position = 0, False, 0
    while position < len(text):
        char = text[position]
        if inside:
            if char == "\\":
                position += 1
            elif char == '"':
                inside = False
        elif char == '"':
            inside = True
        elif char in "[{":
            depth += 1
            if depth > _MAX_DEPTH:
                raise _invalid(filename, text, position, "TOO_DEEP", f"values nest deeper than {_MAX_DEPTH} levels")
        elif char in "]}":
            depth -= 1
        position += 1


def _invalid(filename: str, text: str, position: int, reason: str, message: str) -> InvalidRequest:
    before = text[:position]
    line, column = before.count("\n") + 1, position - (before.rfind("\n") + 1) + 1
    return InvalidRequest(
        [
            FieldProblem(
                path=f"{filename}:{line}:{column}", reason=reason, message=f"{message} (line {line}, column {column})"
            )
        ]
    )
