"""Log entries as objects, out of what a store reads."""

from __future__ import annotations

from execsvc.encoding.log_entries import decoded_entries
from execsvc.model import LogEntry
from execsvc.store import LogPage


def entries_of(page: LogPage) -> tuple[LogEntry, ...]:
    """The entries of a page."""
    entries = tuple(decoded_entries(page.entries.data))
    assert len(entries) == len(page.entries)
    assert page.entries.last == (entries[-1].sequence if entries else 0)
    return entries
