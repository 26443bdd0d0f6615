"""Between protobuf's well-known types and plain Python values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import NULL_VALUE, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

from execsvc.errors import FieldProblem, InvalidRequest

#: Up to here every whole double stands for exactly one integer; JSON numbers beyond stay doubles.
_EXACT: Final = float(2**53)
_MICROS: Final = 1_000_000


def plain_object(struct: Struct, path: str) -> dict[str, Any]:
    """Make a dict of a Struct. Whole numbers become integers, as JSON means them; NaN and infinities stay.

    Raises:
        InvalidRequest: a value has no kind; ``path`` is where the struct stands.
    """
    return {key: plain(value, path, key) for key, value in struct.fields.items()}


def plain(value: Value, path: str, key: str | int = "") -> Any:
    """Make a JSON value of a Value; see ``plain_object``."""
    kind = value.WhichOneof("kind")
    if kind == "string_value":
        return value.string_value
    if kind == "number_value":
        number = value.number_value
        if number.is_integer() and -_EXACT <= number <= _EXACT:
            return int(number)
        return number
    if kind == "bool_value":
        return value.bool_value
    if kind == "null_value":
        return None
    if kind == "struct_value":
        return plain_object(value.struct_value, _join(path, key))
    if kind == "list_value":
        where = _join(path, key)
        return [plain(item, where, index) for index, item in enumerate(value.list_value.values)]
    message = "the Value has no kind; set one, null_value for null"
    raise InvalidRequest([FieldProblem(path=_join(path, key), reason="NO_VALUE", message=message)])


def _join(path: str, key: str | int) -> str:
    if isinstance(key, int):
        return f"{path}[{key}]"
    return f"{path}.{key}" if path and key else path or key


def to_value(value: Any) -> Value:
    """Make a Value of a JSON value. Integers beyond 2**53 lose digits, since protobuf has doubles only."""
    message = Value()
    _fill(message, value)
    return message


def to_struct(value: Mapping[str, Any]) -> Struct:
    """Make a Struct of a JSON object."""
    message = Struct()
    _fill_struct(message, value)
    return message


def _fill_struct(message: Struct, value: Mapping[str, Any]) -> None:
    """Put a JSON object into an empty Struct: in place, since each message made to be copied costs as much again."""
    fields = message.fields
    for key, item in value.items():
        _fill(fields[key], item)


def _fill(message: Value, value: Any) -> None:
    if isinstance(value, str):
        message.string_value = value
    elif isinstance(value, bool):
        message.bool_value = value
    elif isinstance(value, int | float):
        message.number_value = value
    elif value is None:
        message.null_value = NULL_VALUE
    elif isinstance(value, Mapping):
        message.struct_value.SetInParent()
        _fill_struct(message.struct_value, value)
    else:
        message.list_value.SetInParent()
        values = message.list_value.values
        for item in value:
            _fill(values.add(), item)


def to_timestamp(micros: int | None) -> Timestamp | None:
    """Make a Timestamp of microseconds since the epoch; None stays unset."""
    if micros is None:
        return None
    return Timestamp(seconds=micros // _MICROS, nanos=micros % _MICROS * 1000)


def to_duration(micros: int | None) -> Duration | None:
    """Make a Duration of microseconds; None stays unset."""
    if micros is None:
        return None
    return Duration(seconds=micros // _MICROS, nanos=micros % _MICROS * 1000)


def micros_of(duration: Duration) -> int:
    """Microseconds of a Duration, rounded down."""
    return duration.seconds * _MICROS + duration.nanos // 1000
