"""Durations as definitions write them, in microseconds inside."""

from __future__ import annotations

import re
from decimal import Decimal, InvalidOperation
from typing import Any

_UNITS = {"us": 1, "ms": 1_000, "s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000}
_TEXT = re.compile(r"([0-9]{1,20}(?:\.[0-9]{1,20})?)(us|ms|s|m|h)")
#: A hundred years.
_MAX = 100 * 366 * 24 * 3_600_000_000


def parse_duration(value: Any) -> int:
    """Give microseconds for seconds as a number, or a text such as "1.5s", "200ms", "2m", "1h". Raises ValueError."""
    if type(value) is str:
        found = _TEXT.fullmatch(value)
        if found is None:
            raise ValueError('must be seconds as a number, or a text such as "1.5s", "200ms", "2m", "1h"')
        amount, unit = Decimal(found[1]), _UNITS[found[2]]
    elif type(value) in (int, float):
        try:
            amount, unit = Decimal(str(value)), 1_000_000
        except InvalidOperation as error:
            raise ValueError("must be a number of seconds") from error
    else:
        raise ValueError('must be seconds as a number, or a text such as "1.5s"')
    if not amount.is_finite() or amount < 0:
        raise ValueError("must not be negative")
    if amount * unit > _MAX:
        raise ValueError("must be at most 100 years")
    return int((amount * unit).to_integral_value())


def format_duration(microseconds: int) -> str:
    """Write seconds as protobuf's JSON does: "1.5s"."""
    sign = "-" if microseconds < 0 else ""
    seconds, fraction = divmod(abs(microseconds), 1_000_000)
    return f"{sign}{seconds}" + (f".{fraction:06d}".rstrip("0") if fraction else "") + "s"
