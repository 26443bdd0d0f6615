"""Write plain Python values into protobuf messages by their descriptors, noting every problem with its path."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import Any

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import Message

from execsvc_client._values import Problems, checked_text, fill_duration, fill_struct, fill_value, is_list, member

_BITS = {FieldDescriptor.TYPE_INT32: 32, FieldDescriptor.TYPE_INT64: 64}


def refuse_unknown(
    source: Mapping[Any, Any], path: str, known: tuple[str, ...], ignored: frozenset[str], problems: Problems
) -> None:
    """Note each key that is neither known nor to be ignored."""
    for key in source:
        if key not in known and key not in ignored:
            shown = ", ".join(name for name in known if name.islower())
            problems.add(member(path, key), "UNKNOWN_FIELD", f"unknown field; known are {shown}")


@cache
def names_of(descriptor: Any) -> Mapping[str, FieldDescriptor]:
    """Return the fields of a message by both their spellings, ``on_error`` and ``onError``."""
    fields: Sequence[FieldDescriptor] = descriptor.fields
    return {field.name: field for field in fields} | {field.json_name: field for field in fields}


def fill_message(message: Message, source: Mapping[Any, Any], path: str, problems: Problems) -> None:
    """Write a mapping into a message; None counts as not given."""
    names = names_of(message.DESCRIPTOR)
    refuse_unknown(source, path, tuple(names), frozenset(), problems)
    for key, value in source.items():
        if key in names and value is not None:
            fill_field(message, names[key], value, member(path, key), problems)


def fill_field(message: Message, field: FieldDescriptor, value: object, path: str, problems: Problems) -> None:
    """Write one value into one field of any type the API uses."""
    if field.message_type is not None and field.message_type.GetOptions().map_entry:
        _fill_map(getattr(message, field.name), value, path, problems)
    elif field.is_repeated:
        _fill_repeated(getattr(message, field.name), field, value, path, problems)
    elif field.message_type is not None:
        _fill_submessage(getattr(message, field.name), value, path, problems)
    else:
        scalar = _scalar(field, value, path, problems)
        if scalar is not None:
            setattr(message, field.name, scalar)


def _fill_map(target: Any, value: object, path: str, problems: Problems) -> None:
    # The only maps of the API are from text to text.
    if not isinstance(value, Mapping):
        problems.wrong_type(path, "an object", value)
        return
    for key, item in value.items():
        if not isinstance(key, str) or not isinstance(item, str):
            problems.wrong_type(member(path, key), "a string", item if isinstance(key, str) else key)
        elif checked_text(key, path, problems) and checked_text(item, member(path, key), problems):
            target[key] = item


def _fill_repeated(target: Any, field: FieldDescriptor, value: object, path: str, problems: Problems) -> None:
    if not is_list(value):
        problems.wrong_type(path, "a list", value)
        return
    for index, item in enumerate(value):  # type: ignore[arg-type, var-annotated]
        place = f"{path}[{index}]"
        if field.message_type is not None:
            _fill_submessage(target.add(), item, place, problems)
        else:
            scalar = _scalar(field, item, place, problems)
            if scalar is not None:
                target.append(scalar)


def _fill_submessage(target: Any, value: object, path: str, problems: Problems) -> None:
    name = target.DESCRIPTOR.full_name
    if isinstance(value, type(target)):
        target.CopyFrom(value)
    elif name == "google.protobuf.Value":
        fill_value(target, value, path, problems)
    elif name == "google.protobuf.Duration":
        fill_duration(target, value, path, problems)
    elif not isinstance(value, Mapping):
        problems.wrong_type(path, "an object", value)
    else:
        target.SetInParent()
        fill: Callable[..., None] = fill_struct if name == "google.protobuf.Struct" else fill_message
        fill(target, value, path, problems)


def _scalar(field: FieldDescriptor, value: object, path: str, problems: Problems) -> Any:
    if field.type == FieldDescriptor.TYPE_STRING:
        if not isinstance(value, str):
            problems.wrong_type(path, "a string", value)
        elif checked_text(value, path, problems):
            return value
    elif field.type == FieldDescriptor.TYPE_ENUM:
        return _enum(field, value, path, problems)
    elif field.type == FieldDescriptor.TYPE_BOOL:
        if isinstance(value, bool):
            return value
        problems.wrong_type(path, "a boolean", value)
    elif isinstance(value, bool) or not isinstance(value, int | float):
        problems.wrong_type(path, "a number", value)
    else:
        return _number(field, value, path, problems)
    return None


def _number(field: FieldDescriptor, value: int | float, path: str, problems: Problems) -> int | float | None:
    if field.type == FieldDescriptor.TYPE_DOUBLE:
        if abs(value) <= sys.float_info.max:
            return float(value)
        problems.add(path, "NOT_FINITE", "expected a finite number")
        return None
    bits = _BITS[field.type]
    if value == value // 1 and -(2 ** (bits - 1)) <= value < 2 ** (bits - 1):
        return int(value)
    problems.add(path, "OUT_OF_RANGE", f"expected a whole number that fits {bits} bits")
    return None


def _enum(field: FieldDescriptor, value: object, path: str, problems: Problems) -> int | None:
    enum = field.enum_type
    assert enum is not None
    numbers = enum.values_by_name
    if isinstance(value, int) and not isinstance(value, bool) and value in enum.values_by_number:
        return value
    prefix = next(iter(numbers)).removesuffix("UNSPECIFIED")
    if isinstance(value, str):
        name = value.upper()
        number = numbers.get(name) or numbers.get(prefix + name)
        if number is not None:
            return number.number
    allowed = ", ".join(name.removeprefix(prefix).lower() for name in list(numbers)[1:])
    problems.add(path, "UNKNOWN_VALUE", f"expected one of {allowed}, got {value!r:.80}")
    return None
