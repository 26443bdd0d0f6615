"""Log entries as objects, out of what a store reads."""

from __future__ import annotations

import orjson

from execsvc.model import LogEntry, LogLevel
from execsvc.store import LogPage

_LEVELS = {level.rank: level for level in LogLevel}


def entries_of(page: LogPage) -> tuple[LogEntry, ...]:
    """The entries of a page."""
    columns = page.columns
    return tuple(
        LogEntry(
            sequence=sequence,
            time=time,
            level=_LEVELS[level],
            message=message,
            node_id=node_id,
            attempt=attempt,
            metadata=orjson.loads(metadata) if isinstance(metadata, str) else metadata,
        )
        for sequence, time, level, node_id, attempt, message, metadata in zip(
            columns.sequences,
            columns.times,
            columns.levels,
            columns.node_ids,
            columns.attempts,
            columns.messages,
            columns.metadata,
            strict=True,
        )
    )
