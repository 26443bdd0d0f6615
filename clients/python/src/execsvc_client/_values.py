"""Convert between plain Python values and the protobuf well-known types, with the path of whatever does not fit."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

#: Levels of lists and objects inside a value. protobuf parsers stop at 100 nested messages, and a level costs three.
MAX_DEPTH = 30
#: Doubles are exact up to here, so whole numbers up to here are answered as ``int``.
MAX_EXACT_INT = 2**53
#: Parts of a value, and bytes of a message a tenth of which are parts, that take some milliseconds to convert.
LARGE = 5_000
LARGE_BYTES = 10 * LARGE
#: Span that ``google.protobuf.Duration`` can hold, in seconds: about 10,000 years.
MAX_SECONDS = 315_576_000_000

_SPAN = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)(us|ms|s|m|h)")
_UNITS = {"us": 10**3, "ms": 10**6, "s": 10**9, "m": 60 * 10**9, "h": 3600 * 10**9}


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong with a request or a definition."""

    #: Where, for example ``definition.nodes[3].config.expression``.
    path: str
    #: Stable name of the kind of problem, UPPER_SNAKE_CASE; may be empty.
    reason: str
    #: What is wrong and what would be right, for people.
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class Problems:
    """Gathers every problem of one conversion, so that all are reported at once."""

    __slots__ = ("found",)

    def __init__(self) -> None:
        self.found: list[Problem] = []

    def add(self, path: str, reason: str, message: str) -> None:
        """Note one problem and go on."""
        self.found.append(Problem(path=path, reason=reason, message=message))

    def wrong_type(self, path: str, wanted: str, value: object) -> None:
        """Note that a value has the wrong type."""
        self.add(path, "WRONG_TYPE", f"expected {wanted}, got {describe(value)}")


def describe(value: object) -> str:
    """Return how people call the type of a JSON value."""
    if value is None:
        return "null"
    names = {bool: "a boolean", int: "a number", float: "a number", str: "a string", dict: "an object", list: "a list"}
    return names.get(type(value), f"a {type(value).__name__}")


def member(path: str, key: object) -> str:
    """Return the path of one field of an object."""
    return f"{path}.{key}" if path else str(key)


def is_list(value: object) -> bool:
    """Whether a value is a list in the JSON sense."""
    return isinstance(value, Sequence) and not isinstance(value, str | bytes | bytearray)


def is_large(value: object) -> bool:
    """Whether a value has so many parts that to convert it takes more than some milliseconds."""
    left = LARGE
    stack = [value]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            left -= len(item)
            stack += item.values() if left >= 0 else ()
        elif isinstance(item, Sequence) and not isinstance(item, str | bytes | bytearray):
            left -= len(item)
            stack += item if left >= 0 else ()
        if left < 0:
            return True
    return False


def fill_value(target: Value, value: object, path: str, problems: Problems, depth: int = 0) -> None:
    """Write a JSON-like Python value into a protobuf value.

    Numbers become doubles on the wire, so an integer that a double cannot hold exactly is a problem, not a silent
    change; so are NaN, the infinities and text that is no Unicode.
    """
    if value is None:
        target.null_value = 0  # type: ignore[assignment]
    elif isinstance(value, bool):
        target.bool_value = value
    elif isinstance(value, int | float):
        _fill_number(target, value, path, problems)
    elif isinstance(value, str):
        if checked_text(value, path, problems):
            target.string_value = value
    elif isinstance(value, Mapping):
        target.struct_value.SetInParent()
        fill_struct(target.struct_value, value, path, problems, depth)
    elif is_list(value):
        target.list_value.SetInParent()
        _fill_list(target.list_value, value, path, problems, depth)  # type: ignore[arg-type]
    else:
        problems.wrong_type(path, "a JSON value (null, boolean, number, string, list or object)", value)


def fill_struct(target: Struct, value: Mapping[Any, Any], path: str, problems: Problems, depth: int = 0) -> None:
    """Write a mapping with text keys into a protobuf struct."""
    if _too_deep(path, problems, depth):
        return
    for key, item in value.items():
        if not isinstance(key, str):
            problems.wrong_type(member(path, key), "a string as key", key)
        elif checked_text(key, path, problems):
            fill_value(target.fields[key], item, member(path, key), problems, depth + 1)


def _fill_list(target: ListValue, value: Iterable[object], path: str, problems: Problems, depth: int) -> None:
    if _too_deep(path, problems, depth):
        return
    for index, item in enumerate(value):
        fill_value(target.values.add(), item, f"{path}[{index}]", problems, depth + 1)


def _too_deep(path: str, problems: Problems, depth: int) -> bool:
    if depth < MAX_DEPTH:
        return False
    problems.add(path, "TOO_DEEP", f"lists and objects may be nested {MAX_DEPTH} levels deep at most")
    return True


def _fill_number(target: Value, value: int | float, path: str, problems: Problems) -> None:
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if isinstance(value, float) and not math.isfinite(number):
        problems.add(path, "NOT_FINITE", f"JSON has no {value}; send null or a string")
    elif isinstance(value, int) and (not math.isfinite(number) or int(number) != value):
        problems.add(path, "INEXACT_INTEGER", f"{_short(value)} does not fit a double exactly; send it as a string")
    else:
        target.number_value = number


def _short(number: int) -> str:
    # Writing out an integer of more than 4,300 digits is refused by Python itself.
    return str(number) if number.bit_length() < 200 else f"an integer of {number.bit_length()} bits"


def checked_text(value: str, path: str, problems: Problems) -> bool:
    """Whether text can be sent; protobuf takes no lone surrogates."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError as error:
        problems.add(path, "INVALID_UNICODE", f"character {error.start} is half of a surrogate pair, not text")
        return False
    return True


def plain_value(value: Value) -> Any:
    """Return a protobuf value as plain Python; whole numbers up to 2**53 become ``int``, as on the server."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        return int(number) if number.is_integer() and abs(number) <= MAX_EXACT_INT else number
    if kind == "bool_value":
        return value.bool_value
    if kind == "struct_value":
        return plain_struct(value.struct_value)
    if kind == "list_value":
        return [plain_value(item) for item in value.list_value.values]
    return None


def plain_struct(struct: Struct) -> dict[str, Any]:
    """Return a protobuf struct as a plain dict."""
    return {key: plain_value(value) for key, value in struct.fields.items()}


def plain_time(message: Any, field: str) -> datetime | None:
    """Return a timestamp field as an aware datetime in UTC; None where it is not set."""
    if not message.HasField(field):
        return None
    stamp: Timestamp = getattr(message, field)
    return stamp.ToDatetime(tzinfo=UTC)


def plain_duration(message: Any, field: str) -> timedelta | None:
    """Return a duration field as a timedelta; None where it is not set."""
    if not message.HasField(field):
        return None
    span: Duration = getattr(message, field)
    return span.ToTimedelta()


def fill_duration(target: Duration, value: object, path: str, problems: Problems) -> None:
    """Write seconds (a number), a timedelta, or text such as ``"1.5s"`` or ``"200ms"`` into a protobuf duration."""
    nanos = _nanoseconds(value)
    if nanos is None:
        problems.add(
            path,
            "INVALID_DURATION",
            f'expected seconds (1.5), a timedelta or text like "1.5s", "200ms", "2m" or "1h", got {value!r:.80}',
        )
    elif abs(nanos) > MAX_SECONDS * 10**9:
        problems.add(path, "INVALID_DURATION", f"at most {MAX_SECONDS:,} seconds fit, got {value!r:.80}")
    else:
        target.SetInParent()
        sign = -1 if nanos < 0 else 1
        seconds, rest = divmod(abs(nanos), 10**9)
        target.seconds, target.nanos = sign * seconds, sign * rest


def _nanoseconds(value: object) -> int | None:
    if isinstance(value, timedelta):
        return (value // timedelta(microseconds=1)) * 1000
    if isinstance(value, str) and (found := _SPAN.fullmatch(value)):
        return int(Decimal(found[1]) * _UNITS[found[2]])
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        return round(value * 10**9) if math.isfinite(value) else None
    except OverflowError:
        return None
