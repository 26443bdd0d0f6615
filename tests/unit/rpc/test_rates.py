"""How many calls a namespace may make: its rate, a second's worth at once, and nothing of the others'."""

from __future__ import annotations

import pytest

from execsvc.errors import RateLimited
from execsvc.model import NamespaceLimits, Namespaces
from execsvc.rpc.rates import Rates


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """A clock."""
    return Clock()


@pytest.fixture
def rates(clock: Clock) -> Rates:
    """Ten calls a second for ``ten``, one in four seconds for ``slow``."""
    overrides = {"ten": NamespaceLimits(rate=10), "slow": NamespaceLimits(rate=0.25)}
    return Rates(Namespaces(overrides=overrides), clock)


def taken(rates: Rates, namespace: str, calls: int) -> int:
    """How many of so many calls are let in."""
    found = 0
    for _ in range(calls):
        try:
            rates.take(namespace)
        except RateLimited:
            continue
        found += 1
    return found


def test_a_second_of_calls_may_come_at_once_and_then_as_many_as_the_rate(rates: Rates, clock: Clock) -> None:
    assert taken(rates, "ten", 50) == 10
    clock.now += 0.35
    assert taken(rates, "ten", 50) == 3
    clock.now += 60
    assert taken(rates, "ten", 50) == 10


def test_a_rate_below_one_lets_one_in_and_says_when_the_next_may_come(rates: Rates, clock: Clock) -> None:
    rates.take("slow")
    with pytest.raises(RateLimited) as refused:
        rates.take("slow")
    assert refused.value.retry_delay == pytest.approx(4)
    clock.now += refused.value.retry_delay
    rates.take("slow")


def test_asking_while_there_is_nothing_left_costs_nothing_more(rates: Rates, clock: Clock) -> None:
    rates.take("slow")
    for _ in range(39):
        clock.now += 0.1
        with pytest.raises(RateLimited):
            rates.take("slow")
    clock.now += 0.11
    rates.take("slow")


def test_one_namespace_takes_nothing_of_another_and_those_without_a_rate_have_none(rates: Rates) -> None:
    assert taken(rates, "ten", 100) == 10
    assert taken(rates, "slow", 1) == 1
    assert taken(rates, "free", 1_000) == 1_000
