"""Cancel tasks until they have ended."""

from __future__ import annotations

import asyncio
from typing import Any, Final

#: Seconds after which a task that goes on is cancelled again; what it has to clean up takes less.
AGAIN: Final = 1.0


async def end(*tasks: asyncio.Task[Any]) -> None:
    """Cancel tasks, and return once all of them have ended, however they did.

    A cancellation may be forgotten: ``asyncio.wait_for`` of CPython 3.11 does so where it comes together with what was
    waited for (cpython#86296), and connection pools use it. So a task that goes on is cancelled again.
    """
    going_on = set(tasks)
    while going_on:
        for task in going_on:
            task.cancel()
        _, going_on = await asyncio.wait(going_on, timeout=AGAIN)
    for task in tasks:
        if not task.cancelled():
            # Told by whoever it concerned, if anybody.
            task.exception()
