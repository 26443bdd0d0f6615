"""Many log entries at once, by column: a long log is read and sent without an object for each entry."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from operator import add
from typing import Any

from execsvc.model.execution import LogEntry
from execsvc.record import record


@record(frozen=True, slots=True, kw_only=True)
class LogColumns:
    """Log entries in ascending sequence; all columns are of one length, and item n of each belongs to entry n."""

    sequences: Sequence[int] = ()
    #: Microseconds since the epoch.
    times: Sequence[int] = ()
    #: Ranks of ``LogLevel``.
    levels: Sequence[int] = ()
    node_ids: Sequence[str] = ()
    attempts: Sequence[int] = ()
    messages: Sequence[str] = ()
    #: Each a JSON object, or the text of one.
    metadata: Sequence[Mapping[str, Any] | str] = ()

    @classmethod
    def of(cls, entries: Iterable[LogEntry]) -> LogColumns:
        """Turn entries into columns."""
        rows = [
            (entry.sequence, entry.time, entry.level.rank, entry.node_id, entry.attempt, entry.message, entry.metadata)
            for entry in entries
        ]
        if not rows:
            return cls()
        sequences, times, levels, node_ids, attempts, messages, metadata = zip(*rows, strict=True)
        return cls(
            sequences=sequences,
            times=times,
            levels=levels,
            node_ids=node_ids,
            attempts=attempts,
            messages=messages,
            metadata=metadata,
        )

    def __len__(self) -> int:
        return len(self.sequences)

    def within(self, max_bytes: int) -> LogColumns:
        """Answer the entries up to the one that brings messages and texts of metadata to so many characters."""
        sizes = accumulate(map(add, map(len, self.messages), map(len, self.metadata)))
        count = bisect_left(list(sizes), max_bytes) + 1
        if count >= len(self):
            return self
        return LogColumns(
            sequences=self.sequences[:count],
            times=self.times[:count],
            levels=self.levels[:count],
            node_ids=self.node_ids[:count],
            attempts=self.attempts[:count],
            messages=self.messages[:count],
            metadata=self.metadata[:count],
        )
