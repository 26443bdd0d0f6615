"""A loop that is busy stands still for threads that get nothing done, and for no others."""

from __future__ import annotations

import asyncio
import threading

from execsvc.store.sqlite import patience
from execsvc.store.sqlite.patience import PATIENCE_MOST, Patience


class Recorded(threading.Event):
    """Counts how often somebody stood still for it."""

    def __init__(self) -> None:
        super().__init__()
        self.waits = 0

    def wait(self, timeout: float | None = None) -> bool:
        self.waits += 1
        return super().wait(0)


async def test_nothing_is_looked_after_once_nothing_is_under_way() -> None:
    guard = Patience(lambda: False)
    loop = asyncio.get_running_loop()
    guard.watch(loop)
    assert guard._timer is not None
    guard._timer.cancel()
    guard._look(loop, guard._steps, patience.PATIENCE)
    assert guard._timer is None


async def test_it_stands_still_where_nothing_gets_done_and_ever_more_seldom() -> None:
    under_way, stepped = True, Recorded()
    guard = Patience(lambda: under_way)
    guard._stepped = stepped
    loop = asyncio.get_running_loop()
    guard._look(loop, guard._steps, PATIENCE_MOST / 2)
    assert stepped.waits == 1
    assert guard._timer is not None
    assert guard._timer.when() - loop.time() > PATIENCE_MOST / 2
    under_way = False
    guard._timer.cancel()


async def test_it_does_not_stand_still_where_something_was_done() -> None:
    stepped = Recorded()
    guard = Patience(lambda: True)
    guard._stepped = stepped
    before = guard._steps
    guard.stepped()
    loop = asyncio.get_running_loop()
    guard._look(loop, before, patience.PATIENCE_MOST)
    assert stepped.waits == 0
    assert guard._timer is not None
    assert guard._timer.when() - loop.time() <= patience.PATIENCE
    guard._timer.cancel()
