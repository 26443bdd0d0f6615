"""Match results against patterns; ``clients/scenarios/README.md`` says what they mean."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any


class Mismatch(Exception):
    """Something is not as the pattern wants it."""

    def __init__(self, path: str, expected: str, value: object) -> None:
        super().__init__(f"{f'at {path}: ' if path else ''}expected {expected}, got {show(value)}")


def show(value: object) -> str:
    """Write a value for people, shortened."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 300 else f"{text[:300]}… ({len(text)} characters)"


def match(pattern: Any, value: Any, path: str = "") -> None:
    """Compare a value with a pattern.

    Raises:
        Mismatch: with the place of the first difference.
    """
    if isinstance(pattern, dict):
        if pattern and all(key.startswith("$") for key in pattern):
            for name, operand in pattern.items():
                _operate(name, operand, value, path)
            return
        if not pattern and _is_default(value):
            return
        if not isinstance(value, dict):
            raise Mismatch(path, f"an object with {', '.join(pattern)}", value)
        for key, item in pattern.items():
            match(item, value.get(key), f"{path}.{key}" if path else key)
    elif isinstance(pattern, list):
        if not pattern and _is_default(value):
            return
        if not isinstance(value, list) or len(value) != len(pattern):
            raise Mismatch(path, f"a list of {len(pattern)}", value)
        for index, item in enumerate(pattern):
            match(item, value[index], f"{path}.{index}" if path else str(index))
    elif not _equal(pattern, value):
        raise Mismatch(path, show(pattern), value)


def _is_default(value: Any) -> bool:
    return value is None or value is False or value == 0 or value in ("", [], {})


def _number(value: Any) -> float | int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return value
    if isinstance(value, str) and re.fullmatch(r"-?[0-9]+([.][0-9]+)?", value):
        return float(value) if "." in value else int(value)
    return None


def _equal(pattern: Any, value: Any) -> bool:
    if value is None:
        return _is_default(pattern)
    if isinstance(pattern, bool) or isinstance(value, bool):
        return pattern is value
    if isinstance(pattern, int | float) or isinstance(value, int | float):
        wanted = _number(pattern)
        return wanted is not None and wanted == _number(value)
    return bool(pattern == value)


def _operate(name: str, operand: Any, value: Any, path: str) -> None:
    compare = _COMPARISONS.get(name)
    if compare is not None:
        number = _number(value)
        if number is None or not compare(number, operand):
            raise Mismatch(path, f"{name} {operand}", value)
    elif name in _OPERATORS:
        _OPERATORS[name](operand, value, path)
    else:
        raise Mismatch(path, f"an operator that there is, not {name}", value)


def _any(operand: Any, value: Any, path: str) -> None:
    if _is_default(value):
        raise Mismatch(path, "something", value)


def _absent(operand: Any, value: Any, path: str) -> None:
    if not _is_default(value):
        raise Mismatch(path, "nothing", value)


def _match(operand: Any, value: Any, path: str) -> None:
    if not isinstance(value, str) or not re.search(operand, value):
        raise Mismatch(path, f"text that matches {operand}", value)


def _len(operand: Any, value: Any, path: str) -> None:
    if (0 if value is None else len(value) if isinstance(value, str | list | dict) else -1) != operand:
        raise Mismatch(path, f"{operand} items", value)


def _contains(operand: Any, value: Any, path: str) -> None:
    if isinstance(operand, str):
        if not isinstance(value, str) or operand not in value:
            raise Mismatch(path, f"text with {show(operand)}", value)
        return
    if not isinstance(value, list):
        raise Mismatch(path, "a list", value)
    for pattern in operand:
        if not any(_matches(pattern, item) for item in value):
            raise Mismatch(path, f"an item like {show(pattern)}", value)


def _each(operand: Any, value: Any, path: str) -> None:
    if not isinstance(value, list):
        raise Mismatch(path, "a list", value)
    for index, item in enumerate(value):
        match(operand, item, f"{path}.{index}" if path else str(index))


def _not(operand: Any, value: Any, path: str) -> None:
    if _matches(operand, value):
        raise Mismatch(path, f"not {show(operand)}", value)


def _keys(operand: Any, value: Any, path: str) -> None:
    if not isinstance(value, dict) or sorted(value) != sorted(operand):
        raise Mismatch(path, f"the keys {', '.join(operand)}", value)


def _matches(pattern: Any, value: Any) -> bool:
    try:
        match(pattern, value)
    except Mismatch:
        return False
    return True


_COMPARISONS: Mapping[str, Callable[[Any, Any], bool]] = {
    "$gt": lambda value, limit: bool(value > limit),
    "$gte": lambda value, limit: bool(value >= limit),
    "$lt": lambda value, limit: bool(value < limit),
    "$lte": lambda value, limit: bool(value <= limit),
}
_OPERATORS: Mapping[str, Callable[[Any, Any, str], None]] = {
    "$any": _any,
    "$absent": _absent,
    "$match": _match,
    "$len": _len,
    "$contains": _contains,
    "$each": _each,
    "$not": _not,
    "$keys": _keys,
}
