"""The bytes of log entries are those that protobuf's own objects serialize to."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from execsvc.model import LogColumns, LogEntry, LogLevel
from execsvc.wire.log_entries import encoded_entries
from execsvc_client import v1

_TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=300)
_VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**64 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | _TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_TEXT, inner, max_size=4),
    max_leaves=12,
)
_ENTRIES = st.lists(
    st.builds(
        LogEntry,
        sequence=st.integers(1, 2**63 - 1),
        # To the end of what a Timestamp holds.
        time=st.integers(0, 253402300799_999999),
        level=st.sampled_from(LogLevel),
        message=_TEXT,
        node_id=st.text("abcXYZ019_.:-", max_size=128),
        attempt=st.integers(0, 2**31 - 1),
        metadata=st.dictionaries(_TEXT, _VALUES, max_size=5),
    ),
    max_size=6,
)


def message_of(entry: LogEntry) -> v1.LogEntry:
    message = v1.LogEntry(
        sequence=entry.sequence,
        level=v1.LogLevel.Value(f"LOG_LEVEL_{entry.level}"),
        node_id=entry.node_id,
        attempt=entry.attempt,
        message=entry.message,
    )
    message.time.FromMicroseconds(entry.time)
    if entry.metadata:
        json_format.ParseDict(entry.metadata, message.metadata)
    return message


def with_texts(columns: LogColumns) -> LogColumns:
    """The same, with metadata as a store has it."""
    changed: dict[str, Any] = {name: getattr(columns, name) for name in LogColumns.__slots__}
    return LogColumns(**changed | {"metadata": [orjson.dumps(facts).decode() for facts in columns.metadata]})


@given(_ENTRIES)
def test_entries_read_back_as_the_messages_that_protobuf_would_have_made(entries: list[LogEntry]) -> None:
    columns = LogColumns.of(entries)
    expected = v1.StreamLogsResponse(entries=map(message_of, entries))
    for given_columns in (columns, with_texts(columns)):
        read = v1.StreamLogsResponse.FromString(encoded_entries(given_columns))
        assert read == expected
        # No byte more than needed: read and written again it is as long.
        assert len(encoded_entries(given_columns)) == read.ByteSize()


@pytest.mark.parametrize("bits", [7, 14, 21, 28, 35])
def test_numbers_are_right_where_they_become_a_byte_longer(bits: int) -> None:
    # The lengths that are written in place, and those that take a call, meet at some of them.
    entries = [
        LogEntry(
            sequence=number,
            time=number,
            level=LogLevel.INFO,
            node_id="",
            attempt=0,
            message="m",
            metadata={"n": number, "f": number / 7},
        )
        for number in range((1 << bits) - 2, (1 << bits) + 2)
    ]
    expected = v1.StreamLogsResponse(entries=map(message_of, entries))
    for given_columns in (LogColumns.of(entries), with_texts(LogColumns.of(entries))):
        assert v1.StreamLogsResponse.FromString(encoded_entries(given_columns)) == expected


@given(_ENTRIES)
def test_entries_merge_into_pages_too(entries: list[LogEntry]) -> None:
    page = v1.ListLogsResponse(next_page_token="next")
    page.MergeFromString(encoded_entries(LogColumns.of(entries)))
    assert page == v1.ListLogsResponse(entries=map(message_of, entries), next_page_token="next")


@pytest.mark.parametrize("field", [field.name for field in v1.LogEntry.DESCRIPTOR.fields])
def test_each_field_of_an_entry_is_sent(field: str) -> None:
    entry = LogEntry(
        sequence=1, time=1, level=LogLevel.DEBUG, message="m", node_id="n", attempt=1, metadata={"event": "e"}
    )
    (message,) = v1.StreamLogsResponse.FromString(encoded_entries(LogColumns.of([entry]))).entries
    assert field in [sent.name for sent, _ in message.ListFields()]
