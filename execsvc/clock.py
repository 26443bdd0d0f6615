"""Time and ids, passed in so that tests own them."""

from __future__ import annotations

import time
import uuid
from typing import Protocol


class Clock(Protocol):
    """Answers the time."""

    def __call__(self) -> int:
        """Microseconds since the Unix epoch, UTC; never less than an earlier answer."""
        ...


class SystemClock:
    """The machine's clock; where that is set back it stands still, so that an end never precedes its start."""

    def __init__(self) -> None:
        self._last = 0

    def __call__(self) -> int:
        """See ``Clock``."""
        now = time.time_ns() // 1000
        if now > self._last:
            self._last = now
        return self._last


def new_uid() -> str:
    """Make an id that is unique for ever: 32 lower-case hex digits."""
    return uuid.uuid4().hex
