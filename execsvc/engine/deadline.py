"""The timers of an execution that has a timeout."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

#: Seconds between two writes of how long an execution with a timeout has run: what a crash may forget of it.
CHECKPOINT: Final = 10.0


class Deadline:
    """Tells once its time is up, and until then now and then that time passes. Use within one event loop.

    What it tells is kept by its timers alone, so that a run is not kept alive by its own deadline.
    """

    def __init__(self) -> None:
        self._end: asyncio.TimerHandle | None = None
        self._checkpoint: asyncio.TimerHandle | None = None

    def arm(self, seconds: float, *, passed: Callable[[], None], checkpoint: Callable[[], None]) -> None:
        """Call ``passed`` after so many seconds, and ``checkpoint`` every CHECKPOINT."""
        self._end = asyncio.get_running_loop().call_later(max(seconds, 0.0), passed)
        self._next(checkpoint)

    def disarm(self) -> None:
        """Call nothing more; it need not be armed."""
        for timer in (self._end, self._checkpoint):
            if timer is not None:
                timer.cancel()
        self._end = self._checkpoint = None

    def _next(self, checkpoint: Callable[[], None]) -> None:
        self._checkpoint = asyncio.get_running_loop().call_later(CHECKPOINT, self._due, checkpoint)

    def _due(self, checkpoint: Callable[[], None]) -> None:
        checkpoint()
        self._next(checkpoint)
