"""Plain values survive the way into protobuf and back, or are refused with their path."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from execsvc_client._values import (
    LARGE,
    MAX_EXACT_INT,
    Problems,
    fill_struct,
    fill_value,
    is_large,
    plain_struct,
    plain_value,
)

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
EXACT = st.integers(-MAX_EXACT_INT, MAX_EXACT_INT)
# A float that is a whole number comes back as an int: equal, of another type.
NUMBERS = EXACT | st.floats(allow_nan=False, allow_infinity=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@pytest.mark.parametrize(
    ("value", "large"),
    [
        (None, False),
        ("x" * 1_000_000, False),
        ({"n": 1, "l": [1, 2, 3]}, False),
        ([0] * LARGE, False),
        ([0] * (LARGE + 1), True),
        ({"rows": [{"id": n, "tags": ["a"]} for n in range(LARGE // 5)]}, False),
        ({"rows": [{"id": n, "tags": ["a"]} for n in range(LARGE // 3)]}, True),
    ],
)
def test_what_has_many_parts_is_large(value: Any, large: bool) -> None:
    assert is_large(value) is large


@given(JSON)
def test_every_json_value_comes_back_equal(value: Any) -> None:
    message, problems = Value(), Problems()
    fill_value(message, value, "v", problems)

    assert problems.found == []
    assert plain_value(Value.FromString(message.SerializeToString())) == value


@given(st.dictionaries(TEXT, JSON, max_size=4))
def test_every_object_comes_back_equal(value: dict[str, Any]) -> None:
    message, problems = Struct(), Problems()
    fill_struct(message, value, "v", problems)

    assert problems.found == []
    assert plain_struct(Struct.FromString(message.SerializeToString())) == value


@given(EXACT)
def test_integers_that_a_double_holds_exactly_stay_integers(number: int) -> None:
    message = Value()
    fill_value(message, number, "v", Problems())

    assert type(plain_value(message)) is int


@given(st.integers(MAX_EXACT_INT + 1) | st.integers(max_value=-MAX_EXACT_INT - 1))
def test_a_larger_integer_is_exact_or_refused(number: int) -> None:
    message, problems = Value(), Problems()
    fill_value(message, number, "v", problems)

    if problems.found:
        assert problems.found[0].reason == "INEXACT_INTEGER"
        assert message.WhichOneof("kind") is None
    else:
        assert int(message.number_value) == number


@pytest.mark.parametrize(
    ("value", "path", "reason"),
    [
        ({"a": [1, float("inf")]}, "v.a[1]", "NOT_FINITE"),
        ({"a": {1: 2}}, "v.a.1", "WRONG_TYPE"),
        ({"a": b"x"}, "v.a", "WRONG_TYPE"),
        ({"a": {1, 2}}, "v.a", "WRONG_TYPE"),
        ({"a": "\udc00"}, "v.a", "INVALID_UNICODE"),
        ({"a": 10**400}, "v.a", "INEXACT_INTEGER"),
        ({"a": 10**5000}, "v.a", "INEXACT_INTEGER"),
    ],
)
def test_what_cannot_be_sent_is_named(value: Any, path: str, reason: str) -> None:
    problems = Problems()
    fill_struct(Struct(), value, "v", problems)

    assert [(problem.path, problem.reason) for problem in problems.found] == [(path, reason)]
