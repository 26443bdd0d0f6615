"""Checks of the clock: whether something keeps it right, and whether it has gone back."""

from __future__ import annotations

import ctypes
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from execsvc.cli.doctor.findings import Finding, ok, problem, warning

#: Before this version was made: a clock that says so is wrong.
_MADE: Final = datetime(2025, 1, 1, tzinfo=UTC).timestamp()
#: Seconds by which times on record may be ahead, and by which two clocks may differ.
_AHEAD: Final = 60.0
_APART: Final = 1.0
#: Seconds by which the clock may be set while we look.
_JUMP: Final = 0.5
#: Of struct timex: the clock is not synchronised; and what adjtimex answers then.
_UNSYNC, _ERROR = 0x40, 5


class _Timex(ctypes.Structure):
    """The beginning of Linux's struct timex, and room for the rest."""

    _fields_ = (
        ("modes", ctypes.c_uint),
        ("offset", ctypes.c_long),
        ("freq", ctypes.c_long),
        ("maxerror", ctypes.c_long),
        ("esterror", ctypes.c_long),
        ("status", ctypes.c_int),
        ("rest", ctypes.c_byte * 256),
    )


class Watch:
    """Looks at the clock now, and at the end once more.

    Args:
        wall: seconds since 1970.
        steady: seconds that only grow.
    """

    def __init__(self, wall: Callable[[], float] = time.time, steady: Callable[[], float] = time.monotonic) -> None:
        self._wall, self._steady = wall, steady
        self._begun = wall(), steady()

    def jumped(self) -> Finding:
        """Check that the clock went on as time did."""
        wall, steady = self._wall(), self._steady()
        jump = (wall - self._begun[0]) - (steady - self._begun[1])
        now = datetime.fromtimestamp(wall, UTC)
        if wall < _MADE:
            return problem(
                "clock.time",
                f"it is {now:%Y-%m-%d %H:%M:%S} UTC",
                means="that is before this version was made; times on record, tokens and certificates go by the clock",
                advice="set it, and have it kept right: chrony, systemd-timesyncd or ntpd",
            )
        if abs(jump) > _JUMP:
            return warning(
                "clock.time",
                f"the clock was set by {jump:+.1f} s while this ran",
                means="times on record jump with it; timeouts and leases do not go by it",
                advice="let it be slewed and not set: chrony does; look for two programs that both set it",
                seconds=jump,
            )
        return ok("clock.time", f"{now:%Y-%m-%d %H:%M:%S} UTC, and steady")


def synchronised() -> Finding:
    """Check whether something keeps the clock right, as the kernel knows it."""
    check = "clock.synchronised"
    if sys.platform != "linux":
        return ok(check, "this system does not tell whether the clock is kept right")
    found = _Timex()
    try:
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(found))
    except (OSError, AttributeError):
        state = -1
    if state < 0:
        return ok(check, "the kernel does not tell whether the clock is kept right")
    if state == _ERROR or found.status & _UNSYNC:
        return warning(
            check,
            "nothing is known to keep the clock right",
            means="in a container or virtual machine its host may; else times on record drift, and those of tokens",
            advice="run chrony, systemd-timesyncd or ntpd on this machine, or see that its host does",
        )
    return ok(check, f"kept right to {found.maxerror / 1000:.0f} ms", max_error_ms=found.maxerror / 1000)


def records(newest: int, now: float | None = None) -> Finding:
    """Check that nothing on record is of the future.

    Args:
        newest: time on record, microseconds since 1970; 0: there is none.
    """
    now = time.time() if now is None else now
    ahead = newest / 1e6 - now
    if newest and ahead > _AHEAD:
        return warning(
            "clock.records",
            f"the newest execution is from {datetime.fromtimestamp(newest / 1e6, UTC):%Y-%m-%d %H:%M:%S} UTC, "
            f"{ahead:.0f} s ahead",
            means="the clock went back, or was wrong then: lists by time, retention and durations are off by that",
            advice="see that the clock is right now; new executions are listed before those until time has caught up",
            seconds=ahead,
        )
    return ok("clock.records", "nothing on record is of the future" if newest else "nothing is on record yet")


def beside_database(ahead: float, round_trip: float) -> Finding:
    """Check that this machine and the one of the database agree what time it is.

    Args:
        ahead: seconds by which the database's clock is.
        round_trip: seconds, which bound how well that is known.
    """
    found = f"the database's clock is {ahead * 1000:+.0f} ms from this machine's"
    if abs(ahead) > _APART + round_trip:
        return warning(
            "clock.database",
            found,
            means="servers of one database on several machines then record times that do not follow each other",
            advice="keep all machines right by the same source: chrony, systemd-timesyncd or ntpd",
            seconds=ahead,
        )
    return ok("clock.database", found, seconds=ahead)
