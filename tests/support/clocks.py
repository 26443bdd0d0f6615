"""Clocks that tests move by hand."""

from __future__ import annotations


class HandClock:
    """Stands still until it is advanced, but for a microsecond at each look."""

    def __init__(self, start: int = 1_700_000_000_000_000) -> None:
        self._now = start

    def __call__(self) -> int:
        self._now += 1
        return self._now

    def advance(self, seconds: float) -> None:
        """Let time pass."""
        self._now += int(seconds * 1_000_000)
