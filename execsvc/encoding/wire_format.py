"""Numbers, tags and lengths of protobuf's wire format.

Source: https://protobuf.dev/programming-guides/encoding/.
"""

from __future__ import annotations

from typing import Any, Final

#: Wire types.
VARINT: Final = 0
LENGTH: Final = 2


def varint(number: int) -> bytes:
    """Write a number that is not negative."""
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


#: Numbers of up to fourteen bits, and fourteen bits that more follow.
SMALL: Final = tuple(varint(number) for number in range(1 << 14))
LOW: Final = tuple(bytes((number & 0x7F | 0x80, number >> 7 | 0x80)) for number in range(1 << 14))
LOW_BITS: Final = (1 << 14) - 1
FOUR_BYTES: Final = 1 << 28


def number_of(number: int) -> bytes:
    """Write a number that is not negative, out of tables."""
    low = b""
    while number > LOW_BITS:
        low += LOW[number & LOW_BITS]
        number >>= 14
    return low + SMALL[number]


def tag(message: Any, field: str, wire_type: int) -> bytes:
    """Write what a field begins with."""
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return varint(number << 3 | wire_type)


def with_length(before: bytes, data: bytes) -> bytes:
    """Write a field of so many bytes after its tag."""
    return before + number_of(len(data)) + data
