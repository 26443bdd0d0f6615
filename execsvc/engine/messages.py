"""Texts and facts from nodes, made fit to be kept: valid Unicode, bounded, plain JSON."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final

import orjson

#: Bytes of UTF-8 of one message.
MAX_MESSAGE: Final = 64 * 1024
#: Bytes of JSON that the facts of a log entry may have.
MAX_FACTS: Final = 128 * 1024
#: Levels of lists and objects kept of the facts of a log entry.
MAX_DEPTH: Final = 16
_INT64: Final = range(-(2**63), 2**63)


def bounded(message: str) -> str:
    """Cut a message at MAX_MESSAGE bytes of UTF-8, with a mark that says so; half surrogate pairs become ``?``."""
    if message.isascii() and len(message) <= MAX_MESSAGE:
        return message
    encoded = message.encode(errors="replace")
    if len(encoded) <= MAX_MESSAGE:
        return encoded.decode()
    mark = f" … [cut: {len(encoded)} bytes]"
    return encoded[: MAX_MESSAGE - len(mark.encode())].decode(errors="ignore") + mark


def plain_facts(facts: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
    """Copy what a node tells about a log entry, and tell its size in bytes of JSON.

    Whatever is no JSON becomes the text that Python shows for it. Facts that bring it beyond MAX_FACTS are left out,
    with one in their place that says so.
    """
    plain = {bounded(str(key)): _plain(value, MAX_DEPTH - 1) for key, value in facts.items()}
    size = len(orjson.dumps(plain))
    if size <= MAX_FACTS:
        return plain, size
    kept: dict[str, Any] = {}
    kept_size = 0
    for key, value in plain.items():
        item = len(orjson.dumps({key: value}))
        if kept_size + item <= MAX_FACTS:
            kept[key] = value
            kept_size += item
    kept["facts_cut"] = f"{len(plain) - len(kept)} of {len(plain)} left out: together they have {size} bytes"
    return kept, kept_size


def _plain(value: Any, depth: int) -> Any:
    kind = type(value)
    if value is None or kind is bool or (kind is int and value in _INT64) or (kind is float and math.isfinite(value)):
        return value
    if isinstance(value, str):
        return bounded(str(value))
    if depth and isinstance(value, Mapping):
        return {bounded(str(key)): _plain(part, depth - 1) for key, part in value.items()}
    if depth and isinstance(value, list | tuple):
        return [_plain(part, depth - 1) for part in value]
    return bounded(repr(value))
