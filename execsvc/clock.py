"""Time and ids, passed in so that tests own them."""

from __future__ import annotations

import random
import time
from typing import Final, Protocol

#: Seeded by the system. Asking it for each id gives the interpreter up to whoever waits for it.
_RANDOM: Final = random.Random()


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
    """Make an id that is unique for ever, and no secret: 32 lower-case hex digits, random."""
    return f"{_RANDOM.getrandbits(128):032x}"
