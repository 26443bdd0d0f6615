"""A flag wakes its waiter, tells when it was too late, and leaves nothing behind when the waiter gives up."""

from __future__ import annotations

import asyncio

import pytest

from execsvc.service.flag import Flag


async def test_whoever_waits_is_woken() -> None:
    flag = Flag()
    waiting = asyncio.create_task(flag.within(60))
    await asyncio.sleep(0)
    assert not waiting.done()
    flag.set()
    assert await waiting


@pytest.mark.parametrize("seconds", [60, 0, -1])
async def test_a_flag_that_is_set_is_not_waited_for(seconds: float) -> None:
    flag = Flag()
    flag.set()
    assert await flag.within(seconds)
    assert flag.is_set()


@pytest.mark.parametrize("seconds", [0.001, 0, -1])
async def test_too_late_is_an_answer(seconds: float) -> None:
    assert not await Flag().within(seconds)


async def test_a_flag_that_was_cleared_is_waited_for_again() -> None:
    flag = Flag()
    flag.set()
    flag.clear()
    assert not await flag.within(0)
    waiting = asyncio.create_task(flag.within(60))
    await asyncio.sleep(0)
    flag.set()
    flag.clear()
    assert await waiting, "it was set while somebody waited"


async def test_a_waiter_that_gives_up_leaves_the_flag_usable() -> None:
    flag = Flag()
    waiting = asyncio.create_task(flag.within(60))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    flag.set()
    assert await flag.within(60)
