"""Peers that show wrong credentials: how many are answered, and that peers do not stand in for each other."""

from __future__ import annotations

from execsvc.rpc.failures import BURST, PEERS, PER_SECOND, Failures


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def allowed(failures: Failures, peer: str, tries: int) -> int:
    """How many of so many failures are within what a peer may have."""
    return sum(failures.allow(f"{peer}:{port}") for port in range(tries))


def test_a_burst_is_allowed_and_then_some_each_second() -> None:
    clock = Clock()
    failures = Failures(clock)

    assert allowed(failures, "ipv4:10.0.0.1", 3 * BURST) == BURST
    clock.now += 2
    assert allowed(failures, "ipv4:10.0.0.1", 3 * BURST) == 2 * PER_SECOND
    clock.now += 1e6
    assert allowed(failures, "ipv4:10.0.0.1", 3 * BURST) == BURST


def test_other_peers_are_not_held_to_account() -> None:
    failures = Failures(Clock())
    allowed(failures, "ipv4:10.0.0.1", 2 * BURST)

    assert allowed(failures, "ipv4:10.0.0.2", 1) == 1
    assert allowed(failures, "ipv6:%5B::1%5D", 1) == 1


def test_no_number_of_peers_takes_more_memory() -> None:
    failures = Failures(Clock())
    for number in range(PEERS + 100):
        failures.allow(f"ipv4:10.0.{number}:1")

    assert len(failures._left) == PEERS
