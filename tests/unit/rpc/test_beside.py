"""Large messages are converted beside the event loop, one at a time."""

from __future__ import annotations

import asyncio
import threading

import pytest

from execsvc.rpc.beside import SMALL, Beside


async def test_small_ones_are_converted_in_place_and_large_ones_are_not() -> None:
    beside, here = Beside(), threading.get_ident()

    assert await beside.converted(SMALL, threading.get_ident) == here
    assert await beside.converted(SMALL + 1, threading.get_ident) != here


async def test_large_ones_are_converted_one_at_a_time_and_small_ones_meanwhile() -> None:
    beside, begun, go = Beside(), threading.Semaphore(0), threading.Event()
    running = most = 0

    def convert() -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        begun.release()
        go.wait(30)
        running -= 1

    large = [asyncio.create_task(beside.converted(SMALL + 1, convert)) for _ in range(3)]
    await asyncio.to_thread(begun.acquire)
    assert await beside.converted(1, str, 7) == "7"
    go.set()
    await asyncio.gather(*large)
    assert most == 1


async def test_what_a_conversion_raises_is_raised_and_the_next_has_its_turn() -> None:
    beside = Beside()
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            await beside.converted(SMALL + 1, int, "x")
