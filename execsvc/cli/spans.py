"""Spans of time as options write them: seconds, or a number with a unit up to weeks."""

from __future__ import annotations

import re

import typer

_UNITS = {"ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000, "w": 604_800_000_000}
_SPAN = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,6})?)(ms|[smhdw])?")
#: A hundred years.
_LONGEST = 100 * 366 * _UNITS["d"]


def parse_span(text: str) -> int:
    """Read a span; gives microseconds. Raises ``typer.BadParameter``."""
    found = _SPAN.fullmatch(text.strip())
    micros = round(float(found[1]) * _UNITS[found[2] or "s"]) if found else 0
    if not 0 < micros <= _LONGEST:
        raise typer.BadParameter(f"{text!r} is no span of time; write seconds, or 500ms, 90s, 15m, 12h, 30d, 2w")
    return micros
