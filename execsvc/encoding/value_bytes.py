"""JSON values as the bytes of ``google.protobuf.Value`` and ``Struct``, made without protobuf's objects.

Those take some fifty bytes of memory a value, and for lists of numbers five times as long. The field numbers and wire
types are those of ``struct.proto``; a test holds the bytes against protobuf's own for any value.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from execsvc.encoding.wire_format import number_of, with_length

_double: Final = struct.Struct("<d").pack
#: An element of a list, up to the eight bytes of its number.
_NUMBER_IN_LIST: Final = b"\x0a\x09\x11"


def value_bytes(value: Any) -> bytes:
    """Write a value; numbers are doubles. Raises UnicodeEncodeError where a text holds a surrogate."""
    if isinstance(value, str):
        return with_length(b"\x1a", value.encode())
    if isinstance(value, bool):
        return b"\x20\x01" if value else b"\x20\x00"
    if isinstance(value, int | float):
        return b"\x11" + _double(value)
    if value is None:
        return b"\x08\x00"
    if isinstance(value, Mapping):
        return with_length(b"\x2a", struct_bytes(value))
    parts: list[bytes] = []
    for item in value:
        kind = item.__class__
        if kind is int or kind is float:
            parts.append(_NUMBER_IN_LIST + _double(item))
        else:
            parts.append(with_length(b"\x0a", value_bytes(item)))
    return with_length(b"\x32", b"".join(parts))


def struct_bytes(fields: Mapping[str, Any]) -> bytes:
    """Write an object: a map is entries of key 1 and value 2. Raises as ``value_bytes``."""
    parts: list[bytes] = []
    for key, value in fields.items():
        name, data = key.encode(), value_bytes(value)
        entry = b"".join((b"\x0a", number_of(len(name)), name, b"\x12", number_of(len(data)), data))
        parts.append(with_length(b"\x0a", entry))
    return b"".join(parts)
