"""The bytes of log entries are those that protobuf's own objects serialize to, and read back as they were."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import orjson
import pytest
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from execsvc.encoding.log_entries import decoded_entries, encoded_columns, within
from execsvc.model import EncodedEntries, LogEntry, LogLevel
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


def encoded(entries: list[LogEntry], *, texts: bool = False) -> EncodedEntries:
    """Their bytes, out of columns; with ``texts`` metadata stands there as text."""
    rows = [
        (
            entry.sequence,
            entry.time,
            entry.level.rank,
            entry.node_id,
            entry.attempt,
            entry.message,
            orjson.dumps(entry.metadata).decode() if texts else entry.metadata,
        )
        for entry in entries
    ]
    return encoded_columns(list(zip(*rows, strict=True)) if rows else [()] * 7)


@given(_ENTRIES)
def test_entries_read_back_as_the_messages_that_protobuf_would_have_made(entries: list[LogEntry]) -> None:
    expected = v1.StreamLogsResponse(entries=map(message_of, entries))
    for texts in (False, True):
        data = encoded(entries, texts=texts).data
        read = v1.StreamLogsResponse.FromString(data)
        assert read == expected
        # No byte more than needed: read and written again it is as long.
        assert len(data) == read.ByteSize()


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
    for texts in (False, True):
        assert v1.StreamLogsResponse.FromString(encoded(entries, texts=texts).data) == expected


@given(_ENTRIES)
def test_entries_merge_into_pages_too(entries: list[LogEntry]) -> None:
    page = v1.ListLogsResponse(next_page_token="next")
    page.MergeFromString(encoded(entries).data)
    assert page == v1.ListLogsResponse(entries=map(message_of, entries), next_page_token="next")


@pytest.mark.parametrize("field", [field.name for field in v1.LogEntry.DESCRIPTOR.fields])
def test_each_field_of_an_entry_is_sent(field: str) -> None:
    entry = LogEntry(
        sequence=1, time=1, level=LogLevel.DEBUG, message="m", node_id="n", attempt=1, metadata={"event": "e"}
    )
    (message,) = v1.StreamLogsResponse.FromString(encoded([entry]).data).entries
    assert field in [sent.name for sent, _ in message.ListFields()]


@given(_ENTRIES)
def test_entries_read_back_as_they_were(entries: list[LogEntry]) -> None:
    found = decoded_entries(encoded(entries).data)
    # Numbers are doubles on the wire, so large integers lose digits there.
    assert [replace(entry, metadata={}) for entry in found] == [replace(entry, metadata={}) for entry in entries]
    assert [_doubles(entry.metadata) for entry in found] == [_doubles(entry.metadata) for entry in entries]


def _doubles(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _doubles(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_doubles(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@pytest.mark.parametrize("data", [b"\x0a", b"\x0a\x05\x08", b"\x0a\x02\x18\x63", b"\xff\xff\xff", b"\x0a\x02\x3a\x7f"])
def test_bytes_that_are_no_entries_are_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="no log entries"):
        decoded_entries(data)


@given(_ENTRIES.filter(len), st.data())
def test_a_part_ends_with_the_entry_that_brings_it_to_its_bytes(entries: list[LogEntry], data: st.DataObject) -> None:
    whole = encoded(entries)
    ends = [len(encoded(entries[:count]).data) for count in range(1, len(entries) + 1)]
    limit = data.draw(st.integers(1, len(whole.data) + 1) | st.sampled_from(ends))
    part = within(whole, limit)
    assert decoded_entries(part.data) == decoded_entries(whole.data)[: part.count]
    assert part.last == entries[part.count - 1].sequence
    before = encoded(entries[: part.count - 1])
    assert len(before.data) < limit
    assert len(part.data) >= limit or part == whole
