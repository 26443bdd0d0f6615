"""Many log entries at once, as the bytes that are sent: long logs are read without an object for each entry."""

from __future__ import annotations

from execsvc.record import record


@record(frozen=True, slots=True, kw_only=True)
class EncodedEntries:
    """Log entries in ascending sequence."""

    #: As ``encoding.log_entries`` makes them, one after the other.
    data: bytes = b""
    count: int = 0
    #: The sequence of the last one; 0 where there is none.
    last: int = 0

    def __len__(self) -> int:
        return self.count
