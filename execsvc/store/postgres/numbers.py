"""Numbers of executions to be stored, taken from the database by the block."""

from __future__ import annotations

from typing import Final

#: By how much the sequence in the database grows.
BLOCK: Final = 1000


class Numbers:
    """Gives numbers that no other server gives. What is left of a block when the next one comes is lost."""

    def __init__(self) -> None:
        self._next = self._end = 0

    def short_of(self, count: int) -> bool:
        """Whether there are fewer left than ``count``, which is at most BLOCK."""
        return self._end - self._next < count

    def add(self, first: int) -> None:
        """Go on with the block that begins with ``first``."""
        self._next, self._end = first, first + BLOCK

    def take(self) -> int:
        """Answer a number."""
        assert self._next < self._end
        self._next += 1
        return self._next - 1
