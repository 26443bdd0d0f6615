"""Tasks that are to end do so, also where a library forgets that they were cancelled."""

from __future__ import annotations

import asyncio

import pytest

from execsvc import cancellation


@pytest.mark.timeout(20)
async def test_a_task_that_forgets_a_cancellation_is_cancelled_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cancellation, "AGAIN", 0.01)
    forgotten = 0

    async def forgets() -> None:
        nonlocal forgotten
        while True:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                if forgotten == 2:
                    raise
                forgotten += 1

    task = asyncio.create_task(forgets())
    await asyncio.sleep(0)
    await cancellation.end(task)

    assert task.cancelled()
    assert forgotten == 2


async def test_tasks_end_together_and_what_they_raise_is_nobodys() -> None:
    async def fails() -> None:
        raise ValueError

    async def cleans_up(done: list[str]) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            done.append("clean")

    done: list[str] = []
    tasks = [asyncio.create_task(fails()), asyncio.create_task(cleans_up(done))]
    await asyncio.sleep(0)
    await cancellation.end(*tasks)
    await cancellation.end()

    assert done == ["clean"]
    assert [task.done() for task in tasks] == [True, True]
