"""Turn what CEL gives back into plain JSON values."""

from __future__ import annotations

import base64
import ctypes
import math
import sys
from datetime import UTC, datetime, timedelta
from typing import Any

from execsvc.definition.durations import format_duration

_INT64 = range(-(2**63), 2**63)


class EvaluationFailed(Exception):
    """CEL answered with a value of type ERROR."""


class NotJson(Exception):
    """The result has no JSON form."""


def to_json(value: Any) -> Any:
    """Convert a ``cel.Value``. Raises EvaluationFailed for an error value, NotJson for what JSON cannot say."""
    match value.type().name():
        case "ERROR" | "UNKNOWN":
            raise EvaluationFailed(value.plain_value())
        case "NULL":
            return None
    return _plain(value.plain_value())


def _plain(value: Any) -> Any:
    kind = type(value)
    if kind is str or kind is bool:
        return value
    if kind is int:
        if value not in _INT64:
            raise NotJson("an integer of the result does not fit into 64 bits with sign")
        return value
    if kind is float:
        if not math.isfinite(value):
            raise NotJson(f"the result holds {value}, which is no JSON number")
        return value
    if value is None:
        _repay_none()
        return None
    if kind is list:
        return [_plain(item) for item in value]
    if kind is dict:
        # CEL's maps have no order, and theirs differs between runs.
        return {key: _plain(value[key]) for key in sorted(map(_key, value))}
    if kind is bytearray or kind is bytes:
        return base64.b64encode(value).decode("ascii")
    if kind is datetime:
        return _timestamp(value)
    if kind is timedelta:
        return format_duration(value // timedelta(microseconds=1))
    raise NotJson(f"the result holds a value of type {getattr(value, 'name', lambda: kind.__name__)()}")


def _key(key: Any) -> str:
    if type(key) is not str:
        raise NotJson(f"the result has the key {key!r}; keys must be texts")
    return key


def _timestamp(value: datetime) -> str:
    """RFC 3339 in UTC, with a fraction only where there is one."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


if sys.version_info >= (3, 12):

    def _repay_none() -> None:
        """Do nothing: None is immortal."""
else:
    # cel-expr-python 0.1.3 puts None into results without taking a reference, so each one that is dropped takes one
    # away; after some thousands the interpreter aborts. This gives the reference back.
    _incref = ctypes.pythonapi.Py_IncRef
    _incref.argtypes = [ctypes.py_object]
    _incref.restype = None

    def _repay_none() -> None:
        _incref(None)
