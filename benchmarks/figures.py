"""Summaries of what was measured: middle, spread, percentiles, ratios."""

from __future__ import annotations

import statistics
from collections.abc import Sequence


def median(values: Sequence[float]) -> float:
    """The middle value."""
    return statistics.median(values)


def percentile(values: Sequence[float], percent: float) -> float:
    """The value that so many percent do not exceed, by nearest rank: always one that was measured."""
    if not values:
        raise ValueError("there are no values")
    ordered = sorted(values)
    rank = max(1, -(-len(ordered) * percent // 100))
    return ordered[int(rank) - 1]


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Ours to theirs, round by round: what a round shares (the machine's speed) cancels out."""
    return [our / their for our, their in zip(ours, theirs, strict=True)]


def spread(values: Sequence[float], digits: int = 0, scale: float = 1.0) -> str:
    """The middle value with the smallest and largest."""
    low, middle, high = (scale * value for value in (min(values), median(values), max(values)))
    return f"{middle:,.{digits}f} ({low:,.{digits}f} to {high:,.{digits}f})"
