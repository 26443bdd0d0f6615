"""The least that a value's JSON text can have."""

from __future__ import annotations

from typing import Any

import orjson
from hypothesis import given
from hypothesis import strategies as st

from execsvc.definition.json_values import at_least

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False) | TEXT,
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(TEXT, inner, max_size=5),
    max_leaves=30,
)


@given(JSON)
def test_it_is_never_more_than_there_is(value: Any) -> None:
    assert at_least(value, 1 << 30) <= len(orjson.dumps(value))


def test_it_is_exact_for_ascii_texts_and_digits() -> None:
    value = {"a": [1, 2, {"bc": "de"}], "f": "ghi"}

    assert at_least(value, 1 << 30) == len(orjson.dumps(value))


def test_it_stops_where_there_is_enough() -> None:
    shared: list[Any] = ["x" * 1_000]
    for _ in range(60):
        # As many times the text as two to the power of sixty: whoever looks at all of it is never done.
        shared = [shared, shared]

    assert at_least(shared, 10_000) > 10_000
