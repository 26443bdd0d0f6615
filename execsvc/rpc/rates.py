"""Lets each namespace make so many calls a second, whatever the others do."""

from __future__ import annotations

import time
from collections.abc import Callable

from execsvc.errors import RateLimited
from execsvc.model import Namespaces


class Rates:
    """A bucket for each namespace with a rate: it holds the calls of a second, and one at least.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, namespaces: Namespaces, clock: Callable[[], float] = time.monotonic) -> None:
        self._namespaces = namespaces
        self._clock = clock
        #: By namespace: calls that are left, and when that was so.
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, namespace: str) -> None:
        """Count a call. Raises RateLimited, which says when the next may come."""
        rate = self._namespaces.of(namespace).rate
        if rate is None:
            return
        most, now = max(1.0, rate), self._clock()
        left, then = self._left.get(namespace, (most, now))
        left = min(most, left + rate * (now - then))
        allowed = left >= 1
        self._left[namespace] = (left - 1 if allowed else left, now)
        if not allowed:
            raise RateLimited(rate, (1 - left) / rate)
