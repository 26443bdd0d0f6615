"""A guard for threads that a busy event loop would keep waiting for the interpreter.

A loop that is busy in small steps gives the interpreter lock back and takes it again before a thread has woken up. On
CPython 3.11 a thread may wait for seconds so: the switch interval never runs out, since each of those steps begins it
anew. The guard lets the loop stand still for a moment where a thread has got nothing done lately.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from typing import Final

#: Seconds without a step after which the loop stands still, doubled while that does not help (the disk is slow then).
PATIENCE: Final = 0.01
PATIENCE_MOST: Final = 0.16
#: Seconds it stands still at most.
STILL: Final = 0.002


class Patience:
    """Watches over the work that one event loop has handed to threads.

    Args:
        waiting: whether work is under way that the loop waits for.
    """

    def __init__(self, waiting: Callable[[], object]) -> None:
        self._waiting = waiting
        self._steps = 0
        self._stepped = threading.Event()
        self._timer: asyncio.TimerHandle | None = None

    def stepped(self) -> None:
        """Note that a thread has got something done; called on that thread."""
        self._steps += 1
        self._stepped.set()

    def watch(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begin to look after work that was just handed in; called on the loop."""
        if self._timer is None:
            self._timer = loop.call_later(PATIENCE, self._look, loop, self._steps, PATIENCE)

    def _look(self, loop: asyncio.AbstractEventLoop, steps: int, patience: float) -> None:
        self._timer = None
        if not self._waiting():
            return
        if steps != self._steps:
            patience = PATIENCE
        else:
            self._stepped.clear()
            helped = self._stepped.wait(STILL)
            patience = PATIENCE if helped else min(2 * patience, PATIENCE_MOST)
        self._timer = loop.call_later(patience, self._look, loop, self._steps, patience)
