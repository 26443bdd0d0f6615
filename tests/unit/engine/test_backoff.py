"""The wait between two attempts: exponential, with jitter, bounded, and no shorter than a provider asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.definition import RetryPolicy
from execsvc.engine.attempt import MAX_RETRY_AFTER, Failure, backoff
from execsvc.model import ErrorInfo

POLICY = RetryPolicy(max_attempts=10, initial_backoff=1_000_000, multiplier=3.0, max_backoff=20_000_000)


def failure(attempt: int = 1, retry_after: float | None = None) -> Failure:
    error = ErrorInfo(type="BUSY", message="busy", node_id="a", retryable=True, attempt=attempt)
    return Failure(error=error, retry_after=retry_after)


@pytest.mark.parametrize(
    ("attempt", "least", "most"), [(1, 1.0, 1.5), (2, 3.0, 3.5), (3, 9.0, 9.5), (4, 20.0, 20.0), (100, 20.0, 20.0)]
)
def test_the_wait_grows_by_the_multiplier_with_a_jitter_of_half_the_first_wait(
    attempt: int, least: float, most: float
) -> None:
    waits = [backoff(POLICY, failure(attempt)) for _ in range(200)]
    assert all(least <= wait <= most for wait in waits)
    if least < most:
        assert len(set(waits)) > 1


def test_attempts_that_no_longer_count_do_not_lengthen_the_wait() -> None:
    assert 1.0 <= backoff(POLICY, failure(7), before=6) <= 1.5


@pytest.mark.parametrize(
    ("asked", "waits"), [(None, 20.0), (0.5, 20.0), (45.0, 45.0), (10 * MAX_RETRY_AFTER, MAX_RETRY_AFTER)]
)
def test_no_shorter_than_the_provider_asked_for_up_to_an_hour(asked: float | None, waits: float) -> None:
    assert backoff(POLICY, failure(4, asked)) == waits


@given(
    st.integers(1, 100),
    st.integers(0, 1_000),
    st.floats(1, 1_000),
    st.integers(0, 3_600_000_000),
    st.integers(0, 3_600_000_000),
)
def test_no_policy_and_no_attempt_is_too_large_to_compute(
    attempt: int, before: int, multiplier: float, initial: int, most: int
) -> None:
    policy = RetryPolicy(max_attempts=100, initial_backoff=initial, multiplier=multiplier, max_backoff=most)
    assert 0 <= backoff(policy, failure(before + attempt), before=before) <= most / 1e6
