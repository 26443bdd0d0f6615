"""Decide whether and when a failed call or a broken stream is tried again. Pure: time and chance are passed in."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto

from execsvc_client._errors import DeadlineExceeded, ExecsvcError, Unavailable, is_cut_off, is_lost_connection

#: Attempts at one unary call, the first included. gRPC allows no more in a service config.
MAX_ATTEMPTS = 5
#: Seconds before the second attempt.
INITIAL_DELAY = 0.1
#: Longest wait between two attempts, seconds; a server's own ``retry_delay`` may be longer.
MAX_DELAY = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """Where seconds and chance come from."""

    #: Seconds that never go back.
    clock: Callable[[], float] = time.monotonic
    #: 0 to 1, evenly.
    chance: Callable[[], float] = random.random
    #: Waits on a plain thread; asyncio has its own.
    sleep: Callable[[float], None] = time.sleep

    def remaining(self, deadline: float | None) -> float | None:
        """Return the seconds until a deadline, at least 0; None where there is none."""
        return None if deadline is None else max(0.0, deadline - self.clock())

    def delay(self, attempt: int, error: ExecsvcError) -> float:
        """Return how long to wait after failed attempt number ``attempt`` (from 1): doubling, and half of it chance."""
        delay = min(MAX_DELAY, INITIAL_DELAY * 2.0 ** min(attempt - 1, 30))
        return max(delay * (1 + self.chance()) / 2, error.retry_delay or 0.0)


class Repeats(Enum):
    """Who repeats a unary call while the server is unavailable."""

    #: It is not safe.
    NEVER = auto()
    #: gRPC, which does not take a call that a server's core cut off for one to repeat: that is left to this client.
    BY_GRPC = auto()
    BY_CLIENT = auto()


class Retry:
    """Repeats one unary call while the server is unavailable, a few times, within the call's deadline."""

    def __init__(self, timing: Timing, *, repeats: Repeats, deadline: float) -> None:
        self._timing = timing
        self._repeats = repeats
        self._deadline = deadline
        self._attempt = 0

    def call_timeout(self) -> float:
        """Return the seconds that the next attempt may take."""
        return max(0.0, self._deadline - self._timing.clock())

    def delay_after(self, error: ExecsvcError) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            ExecsvcError: the error itself, where another attempt is not safe, not useful or too late.
        """
        self._attempt += 1
        if not self._may_repeat_after(error) or self._attempt >= MAX_ATTEMPTS:
            raise error
        delay = self._timing.delay(self._attempt, error)
        if delay >= self.call_timeout():
            raise error
        return delay

    def _may_repeat_after(self, error: ExecsvcError) -> bool:
        if self._repeats is Repeats.BY_GRPC:
            return is_cut_off(error)
        return self._repeats is Repeats.BY_CLIENT and isinstance(error, Unavailable)


class Reconnect:
    """Repeats a stream, or a call that belongs to one, through outages of any number up to a length.

    Progress is any answer of the server. What gives up is ``give_up_after`` seconds without, counted from the first
    failure; and the deadline, where there is one.
    """

    def __init__(
        self,
        timing: Timing,
        *,
        give_up_after: float | None,
        deadline: float | None = None,
        call_timeout: float | None = None,
    ) -> None:
        self._timing = timing
        self._give_up_after = give_up_after
        self._deadline = deadline
        self._call_timeout = call_timeout
        self._attempt = 0
        self._failing_since: float | None = None
        self._calm_since = timing.clock()

    def call_timeout(self) -> float | None:
        """Return the seconds that the next attempt may take; None: without end."""
        limits = (self._call_timeout, self._timing.remaining(self._deadline))
        return min((limit for limit in limits if limit is not None), default=None)

    def progress(self, *, advanced: bool) -> None:
        """Note an answer of the server.

        Args:
            advanced: whether it brought something new. Only that, or a connection that lasts, lets waits start small
                again: a server that accepts and drops at once must not be hammered.
        """
        now = self._timing.clock()
        if self._failing_since is not None:
            self._failing_since = None
            self._calm_since = now
        if advanced or now - self._calm_since > MAX_DELAY:
            self._attempt = 0

    def delay_after(self, error: ExecsvcError) -> float:
        """Return the seconds to wait before the next attempt.

        Raises:
            ExecsvcError: the error itself, where it says something about the request or the outage lasts too long.
            DeadlineExceeded: the deadline has passed.
        """
        now = self._timing.clock()
        remaining = self._timing.remaining(self._deadline)
        if not is_lost_connection(error):
            raise error
        if remaining is not None and remaining <= 0:
            raise error if isinstance(error, DeadlineExceeded) else DeadlineExceeded() from error
        if self._failing_since is None:
            self._failing_since = now
        left = None if self._give_up_after is None else self._give_up_after - (now - self._failing_since)
        if left is not None and left <= 0:
            raise error
        self._attempt += 1
        # A last attempt is made right at the end of either limit.
        limits = (self._timing.delay(self._attempt, error), left, remaining)
        return min(limit for limit in limits if limit is not None)
