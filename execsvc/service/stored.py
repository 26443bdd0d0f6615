"""Wait for a write, but not for ever: a database that went away in the middle of it may stay away."""

from __future__ import annotations

import asyncio
from typing import Final, TypeVar

from execsvc.errors import StorageUnavailable

#: Seconds after which a caller is told that nobody knows yet. The store itself goes on and finds out.
LONGEST: Final = 20.0

_T = TypeVar("_T")


async def stored(write: asyncio.Future[_T]) -> _T:
    """Wait for a write of the store; giving up waiting, or being cancelled, takes nothing back.

    Raises:
        StorageUnavailable: the database does not say what became of it. Asking for the same again is safe where the
            request is.
    """
    loop = asyncio.get_running_loop()
    waiter: asyncio.Future[None] = loop.create_future()

    def answer(_: object) -> None:
        if write.done() and not write.cancelled():
            # What is said once nobody waits any more is no exception that went unnoticed.
            write.exception()
        if not waiter.done():
            waiter.set_result(None)

    # ``asyncio.wait`` with a timeout does the same for five times as much, and every Execute comes by here.
    write.add_done_callback(answer)
    timer = loop.call_later(LONGEST, answer, None)
    try:
        await waiter
    finally:
        timer.cancel()
    if not write.done():
        raise StorageUnavailable("the database went away in the middle; whether this was stored will be known later")
    return write.result()
