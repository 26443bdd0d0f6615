"""Spans of time as settings write them: seconds, or a number with a unit up to weeks."""

from __future__ import annotations

import re

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|[smhdw])?")
#: A hundred years.
_LONGEST = 100 * 366 * _UNITS["d"]


def parse_span(text: str, *, least: int = 1) -> int:
    """Read a span; gives microseconds.

    Args:
        least: the shortest that is allowed, in microseconds.

    Raises:
        ValueError: it is none, or too short or too long; the text says what would be right.
    """
    found = _SPAN.fullmatch(text.strip())
    micros = round(float(found[1]) * _UNITS[found[2] or "s"]) if found else -1
    if not least <= micros <= _LONGEST:
        raise ValueError(f"{text!r} is no span of time; write seconds, or 500ms, 90s, 15m, 12h, 30d, 2w")
    return micros


def span_text(micros: int) -> str:
    """Write microseconds as ``parse_span`` reads them, in the largest unit that needs no fraction: 30d, 90s."""
    for unit in ("d", "h", "m", "s", "ms"):
        if micros and micros % _UNITS[unit] == 0:
            return f"{micros // _UNITS[unit]}{unit}"
    return f"{micros / 1_000_000:.6f}".rstrip("0").rstrip(".") + "s"
