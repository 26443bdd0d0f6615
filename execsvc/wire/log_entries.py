"""Log entries as bytes of the wire: what protobuf's own objects would serialize to, in a quarter of their time.

The field numbers and wire types are those of ``execsvc.v1.LogEntry``, ``google.protobuf.Timestamp`` and ``Struct``; a
test holds the bytes against protobuf's own for any entry.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

import orjson

from execsvc.model import LogColumns, LogLevel
from execsvc_client import v1

_MICROS: Final = 1_000_000
#: Texts of metadata up to this length are remembered: most entries of a log say one of few things.
_SHORT: Final = 256
_REMEMBERED: Final = 4096
#: Keys and texts of metadata up to this length are remembered together: events, types of nodes, names of models.
_WORD: Final = 64


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


#: Numbers of up to fourteen bits, and fourteen bits that more follow.
_SMALL: Final = tuple(_varint(number) for number in range(1 << 14))
_LOW: Final = tuple(bytes((number & 0x7F | 0x80, number >> 7 | 0x80)) for number in range(1 << 14))
_LOW_BITS: Final = (1 << 14) - 1
_FOUR_BYTES: Final = 1 << 28


def _number(number: int) -> bytes:
    low = b""
    while number > _LOW_BITS:
        low += _LOW[number & _LOW_BITS]
        number >>= 14
    return low + _SMALL[number]


def _tag(message: Any, field: str, wire_type: int) -> bytes:
    number: int = message.DESCRIPTOR.fields_by_name[field].number
    return _varint(number << 3 | wire_type)


_VARINT, _DOUBLE, _LENGTH = 0, 1, 2

_ENTRY: Final = _tag(v1.StreamLogsResponse, "entries", _LENGTH)
_SEQUENCE: Final = _tag(v1.LogEntry, "sequence", _VARINT)
_TIME: Final = _tag(v1.LogEntry, "time", _LENGTH)
_LEVEL: Final = _tag(v1.LogEntry, "level", _VARINT)
_NODE_ID: Final = _tag(v1.LogEntry, "node_id", _LENGTH)
_ATTEMPT: Final = _tag(v1.LogEntry, "attempt", _VARINT)
_MESSAGE: Final = _tag(v1.LogEntry, "message", _LENGTH)
_METADATA: Final = _tag(v1.LogEntry, "metadata", _LENGTH)
#: The field ``entries`` or ``message`` up to its bytes, by how many those are; a message of none is left out.
_SIZES: Final = 512
_ENTRIES: Final = tuple(_ENTRY + _number(size) for size in range(_SIZES))
_MESSAGES: Final = (b"", *(_MESSAGE + _number(size) for size in range(1, _SIZES)))
_LEVELS: Final = {level.rank: _LEVEL + _varint(v1.LogLevel.Value(f"LOG_LEVEL_{level.name}")) for level in LogLevel}


def encoded_entries(columns: LogColumns) -> bytes:
    """Encode entries as the field ``entries`` of StreamLogsResponse, or of ListLogsResponse, which has its number.

    Protobuf merges concatenated messages, so this and the bytes of a response without entries are a whole response.
    """
    parts: list[bytes] = []
    append, join = parts.append, b"".join
    small, low = _SMALL, _LOW
    second = -1
    times: list[bytes] = []
    for sequence, time, level, node_id, attempt, message, metadata in zip(
        columns.sequences,
        columns.times,
        columns.levels,
        columns.node_ids,
        columns.attempts,
        columns.messages,
        columns.metadata,
        strict=True,
    ):
        seconds, micros = divmod(time, _MICROS)
        if seconds != second:
            # Entries come in order, so most share their second with the one before.
            second, times = seconds, _times(seconds)
        # Numbers of the sizes that almost all have are written here: a call costs as much as all the rest of it.
        nanos = micros * 1000
        if nanos > _LOW_BITS:
            high = nanos >> 14
            fraction = low[nanos & _LOW_BITS] + (
                small[high] if high <= _LOW_BITS else low[high & _LOW_BITS] + small[high >> 14]
            )
        else:
            fraction = small[nanos] if nanos else b""
        text = message.encode()
        size = len(text)
        entry = join(
            (
                _SEQUENCE,
                small[sequence]
                if sequence <= _LOW_BITS
                else low[sequence & _LOW_BITS]
                + (small[sequence >> 14] if sequence < _FOUR_BYTES else _number(sequence >> 14)),
                times[len(fraction)],
                fraction,
                _place(level, node_id, attempt),
                _MESSAGES[size] if size < _SIZES else _MESSAGE + _number(size),
                text,
                _remembered(metadata) if metadata.__class__ is str and len(metadata) <= _SHORT else _facts(metadata),
            )
        )
        size = len(entry)
        append(_ENTRIES[size] if size < _SIZES else _ENTRY + _number(size))
        append(entry)
    return join(parts)


@lru_cache(16)
def _times(seconds: int) -> list[bytes]:
    """The time of an entry up to its nanoseconds, by how many bytes those will take."""
    whole = b"\x08" + _number(seconds) if seconds else b""
    return [
        _TIME + _number(len(whole) + (1 + size if size else 0)) + whole + (b"\x10" if size else b"")
        for size in range(6)
    ]


@lru_cache(_REMEMBERED)
def _place(level: int, node_id: str, attempt: int) -> bytes:
    """Level, node and attempt."""
    return b"".join(
        (
            _LEVELS[level],
            _text(_NODE_ID, node_id.encode()) if node_id else b"",
            _ATTEMPT + _number(attempt) if attempt else b"",
        )
    )


def _text(tag: bytes, data: bytes) -> bytes:
    return tag + _number(len(data)) + data


def _facts(metadata: Mapping[str, Any] | str) -> bytes:
    return _metadata(orjson.loads(metadata) if isinstance(metadata, str) else metadata)


@lru_cache(_REMEMBERED)
def _remembered(text: str) -> bytes:
    return _metadata(orjson.loads(text))


def _metadata(metadata: Mapping[str, Any]) -> bytes:
    return _text(_METADATA, _struct(metadata)) if metadata else b""


def _struct(fields: Mapping[str, Any]) -> bytes:
    """A ``google.protobuf.Struct``: a map is entries of key 1 and value 2."""
    parts: list[bytes] = []
    for key, value in fields.items():
        kind = value.__class__
        if kind is str and len(value) <= _WORD and len(key) <= _WORD:
            parts.append(_short_field(key, value))
        elif (kind is float or kind is int) and len(key) <= _WORD:
            parts += (_before_number(key), _double(value))
        else:
            parts.append(_field(key, value))
    return b"".join(parts)


def _field(key: str, value: Any) -> bytes:
    return _text(b"\x0a", _key(key) + _text(b"\x12", _value(value)))


@lru_cache(_REMEMBERED)
def _short_field(key: str, value: str) -> bytes:
    return _field(key, value)


@lru_cache(_REMEMBERED)
def _before_number(key: str) -> bytes:
    """A field whose value is a number, up to the eight bytes of that: those always make it the same length."""
    return _field(key, 0)[:-8]


@lru_cache(_REMEMBERED)
def _short_key(key: str) -> bytes:
    return _text(b"\x0a", key.encode())


def _key(key: str) -> bytes:
    return _short_key(key) if len(key) <= _SHORT else _text(b"\x0a", key.encode())


def _value(value: Any) -> bytes:
    """A ``google.protobuf.Value``; numbers are doubles."""
    if isinstance(value, str):
        return _text(b"\x1a", value.encode())
    if isinstance(value, bool):
        return b"\x20\x01" if value else b"\x20\x00"
    if isinstance(value, int | float):
        return b"\x11" + _double(value)
    if value is None:
        return b"\x08\x00"
    if isinstance(value, Mapping):
        return _text(b"\x2a", _struct(value))
    values = b"".join([_text(b"\x0a", _value(item)) for item in value])
    return _text(b"\x32", values)


_double: Final = struct.Struct("<d").pack
