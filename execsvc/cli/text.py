"""Text from elsewhere, made safe to show, and times as people read them."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

# Control characters other than tab and newline could move the cursor, retitle the window or worse.
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")


def printable(text: str, *, most: int = 0) -> str:
    """Write out control characters; cut after ``most`` characters unless that is 0."""
    text = _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode("ascii"), text)
    return text if not most or len(text) <= most else text[: most - 1] + "…"


def clock_time(time: datetime) -> str:
    """Write a time of day in the local zone, to the millisecond."""
    return time.astimezone().strftime("%H:%M:%S.%f")[:-3]


def elapsed(span: timedelta) -> str:
    """Write a span as people read it: 12 ms, 3.4 s, 2 m 05 s."""
    seconds = span.total_seconds()
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes:02} m" if hours else f"{minutes} m {rest:02} s"


def size_text(size: int) -> str:
    """Write bytes as people read them: 980 bytes, 3.4 MiB."""
    if size < 1024:
        return f"{size} bytes"
    amount, unit = float(size), "bytes"
    for unit in ("KiB", "MiB", "GiB", "TiB"):  # noqa: B007
        amount /= 1024
        if amount < 1024:
            break
    return f"{amount:.1f} {unit}"


def print_json(document: object, *, pretty: bool = False) -> None:
    """Write a JSON document to stdout: on one line, or for people with its keys sorted, whose order nothing keeps."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2 if pretty else None, sort_keys=pretty) + "\n")
    sys.stdout.flush()


@contextmanager
def until_unread() -> Iterator[None]:
    """Leave the body quietly once nobody reads stdout any more: whoever did, such as head, has seen enough."""
    try:
        yield
    except BrokenPipeError:
        silence_stdout()


def silence_stdout() -> None:
    """Drop what is still to be written to a stdout that nobody reads; Python would complain when it flushes at exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)
