"""How long an execution has been RUNNING: stands still while it is PAUSED, goes on across restarts."""

from __future__ import annotations

from execsvc.clock import Clock


class Stopwatch:
    """Counts microseconds; starts running.

    Args:
        ran_for: what was counted before.
    """

    def __init__(self, clock: Clock, *, ran_for: int) -> None:
        self._clock = clock
        self._before = ran_for
        self._since: int | None = clock()

    def elapsed(self) -> int:
        """Microseconds counted so far."""
        return self._before + (0 if self._since is None else self._clock() - self._since)

    def stop(self) -> None:
        """Stand still."""
        self._before = self.elapsed()
        self._since = None

    def start(self) -> None:
        """Go on."""
        if self._since is None:
            self._since = self._clock()
