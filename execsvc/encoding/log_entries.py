"""Log entries as the bytes that are sent, made without protobuf's objects in a quarter of their time.

The field numbers and wire types are those of ``execsvc.v1.LogEntry``, ``google.protobuf.Timestamp`` and ``Struct``; a
test holds the bytes against protobuf's own for any entry. An entry's bytes are one element of the field ``entries`` of
StreamLogsResponse, or of ListLogsResponse, which has its number: tag, length, message. Protobuf merges concatenated
messages, so those of several entries, in order, and of a response without entries are a whole response.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from functools import lru_cache
from typing import Any, Final, TypeVar

import orjson
from google.protobuf.message import DecodeError

from execsvc.encoding.value_bytes import value_bytes
from execsvc.encoding.values import plain_object
from execsvc.encoding.wire_format import (
    FOUR_BYTES,
    LENGTH,
    LOW,
    LOW_BITS,
    SMALL,
    VARINT,
    number_of,
    tag,
    varint,
    with_length,
)
from execsvc.errors import InvalidRequest
from execsvc.model import EncodedEntries, LogEntry, LogLevel, NewLogEntry
from execsvc_client import v1

_MICROS: Final = 1_000_000
#: Texts of metadata up to this length are remembered: most entries of a log say one of few things.
_SHORT: Final = 256
_REMEMBERED: Final = 4096
#: Keys and texts of metadata up to this length are remembered together: events, types of nodes, names of models.
_WORD: Final = 64


_K = TypeVar("_K")

_ENTRY: Final = tag(v1.StreamLogsResponse, "entries", LENGTH)
_SEQUENCE: Final = tag(v1.LogEntry, "sequence", VARINT)
_TIME: Final = tag(v1.LogEntry, "time", LENGTH)
_LEVEL: Final = tag(v1.LogEntry, "level", VARINT)
_NODE_ID: Final = tag(v1.LogEntry, "node_id", LENGTH)
_ATTEMPT: Final = tag(v1.LogEntry, "attempt", VARINT)
_MESSAGE: Final = tag(v1.LogEntry, "message", LENGTH)
_METADATA: Final = tag(v1.LogEntry, "metadata", LENGTH)
#: Fields up to their bytes, by how many those are; a message or metadata of none is left out.
_SIZES: Final = 512
_ENTRIES: Final = tuple(_ENTRY + number_of(size) for size in range(_SIZES))
_MESSAGES: Final = (b"", *(_MESSAGE + number_of(size) for size in range(1, _SIZES)))
_METADATAS: Final = (b"", *(_METADATA + number_of(size) for size in range(1, _SIZES)))
_NAMED: Final = {v1.LogLevel.Value(f"LOG_LEVEL_{level.name}"): level for level in LogLevel}
_LEVELS: Final = {level.rank: _LEVEL + varint(number) for number, level in _NAMED.items()}


def encoded_entry(
    sequence: int,
    time: int,
    level: int,
    node_id: str,
    attempt: int,
    message: str,
    metadata: Mapping[str, Any] | str,
) -> bytes:
    """Encode one entry.

    Args:
        time: microseconds since the epoch.
        level: rank of the ``LogLevel``.
        metadata: a JSON object, or the text of one.

    Raises:
        UnicodeEncodeError: a text holds a surrogate.
    """
    return _entry(sequence, _rest(time, level, node_id, attempt, message, metadata))


def encoded_as(sequence: int, entry: NewLogEntry | LogEntry) -> bytes:
    """Encode an entry under the sequence it was given. Raises as ``encoded_entry``."""
    rest = entry.rest if isinstance(entry, NewLogEntry) else None
    return _entry(sequence, _rest_of(entry) if rest is None else rest)


def encode_ahead(entries: Iterable[NewLogEntry]) -> None:
    """Encode all but the sequences of entries, on the loop that has made them; ``encoded_as`` takes it from there.

    On the thread that writes them it would take as long, and the loop would wait for the interpreter besides.
    """
    # Whatever is wrong with an entry is said by whoever gives it its sequence.
    with suppress(Exception):
        for entry in entries:
            _set_rest(entry, _rest_of(entry))


#: For type checkers entries are frozen.
_set_rest: Final = NewLogEntry.__dict__["rest"].__set__


def _entry(sequence: int, rest: bytes) -> bytes:
    # Numbers of the sizes that almost all have are written here: a call costs as much as all the rest of it.
    number = (
        SMALL[sequence]
        if sequence <= LOW_BITS
        else LOW[sequence & LOW_BITS] + (SMALL[sequence >> 14] if sequence < FOUR_BYTES else number_of(sequence >> 14))
    )
    size = 1 + len(number) + len(rest)
    return b"".join((_ENTRIES[size] if size < _SIZES else _ENTRY + number_of(size), _SEQUENCE, number, rest))


def _rest_of(entry: NewLogEntry | LogEntry) -> bytes:
    return _rest(entry.time, entry.level.rank, entry.node_id, entry.attempt, entry.message, entry.metadata)


def _rest(time: int, level: int, node_id: str, attempt: int, message: str, metadata: Mapping[str, Any] | str) -> bytes:
    """All fields but the sequence, which is the first."""
    seconds, micros = divmod(time, _MICROS)
    nanos = micros * 1000
    if nanos > LOW_BITS:
        high = nanos >> 14
        fraction = LOW[nanos & LOW_BITS] + (
            SMALL[high] if high <= LOW_BITS else LOW[high & LOW_BITS] + SMALL[high >> 14]
        )
    else:
        fraction = SMALL[nanos] if nanos else b""
    text = message.encode()
    size = len(text)
    return b"".join(
        (
            _times(seconds)[len(fraction)],
            fraction,
            _place(level, node_id, attempt),
            _MESSAGES[size] if size < _SIZES else _MESSAGE + number_of(size),
            text,
            _metadata_of(metadata) if isinstance(metadata, str) else _metadata(metadata),
        )
    )


def encoded_columns(columns: Sequence[Sequence[Any]]) -> EncodedEntries:
    """Encode entries in ascending sequence, given by column: for each argument of ``encoded_entry`` those of all."""
    entries = list(map(encoded_entry, *columns))
    return EncodedEntries(data=b"".join(entries), count=len(entries), last=columns[0][-1] if entries else 0)


def decoded_entries(data: bytes) -> list[LogEntry]:
    """Make the entries whose bytes these are.

    Raises:
        ValueError: they are not those of log entries.
    """
    try:
        return [_decoded(entry) for entry in v1.ListLogsResponse.FromString(data).entries]
    except (DecodeError, KeyError, InvalidRequest) as error:
        raise ValueError(f"no log entries: {error}") from error


def _decoded(entry: v1.LogEntry) -> LogEntry:
    return LogEntry(
        sequence=entry.sequence,
        time=entry.time.seconds * _MICROS + entry.time.nanos // 1000,
        level=_NAMED[entry.level],
        message=entry.message,
        node_id=entry.node_id,
        attempt=entry.attempt,
        metadata=plain_object(entry.metadata, "metadata"),
    )


def within(entries: EncodedEntries, max_bytes: int) -> EncodedEntries:
    """Answer the entries up to the one that brings their bytes to so many."""
    data = entries.data
    if len(data) <= max_bytes:
        return entries
    end = count = start = 0
    while end < max_bytes and end < len(data):
        size, start = _read_number(data, end + len(_ENTRY))
        end = start + size
        count += 1
    last, _ = _read_number(data, start + len(_SEQUENCE))
    return EncodedEntries(data=data[:end], count=count, last=last)


def _read_number(data: bytes, place: int) -> tuple[int, int]:
    """Read a number; answers it, and the place after it."""
    number = shift = 0
    while (byte := data[place]) > 0x7F:
        number |= (byte & 0x7F) << shift
        shift += 7
        place += 1
    return number | byte << shift, place + 1


@lru_cache(16)
def _times(seconds: int) -> list[bytes]:
    """The time of an entry up to its nanoseconds, by how many bytes those will take."""
    whole = b"\x08" + number_of(seconds) if seconds else b""
    return [
        _TIME + number_of(len(whole) + (1 + size if size else 0)) + whole + (b"\x10" if size else b"")
        for size in range(6)
    ]


@lru_cache(_REMEMBERED)
def _place(level: int, node_id: str, attempt: int) -> bytes:
    """Level, node and attempt."""
    return b"".join(
        (
            _LEVELS[level],
            with_length(_NODE_ID, node_id.encode()) if node_id else b"",
            _ATTEMPT + number_of(attempt) if attempt else b"",
        )
    )


def _metadata_of(text: str) -> bytes:
    return _remembered(text) if len(text) <= _SHORT else _metadata(orjson.loads(text))


@lru_cache(_REMEMBERED)
def _remembered(text: str) -> bytes:
    return _metadata(orjson.loads(text))


def _metadata(metadata: Mapping[str, Any]) -> bytes:
    struct = _struct(metadata)
    size = len(struct)
    return (_METADATAS[size] if size < _SIZES else _METADATA + number_of(size)) + struct


def _struct(fields: Mapping[str, Any]) -> bytes:
    """A ``google.protobuf.Struct``: a map is entries of key 1 and value 2."""
    parts: list[bytes] = []
    append = parts.append
    for field in fields.items():
        kind = field[1].__class__
        if kind is str or kind is bool:
            data = _words.get(field)
            append(_word(*field) if data is None else data)
        elif kind is float or kind is int:
            key, value = field
            data = _before_numbers.get(key)
            append((_before_number(key) if data is None else data) + _double(value))
        else:
            append(_field(*field))
    return b"".join(parts)


# Plain dicts, since a call of what ``lru_cache`` makes takes twice as long.
#: Fields that are a short text or a truth value, by key and value.
_words: dict[tuple[str, str | bool], bytes] = {}
#: Fields whose value is a number, by key, up to the eight bytes of that: those always make it the same length.
_before_numbers: dict[str, bytes] = {}


def _word(key: str, value: str | bool) -> bytes:
    data = _field(key, value)
    if len(key) <= _WORD and (isinstance(value, bool) or len(value) <= _WORD):
        _remember(_words, (key, value), data)
    return data


def _before_number(key: str) -> bytes:
    data = _field(key, 0)[:-8]
    if len(key) <= _WORD:
        _remember(_before_numbers, key, data)
    return data


def _remember(known: dict[_K, bytes], key: _K, data: bytes) -> None:
    if len(known) >= _REMEMBERED:
        known.clear()
    known[key] = data


def _field(key: str, value: Any) -> bytes:
    return with_length(b"\x0a", _key(key) + with_length(b"\x12", value_bytes(value)))


@lru_cache(_REMEMBERED)
def _short_key(key: str) -> bytes:
    return with_length(b"\x0a", key.encode())


def _key(key: str) -> bytes:
    return _short_key(key) if len(key) <= _SHORT else with_length(b"\x0a", key.encode())


_double: Final = struct.Struct("<d").pack
