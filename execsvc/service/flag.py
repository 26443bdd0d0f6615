"""A flag that one task waits for, within a time.

``asyncio.Event`` and ``asyncio.timeout`` do the same for a tenth of the event loop where hundreds follow an execution.
"""

from __future__ import annotations

import asyncio


class Flag:
    """Set from the event loop; waited for by one task at a time."""

    __slots__ = ("_set", "_waiter")

    def __init__(self) -> None:
        self._set = False
        self._waiter: asyncio.Future[bool] | None = None

    def is_set(self) -> bool:
        """Answer whether it is set."""
        return self._set

    def set(self) -> None:
        """Set it, and wake whoever waits."""
        self._set = True
        _answer(self._waiter, True)

    def clear(self) -> None:
        """Take it back."""
        self._set = False

    async def within(self, seconds: float) -> bool:
        """Wait until it is set; answers False if it was not for so long."""
        if self._set or seconds <= 0:
            return self._set
        loop = asyncio.get_running_loop()
        waiter: asyncio.Future[bool] = loop.create_future()
        self._waiter = waiter
        timer = loop.call_later(seconds, _answer, waiter, False)
        try:
            return await waiter
        finally:
            timer.cancel()
            self._waiter = None


def _answer(waiter: asyncio.Future[bool] | None, value: bool) -> None:
    if waiter is not None and not waiter.done():
        waiter.set_result(value)
