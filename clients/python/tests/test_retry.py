"""When to try again, with time and chance in the test's hands."""

from __future__ import annotations

import pytest

from execsvc_client import Cancelled, DeadlineExceeded, ExecsvcError, InternalError, NotFound, Unavailable
from execsvc_client._errors import is_lost_connection
from execsvc_client._retry import MAX_ATTEMPTS, MAX_DELAY, Reconnect, Repeats, Retry, Timing
from execsvc_client._status_details import Details


class Clock:
    """Seconds that pass when the test says so."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.timing = Timing(clock=lambda: self.now, chance=lambda: 1.0)


@pytest.fixture
def clock() -> Clock:
    return Clock()


def test_waits_double_up_to_a_limit_and_half_of_each_is_chance() -> None:
    highest = Timing(chance=lambda: 1.0)
    lowest = Timing(chance=lambda: 0.0)

    assert [highest.delay(n, Unavailable()) for n in (1, 2, 3, 4)] == pytest.approx([0.1, 0.2, 0.4, 0.8])
    assert [lowest.delay(n, Unavailable()) for n in (1, 2, 3)] == pytest.approx([0.05, 0.1, 0.2])
    assert highest.delay(5000, Unavailable()) == MAX_DELAY


def test_the_servers_own_delay_is_the_least(clock: Clock) -> None:
    busy = Unavailable(details=Details(retry_delay=2.5))

    assert clock.timing.delay(1, busy) == 2.5
    assert Retry(clock.timing, repeats=Repeats.BY_CLIENT, deadline=clock.now + 30).delay_after(busy) == 2.5


def test_a_call_is_repeated_only_if_unavailable_and_only_so_often(clock: Clock) -> None:
    retry = Retry(clock.timing, repeats=Repeats.BY_CLIENT, deadline=clock.now + 30)
    for _ in range(MAX_ATTEMPTS - 1):
        retry.delay_after(Unavailable())
    with pytest.raises(Unavailable):
        retry.delay_after(Unavailable())

    with pytest.raises(NotFound):
        Retry(clock.timing, repeats=Repeats.BY_CLIENT, deadline=clock.now + 30).delay_after(NotFound())
    with pytest.raises(Unavailable):
        Retry(clock.timing, repeats=Repeats.NEVER, deadline=clock.now + 30).delay_after(Unavailable())


def test_a_call_is_not_repeated_past_its_deadline(clock: Clock) -> None:
    retry = Retry(clock.timing, repeats=Repeats.BY_CLIENT, deadline=clock.now + 1)
    retry.delay_after(Unavailable())
    clock.now += 0.95
    assert retry.call_timeout() == pytest.approx(0.05)

    with pytest.raises(Unavailable):
        retry.delay_after(Unavailable())


def test_a_stream_gives_up_after_so_long_without_an_answer(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=10)
    start = clock.now

    def keep_failing() -> None:
        while True:
            clock.now += reconnect.delay_after(Unavailable())

    with pytest.raises(Unavailable):
        keep_failing()
    assert clock.now - start == pytest.approx(10)


def test_an_answer_starts_the_patience_anew(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=10)
    for _ in range(100):
        clock.now += 9
        reconnect.delay_after(Unavailable())
        reconnect.progress(advanced=True)


def test_without_a_limit_a_stream_never_gives_up(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=None)
    for _ in range(1000):
        clock.now += reconnect.delay_after(Unavailable())


def test_news_let_the_waits_start_small_again(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=None)
    for _ in range(8):
        reconnect.delay_after(Unavailable())
    reconnect.progress(advanced=True)

    assert reconnect.delay_after(Unavailable()) == pytest.approx(0.1)


def test_a_server_that_accepts_and_drops_at_once_is_not_hammered(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=10)
    delays = []
    for _ in range(8):
        delays.append(reconnect.delay_after(Unavailable()))
        clock.now += delays[-1]
        reconnect.progress(advanced=False)

    assert delays[-1] == MAX_DELAY


def test_a_connection_that_lasted_counts_as_calm(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=10)
    for _ in range(8):
        reconnect.delay_after(Unavailable())
    reconnect.progress(advanced=False)
    clock.now += MAX_DELAY + 1
    reconnect.progress(advanced=False)

    assert reconnect.delay_after(Unavailable()) == pytest.approx(0.1)


def test_a_deadline_ends_a_stream_and_cuts_its_waits(clock: Clock) -> None:
    reconnect = Reconnect(clock.timing, give_up_after=None, deadline=clock.now + 0.05, call_timeout=30)
    assert reconnect.call_timeout() == pytest.approx(0.05)
    assert reconnect.delay_after(Unavailable()) == pytest.approx(0.05)
    clock.now += 0.05

    with pytest.raises(DeadlineExceeded):
        reconnect.delay_after(Unavailable())


@pytest.mark.parametrize(
    ("error", "lost"),
    [
        (Unavailable(), True),
        (Unavailable(details=Details(reason="SERVER_DRAINING")), True),
        (DeadlineExceeded(), True),
        (InternalError("Received RST_STREAM with error code 2", code="INTERNAL"), True),
        (InternalError("Stream removed", code="UNKNOWN"), True),
        (Cancelled("Received RST_STREAM with error code 8", code="CANCELLED"), True),
        (Cancelled("Channel closed!", code="CANCELLED"), False),
        (InternalError("a bug in RST_STREAM handling", code="INTERNAL", details=Details(reason="BUG")), False),
        (InternalError("a bug", code="INTERNAL"), False),
        (NotFound("Socket closed"), False),
    ],
)
def test_only_a_broken_connection_is_taken_for_one(error: ExecsvcError, lost: bool) -> None:
    assert is_lost_connection(error) is lost
