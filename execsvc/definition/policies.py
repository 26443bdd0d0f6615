"""What a node says of its failures: retry policy, timeout, and what happens after the last attempt."""

from __future__ import annotations

from typing import Any

import orjson

from execsvc.definition.durations import format_duration, parse_duration
from execsvc.definition.json_values import kind_of, whole_numbers
from execsvc.definition.plan import OnError, RetryPolicy
from execsvc.definition.problems import Problems, unknown_keys

_RETRY_KEYS = ("max_attempts", "initial_backoff", "multiplier", "max_backoff", "non_retryable")


def parse_timeout(value: Any, path: str, problems: Problems) -> int | None:
    """Read a timeout, in microseconds; None where there is none, or a problem."""
    if value is None:
        return None
    timeout = _duration(value, path, problems)
    if timeout == 0:
        problems.add(path, "INVALID_VALUE", "must be longer than 0; leave it out for no limit")
    return timeout


def _duration(value: Any, path: str, problems: Problems) -> int | None:
    try:
        return parse_duration(value)
    except ValueError as error:
        problems.add(path, "INVALID_DURATION", str(error))
        return None


def parse_retry(value: Any, path: str, problems: Problems) -> RetryPolicy | None:
    """Read a retry policy; None where there is none, or a problem."""
    if value is None:
        return None
    if not isinstance(value, dict):
        problems.add(path, "WRONG_TYPE", f"must be an object, not {kind_of(value)}")
        return None
    unknown_keys(value, _RETRY_KEYS, path, problems)
    standard = RetryPolicy()
    attempts = value.get("max_attempts") or standard.max_attempts
    if type(attempts) is float and attempts.is_integer():
        attempts = int(attempts)
    if type(attempts) is not int or not 1 <= attempts <= 100:
        problems.add(f"{path}.max_attempts", "INVALID_VALUE", "must be an integer from 1 to 100")
        attempts = 1
    multiplier = value.get("multiplier") or standard.multiplier
    if type(multiplier) not in (int, float) or not 1 <= multiplier <= 1_000:
        problems.add(f"{path}.multiplier", "INVALID_VALUE", "must be a number from 1 to 1000")
        multiplier = standard.multiplier
    types = value.get("non_retryable") or []
    if not isinstance(types, list) or not all(isinstance(name, str) and name for name in types):
        problems.add(f"{path}.non_retryable", "WRONG_TYPE", "must be a list of error types")
        types = []
    waits = {}
    for key, default in (("initial_backoff", standard.initial_backoff), ("max_backoff", standard.max_backoff)):
        wait = None if value.get(key) is None else _duration(value[key], f"{path}.{key}", problems)
        waits[key] = default if wait is None else wait
    return RetryPolicy(max_attempts=attempts, multiplier=float(multiplier), non_retryable=frozenset(types), **waits)


def parse_on_error(value: Any, path: str, problems: Problems) -> OnError:
    """Read what happens once a node has failed."""
    if value is None or value == "fail":
        return OnError()
    if value == "continue":
        return OnError(proceed=True)
    if not isinstance(value, dict):
        problems.add(path, "INVALID_VALUE", 'must be "fail", "continue", or {"action", "fallback"}')
        return OnError()
    unknown_keys(value, ("action", "fallback"), path, problems)
    action = value.get("action")
    if action not in (None, "fail", "continue"):
        problems.add(f"{path}.action", "INVALID_VALUE", 'must be "fail" or "continue"')
    if action != "continue":
        if value.get("fallback") is not None:
            problems.add(f"{path}.fallback", "CONFLICT", "a fallback goes with the action 'continue' only")
        return OnError()
    return OnError(proceed=True, fallback=value.get("fallback"))


def canonical_retry(retry: RetryPolicy) -> dict[str, Any]:
    """Give the canonical JSON form of a policy: what is standard is left out."""
    standard = RetryPolicy()
    result: dict[str, Any] = {}
    if retry.max_attempts != standard.max_attempts:
        result["max_attempts"] = retry.max_attempts
    if retry.initial_backoff != standard.initial_backoff:
        result["initial_backoff"] = format_duration(retry.initial_backoff)
    if retry.multiplier != standard.multiplier:
        result["multiplier"] = whole_numbers(retry.multiplier)
    if retry.max_backoff != standard.max_backoff:
        result["max_backoff"] = format_duration(retry.max_backoff)
    if retry.non_retryable:
        result["non_retryable"] = sorted(retry.non_retryable)
    return result


def load_retry(canonical: bytes) -> RetryPolicy:
    """Read a policy from its canonical JSON text, as ``canonical_retry`` gave it."""
    problems = Problems()
    policy = parse_retry(orjson.loads(canonical), "retry", problems)
    problems.raise_if_any()
    return policy or RetryPolicy()
