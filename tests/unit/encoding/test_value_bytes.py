"""The bytes of any value are those of protobuf's own message."""

from __future__ import annotations

from typing import Any

import pytest
from google.protobuf.struct_pb2 import Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from execsvc.encoding.value_bytes import struct_bytes, value_bytes
from execsvc.encoding.values import to_struct, to_value
from execsvc.encoding.wire_format import number_of, varint

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=200)
NUMBERS = st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False)
JSON = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXT,
    lambda inner: st.lists(inner, max_size=8) | st.dictionaries(TEXT, inner, max_size=8),
    max_leaves=50,
)


@given(JSON)
def test_a_value(value: Any) -> None:
    assert Value.FromString(value_bytes(value)) == to_value(value)


@given(st.dictionaries(TEXT, JSON, max_size=8))
def test_an_object(fields: dict[str, Any]) -> None:
    assert Struct.FromString(struct_bytes(fields)) == to_struct(fields)


@pytest.mark.parametrize("count", [0, 1, 127, 128, 16_383, 16_384, 300_000])
def test_lengths_of_any_size(count: int) -> None:
    for value in ("x" * count, [1.5] * count, {"k" * count: None}):
        assert value_bytes(value) == to_value(value).SerializeToString()


def test_a_text_that_is_no_unicode_is_refused() -> None:
    with pytest.raises(UnicodeEncodeError):
        value_bytes(["\ud800"])


@given(st.integers(0, 2**64))
def test_numbers_out_of_tables_are_those_that_are_computed(number: int) -> None:
    assert number_of(number) == varint(number)
