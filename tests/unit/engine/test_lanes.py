"""Effects as tasks in shared LangGraph runs: what one of them does is no other's business."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest
from langgraph.config import get_config, get_stream_writer
from langgraph.func import task as langgraph_task

from execsvc.engine import lanes as lanes_module
from execsvc.engine.lanes import EFFECTS_PER_LANE, Lanes


class Work:
    """Waits at a gate and answers; tells what has become of it."""

    def __init__(self, *, stubborn: bool = False) -> None:
        self.entered = asyncio.Event()
        self.gate = asyncio.Event()
        self.ended = asyncio.Event()
        self.cancelled = 0
        self._stubborn = stubborn

    async def __call__(self) -> str:
        self.entered.set()
        try:
            while True:
                try:
                    await self.gate.wait()
                    return "done"
                except asyncio.CancelledError:
                    self.cancelled += 1
                    if not self._stubborn:
                        raise
        finally:
            self.ended.set()


MakeWork = Callable[..., Work]


@pytest.fixture
def make_work() -> Iterator[MakeWork]:
    """Makes works that end with the test at the latest: a stubborn one would keep the loop from closing."""
    made: list[Work] = []

    def make(*, stubborn: bool = False) -> Work:
        made.append(Work(stubborn=stubborn))
        return made[-1]

    yield make
    for work in made:
        work.gate.set()


@pytest.fixture
async def lanes(make_work: MakeWork) -> AsyncIterator[Lanes]:
    """Lanes that are closed in the end, with all they ran."""
    lanes = Lanes()
    yield lanes
    await lanes.close(grace=0.05)
    assert not lanes._lanes


async def answer(value: object) -> object:
    await asyncio.sleep(0)
    return value


async def fail(error: BaseException) -> None:
    await asyncio.sleep(0)
    raise error


async def started(lanes: Lanes, work: Work) -> asyncio.Task[str]:
    task = asyncio.create_task(lanes.run(work))
    await work.entered.wait()
    return task


async def test_answers_what_the_work_answers(lanes: Lanes) -> None:
    value = object()
    assert await lanes.run(lambda: answer(value)) is value
    assert await lanes.run(lambda: answer(None)) is None


@pytest.mark.parametrize(
    "error",
    [ValueError("x"), TimeoutError(), StopAsyncIteration(), asyncio.CancelledError(), GeneratorExit()],
    ids=lambda error: type(error).__name__,
)
async def test_raises_what_the_work_raises(lanes: Lanes, error: BaseException, make_work: MakeWork) -> None:
    beside = make_work()
    neighbour = await started(lanes, beside)
    with pytest.raises(type(error)) as raised:
        await lanes.run(lambda: fail(error))
    assert raised.value is error
    beside.gate.set()
    assert await neighbour == "done"


async def test_error_before_the_first_await_is_raised_too(lanes: Lanes) -> None:
    def broken() -> asyncio.Future[None]:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await lanes.run(broken)


async def test_works_run_side_by_side(lanes: Lanes) -> None:
    barrier = asyncio.Barrier(20)
    await asyncio.gather(*[lanes.run(barrier.wait) for _ in range(20)])


async def test_more_than_a_lane_holds_run_side_by_side(lanes: Lanes) -> None:
    count = 3 * EFFECTS_PER_LANE + 7
    barrier = asyncio.Barrier(count)

    async def meet(i: int) -> int:
        await barrier.wait()
        return i

    assert await asyncio.gather(*[lanes.run(partial(meet, i)) for i in range(count)]) == list(range(count))


async def test_lanes_end_with_the_last_of_their_tasks(lanes: Lanes) -> None:
    for round_ in range(4):
        await asyncio.gather(*[lanes.run(lambda: answer(1)) for _ in range(EFFECTS_PER_LANE)])
        # A lane that was replaced ends within a few turns of the loop; the current one and the next one stay.
        for _ in range(200):
            if len(lanes._lanes) <= 2:
                break
            await asyncio.sleep(0.01)
        assert len(lanes._lanes) <= 2, round_


async def test_lane_of_a_long_work_stays_while_others_come_and_go(lanes: Lanes, make_work: MakeWork) -> None:
    long = make_work()
    task = await started(lanes, long)
    for _ in range(3 * EFFECTS_PER_LANE):
        await lanes.run(lambda: answer(1))
    long.gate.set()
    assert await task == "done"
    assert long.cancelled == 0


async def test_cancelled_work_ends_and_its_neighbours_go_on(lanes: Lanes, make_work: MakeWork) -> None:
    works = [make_work() for _ in range(10)]
    tasks = [await started(lanes, work) for work in works]
    for task in tasks[::2]:
        task.cancel()
    ended = await asyncio.gather(*tasks[::2], return_exceptions=True)
    assert {type(outcome) for outcome in ended} == {asyncio.CancelledError}
    for work in works[::2]:
        await work.ended.wait()
    assert [work.cancelled for work in works] == [1, 0] * 5
    for work in works[1::2]:
        work.gate.set()
    assert await asyncio.gather(*tasks[1::2]) == ["done"] * 5
    assert await lanes.run(lambda: answer(1)) == 1


async def test_cancelling_returns_at_once_although_the_work_goes_on(lanes: Lanes, make_work: MakeWork) -> None:
    stubborn, beside = make_work(stubborn=True), make_work()
    task, neighbour = await started(lanes, stubborn), await started(lanes, beside)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not stubborn.ended.is_set()
    # It may even end later and be heard by nobody.
    stubborn.gate.set()
    await stubborn.ended.wait()
    beside.gate.set()
    assert await neighbour == "done"
    assert await lanes.run(lambda: answer(1)) == 1


async def test_work_that_forgets_a_cancellation_is_cancelled_again(
    lanes: Lanes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes_module, "CANCEL_AGAIN", 0.01)
    entered, ended = asyncio.Event(), asyncio.Event()

    async def forget_one() -> None:
        entered.set()
        try:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            await asyncio.Event().wait()
        finally:
            ended.set()

    task = asyncio.create_task(lanes.run(forget_one))
    await entered.wait()
    task.cancel()
    async with asyncio.timeout(20):
        await ended.wait()


async def test_lane_ends_without_error_once_its_abandoned_work_does(lanes: Lanes, make_work: MakeWork) -> None:
    stubborn = make_work(stubborn=True)
    task = await started(lanes, stubborn)
    run = next(iter(lanes._lanes)).run
    task.cancel()
    await asyncio.wait([task])
    await asyncio.gather(*[lanes.run(lambda: answer(1)) for _ in range(2 * EFFECTS_PER_LANE)])
    stubborn.gate.set()
    await asyncio.wait([run])
    assert run.exception() is None


async def test_cancelled_before_it_began_never_begins(lanes: Lanes, make_work: MakeWork) -> None:
    work = make_work()
    task = asyncio.create_task(lanes.run(work))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert await lanes.run(lambda: answer(1)) == 1
    assert not work.entered.is_set()


async def test_timeout_around_a_work_is_a_timeout(lanes: Lanes, make_work: MakeWork) -> None:
    work = make_work()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.001):
            await lanes.run(work)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0


async def test_error_and_cancellation_of_many_leave_every_other_result_right(lanes: Lanes, make_work: MakeWork) -> None:
    works = [make_work() for _ in range(3 * EFFECTS_PER_LANE)]
    tasks: list[asyncio.Task[object]] = []
    for i, work in enumerate(works):
        if i % 3 == 1:
            tasks.append(asyncio.create_task(lanes.run(partial(fail, ValueError(i)))))
        else:
            tasks.append(asyncio.create_task(lanes.run(work)))
    await asyncio.gather(*[work.entered.wait() for i, work in enumerate(works) if i % 3 != 1])
    for i, task in enumerate(tasks):
        if i % 3 == 2:
            task.cancel()
        elif i % 3 == 0:
            works[i].gate.set()
    outcomes = await asyncio.gather(*tasks, return_exceptions=True)
    for i, outcome in enumerate(outcomes):
        if i % 3 == 0:
            assert outcome == "done"
        elif i % 3 == 1:
            assert isinstance(outcome, ValueError)
            assert outcome.args == (i,)
        else:
            assert isinstance(outcome, asyncio.CancelledError)


async def test_langgraph_is_around_the_work(lanes: Lanes) -> None:
    async def look() -> tuple[bool, object]:
        get_stream_writer()({"token": "x"})
        return "configurable" in get_config(), asyncio.current_task()

    (has_config, first), (_, second) = await asyncio.gather(lanes.run(look), lanes.run(look))
    assert has_config
    assert first is not second is not asyncio.current_task()


@langgraph_task
async def _one_more(number: int) -> int:
    return number + 1


async def test_tasks_of_langgraph_run_inside_a_work(lanes: Lanes) -> None:
    async def work(number: int) -> int:
        return await _one_more(number)

    assert await asyncio.gather(*[lanes.run(partial(work, i)) for i in range(5)]) == [1, 2, 3, 4, 5]


async def test_works_do_not_see_each_others_context(lanes: Lanes) -> None:
    variable = contextvars.ContextVar("variable", default="unset")

    async def set_and_read(value: str) -> str:
        before = variable.get()
        variable.set(value)
        await asyncio.sleep(0)
        assert variable.get() == value
        return before

    assert await asyncio.gather(*[lanes.run(partial(set_and_read, str(i))) for i in range(20)]) == ["unset"] * 20
    assert variable.get() == "unset"


async def test_close_waits_for_works_within_its_grace(make_work: MakeWork) -> None:
    lanes, work = Lanes(), make_work()
    task = await started(lanes, work)
    closing = asyncio.create_task(lanes.close(grace=60))
    await asyncio.sleep(0)
    work.gate.set()
    await closing
    assert await task == "done"


@pytest.mark.parametrize("stubborn", [False, True])
async def test_close_ends_although_works_do_not(stubborn: bool, make_work: MakeWork) -> None:
    lanes, work = Lanes(), make_work(stubborn=stubborn)
    task = await started(lanes, work)
    closing = asyncio.create_task(lanes.close(grace=0.01))
    done, _ = await asyncio.wait([closing], timeout=20)
    work.gate.set()
    await asyncio.wait([task, closing])
    assert done, "it hangs on work that swallows its cancellation"


async def test_close_of_unused_lanes_does_nothing() -> None:
    await Lanes().close()
