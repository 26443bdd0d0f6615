"""Plans are kept while they are few and small, and a large definition is compiled once, beside the event loop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from execsvc.definition import Plan, Plans, parse_definition
from execsvc.definition.plans import LARGE
from execsvc.errors import InvalidRequest
from tests.support.workflows import output, workflow


def plan(text: str) -> Plan:
    return parse_definition(workflow(out=output(f"'{text}'")))


def kept(plans: Plans, *keys: str) -> str:
    return "".join(key for key in keys if plans.get(key))


def test_the_least_recently_used_goes_first_where_they_are_too_many() -> None:
    plans = Plans(count=2)
    plans.keep("a", plan("a"))
    plans.keep("b", plan("b"))
    assert plans.get("a")
    plans.keep("c", plan("c"))

    assert kept(plans, "a", "b", "c") == "ac"


def test_their_definitions_are_bounded_together_and_the_newest_stays() -> None:
    small, large = plan("x"), plan("x" * 1_000)
    plans = Plans(size=3 * len(small.canonical))
    for key in "abc":
        plans.keep(key, small)
        plans.keep(key, small)
    assert kept(plans, *"abc") == "abc"
    plans.keep("d", small)
    assert kept(plans, *"abcd") == "bcd"
    plans.keep("large", large)
    assert kept(plans, *"bcd", "large") == "large"
    plans.keep("e", small)
    assert kept(plans, "large", "e") == "e"


async def test_a_large_one_is_compiled_once_beside_the_loop_for_all_who_ask() -> None:
    plans, made, go = Plans(), plan("a"), threading.Event()
    threads: list[int] = []

    def compile() -> Plan:
        threads.append(threading.get_ident())
        go.wait(30)
        return made

    asking = [asyncio.create_task(plans.compiled("a", LARGE + 1, compile)) for _ in range(5)]
    await asyncio.sleep(0)
    asking[0].cancel()
    go.set()
    found = await asyncio.gather(*asking, return_exceptions=True)

    assert isinstance(found[0], asyncio.CancelledError)
    assert found[1:] == [made] * 4
    assert len(threads) == 1
    assert threads[0] != threading.get_ident()
    assert plans.get("a") is made


async def test_a_small_one_is_compiled_in_place() -> None:
    plans, threads = Plans(), []

    def compile() -> Plan:
        threads.append(threading.get_ident())
        return plan("a")

    await plans.compiled("a", LARGE, compile)
    assert threads == [threading.get_ident()]


async def test_one_that_is_wrong_is_so_for_all_who_ask_and_compiled_anew_for_the_next() -> None:
    plans, times = Plans(), 0

    def compile() -> Plan:
        nonlocal times
        times += 1
        return parse_definition({"nodes": []})

    found = await asyncio.gather(*(plans.compiled("a", LARGE + 1, compile) for _ in range(3)), return_exceptions=True)
    assert [type(error) for error in found] == [InvalidRequest] * 3
    with pytest.raises(InvalidRequest):
        await plans.compiled("a", LARGE + 1, compile)
    assert times == 2
    assert plans.get("a") is None
