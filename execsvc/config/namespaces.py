"""What each namespace may use, as the file of settings has it: a table by name, with ``*`` for the others."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from execsvc.config.spans import parse_span, span_text

#: Stands for every namespace without a table of its own, and for what such a table does not say.
OTHERS: Final = "*"
_NAME: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
_EXAMPLE: Final = 'as in [namespaces.billing] with slots = 10, or {"billing": {"slots": 10}}'

#: By namespace what was said of it: ``slots``, ``queued``, ``stored`` (counts), ``rate`` (a second) and ``retention``
#: (microseconds).
Namespaces = Mapping[str, Mapping[str, int | float]]


def parse_namespaces(value: Any) -> Namespaces:
    """Read a table by namespace, or JSON of one.

    Raises:
        ValueError: something in it makes no sense; the text says what and where.
    """
    if value is None:
        return {}
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise ValueError(f"{value!r} is no table by namespace, {_EXAMPLE}") from None
    if not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is no table by namespace, {_EXAMPLE}")
    found: dict[str, Mapping[str, int | float]] = {}
    for name, said in value.items():
        if name != OTHERS and not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no name of a namespace, as in billing, nor * for all others")
        if not isinstance(said, Mapping):
            raise ValueError(f"{name} is {said!r}, and is to be a table, {_EXAMPLE}")
        found[name] = {key: _read(name, key, given) for key, given in said.items()}
    return found


def _read(name: str, key: str, given: Any) -> int | float:
    if key == "retention":
        try:
            return parse_span(str(given) if not isinstance(given, bool) else "")
        except ValueError as error:
            raise ValueError(f"{name}: retention: {error}") from None
    number = isinstance(given, int | float) and not isinstance(given, bool)
    if key in ("slots", "queued", "stored"):
        if number and given >= 1 and given == int(given):
            return int(given)
        raise ValueError(f"{name}: {key}: {given!r} is not a whole number of 1 or more, as in 10")
    if key == "rate":
        if number and 0 < given < float("inf"):
            return float(given)
        raise ValueError(f"{name}: rate: {given!r} is not a number of calls a second above 0, as in 50")
    raise ValueError(f"{name}: {key!r} is none of slots, queued, stored, rate, retention")


def merged(namespaces: Namespaces) -> Namespaces:
    """Fill in what a namespace does not say of itself with what ``*`` says."""
    others = namespaces.get(OTHERS, {})
    return {name: {**others, **said} for name, said in namespaces.items()}


def written(namespaces: Namespaces) -> Mapping[str, Mapping[str, Any]]:
    """Write what ``parse_namespaces`` reads."""
    return {
        name: {key: span_text(int(given)) if key == "retention" else given for key, given in said.items()}
        for name, said in namespaces.items()
    }
