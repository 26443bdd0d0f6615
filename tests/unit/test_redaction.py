"""Which keys hide their values, and that nothing else is touched."""

from __future__ import annotations

import pytest

from execsvc.redaction import REDACTED, Redaction


@pytest.mark.parametrize("key", ["api_key", "apiKey", "API-Key", "api key", "password", "Password", "refresh_token"])
def test_a_key_hides_its_value_however_it_is_written(key: str) -> None:
    assert Redaction(["api_key", "PASSWORD", "*_token"]).shown({key: "hunter2"}) == {key: REDACTED}


@pytest.mark.parametrize("key", ["max_tokens", "tokens", "passwords", "key", "monkey", "*", ""])
def test_other_keys_do_not(key: str) -> None:
    assert Redaction(["api_key", "password", "*_token"]).shown({key: "hunter2"}) == {key: "hunter2"}


def test_values_of_any_kind_and_at_any_depth_are_hidden_but_not_that_there_is_none() -> None:
    given = {"a": [{"pin": 1234}, {"pin": None}, "pin"], "pin": {"value": "x"}, "b": {"c": {"pin": []}}}

    shown = Redaction(["pin"]).shown(given)

    assert shown == {"a": [{"pin": REDACTED}, {"pin": None}, "pin"], "pin": REDACTED, "b": {"c": {"pin": REDACTED}}}
    assert given["pin"] == {"value": "x"}


def test_without_keys_nothing_is_looked_at() -> None:
    given = {"password": "hunter2"}

    assert Redaction().shown(given) is given
