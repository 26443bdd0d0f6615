"""The options of ``serve`` that limit what a server takes, and how they are read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Annotated

import typer

from execsvc.cli.failures import CliError, usage_error
from execsvc.cli.spans import parse_span

MaxQueued = Annotated[
    int,
    typer.Option(
        envvar="EXECSVC_MAX_QUEUED", min=1, metavar="N", help="Executions that may wait; more are told to come later."
    ),
]
KeyLimit = Annotated[
    list[str] | None,
    typer.Option(
        "--key-limit",
        envvar="EXECSVC_KEY_LIMIT",
        metavar="[KEY=]N",
        help="Executions with the same concurrency key that run at once, or with this one; may be repeated.",
        show_default=False,
    ),
]
DefaultTimeout = Annotated[
    int | None,
    typer.Option(
        envvar="EXECSVC_DEFAULT_TIMEOUT",
        parser=parse_span,
        metavar="SPAN",
        help="Longest an execution may run that names no timeout: 90s, 15m, 2h.",
        show_default=False,
    ),
]
MaxTimeout = Annotated[
    int | None,
    typer.Option(
        envvar="EXECSVC_MAX_TIMEOUT",
        parser=parse_span,
        metavar="SPAN",
        help="Longest timeout an execution may name.",
        show_default=False,
    ),
]
Retention = Annotated[
    int | None,
    typer.Option(
        envvar="EXECSVC_RETENTION",
        parser=parse_span,
        metavar="SPAN",
        help="How long executions are kept after their end: 12h, 30d, 8w. For ever if left out.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """What ``--key-limit`` says."""

    #: For keys without one of their own; None: no limit.
    default: int | None = None
    by_key: dict[str, int] = field(default_factory=dict)


def parse_key_limits(options: Sequence[str] | None) -> KeyLimits:
    """Read ``N`` and ``KEY=N``. Raises CliError."""
    default: int | None = None
    by_key: dict[str, int] = {}
    for option in options or ():
        key, sign, number = option.rpartition("=")
        if not (number.isascii() and number.isdigit() and int(number)) or (sign and not key):
            raise _wrong(option, "is neither a number from 1 nor KEY=NUMBER, as in --key-limit gpu=2")
        if key in by_key or (not key and default is not None):
            raise _wrong(option, f"is the second limit for {f'key {key!r}' if key else 'every key'}")
        if key:
            by_key[key] = int(number)
        else:
            default = int(number)
    return KeyLimits(default=default, by_key=by_key)


def check_timeouts(default: int | None, longest: int | None) -> None:
    """Refuse a default timeout beyond the longest one. Raises CliError."""
    if default is not None and longest is not None and default > longest:
        raise usage_error(f"--default-timeout is {default / 1e6:g} s, longer than --max-timeout, {longest / 1e6:g} s")


def _wrong(option: str, why: str) -> CliError:
    return usage_error(f"--key-limit {option!r} {why}")
