"""Check that a Python value is JSON as the service takes it, without recursion and whatever the value is."""

from __future__ import annotations

import math
from typing import Any

from execsvc.definition.problems import Problems, join, shorten

#: Lists and objects inside each other. Protobuf parsers read 100 messages inside each other, an object takes three,
#: and what is stored has to fit into an answer around it.
MAX_DEPTH = 30
#: Problems named before the check gives up.
_MAX_PROBLEMS = 100

_INT64 = range(-(2**63), 2**63)


def check_json(value: Any, path: str, problems: Problems) -> None:
    """Note NaN and infinities, integers beyond 64 bits, broken Unicode, deep nesting and what is no JSON at all."""
    start = len(problems)
    # (value, key, parent) so that a path is only spelled out where something is wrong.
    stack: list[tuple[Any, Any, int]] = [(value, path, 0)]
    trail: list[Any] = []
    while stack and len(problems) - start < _MAX_PROBLEMS:
        item, key, depth = stack.pop()
        kind = type(item)
        if item is None or kind is bool:
            continue
        del trail[depth:]
        trail.append(key)
        if kind is str:
            if not item.isascii() and not _encodes(item):
                problems.add(
                    _spell(trail), "INVALID_UTF8", "the text holds half of a surrogate pair; send valid Unicode"
                )
        elif kind is int:
            if item not in _INT64:
                problems.add(_spell(trail), "NUMBER_OUT_OF_RANGE", "integers must fit into 64 bits with sign")
        elif kind is float:
            if not math.isfinite(item):
                problems.add(_spell(trail), "NOT_A_NUMBER", f"{item} is no JSON number")
        elif kind is dict or kind is list:
            if depth >= MAX_DEPTH:
                problems.add(_spell(trail), "TOO_DEEP", f"values nest deeper than {MAX_DEPTH} levels")
            elif kind is list:
                stack += [(item[i], i, depth + 1) for i in range(len(item) - 1, -1, -1)]
            else:
                _check_keys(item, trail, problems)
                stack += [(part, name, depth + 1) for name, part in reversed(item.items()) if type(name) is str]
        else:
            problems.add(_spell(trail), "NOT_JSON", f"a value of type {kind.__name__} is no JSON")


def _check_keys(item: dict[Any, Any], trail: list[Any], problems: Problems) -> None:
    for name in item:
        if type(name) is not str:
            problems.add(_spell(trail), "NOT_JSON", f"keys must be texts, not {type(name).__name__}")
        elif not name.isascii() and not _encodes(name):
            problems.add(_spell(trail), "INVALID_UTF8", f"the key {shorten(name)!r} is no valid Unicode")


def _encodes(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _spell(trail: list[Any]) -> str:
    return join(trail[0], trail[1:])


def at_least(value: Any, enough: int) -> int:
    """Say how many bytes the JSON text of a value has at least; stops looking where that is more than ``enough``."""
    size = 0
    stack = [value]
    while stack and size <= enough:
        item = stack.pop()
        kind = type(item)
        if kind is str:
            size += 2 + len(item)
        elif kind is dict:
            # Of an entry quotes, colon and comma; the value counts for itself.
            size += 1 + 4 * len(item) + sum(map(len, item))
            stack += item.values()
        elif kind is list:
            size += 1 + len(item)
            stack += item
        else:
            size += 1
    return size


def whole_numbers(value: Any) -> Any:
    """Copy a JSON value with whole floats as integers, so that JSON text and protobuf's doubles mean the same."""
    if type(value) is float:
        return int(value) if value.is_integer() and abs(value) < 2**53 else value
    if type(value) is dict:
        return {key: whole_numbers(part) for key, part in value.items()}
    if type(value) is list:
        return [whole_numbers(part) for part in value]
    return value


def kind_of(value: Any) -> str:
    """Name the JSON type of a value, for messages."""
    if value is None:
        return "null"
    return _KINDS.get(type(value), type(value).__name__)


_KINDS = {bool: "a boolean", int: "an integer", float: "a number", str: "a text", list: "a list", dict: "an object"}
