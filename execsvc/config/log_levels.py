"""From which level on the service logs: ``LEVEL`` for all of it, ``LOGGER=LEVEL`` for a part."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

LEVELS: Final = ("debug", "info", "warning", "error")
_LOGGER: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.]*", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class LogLevels:
    """From which level on lines are written."""

    #: Of the service itself; libraries are quieter.
    default: str = "info"
    #: By logger: of a part, or of a library.
    by_logger: Mapping[str, str] = field(default_factory=dict)

    def written(self) -> list[str]:
        """Give it as the settings have it."""
        return [self.default, *(f"{logger}={level}" for logger, level in self.by_logger.items())]


def parse_log_levels(value: Any) -> LogLevels:
    """Read ``LEVEL`` and ``LOGGER=LEVEL``: one, several with spaces or commas between, or a list.

    Raises:
        ValueError: one of them makes no sense, or comes twice; the text says which.
    """
    if isinstance(value, LogLevels):
        return value
    default: str | None = None
    by_logger: dict[str, str] = {}
    for option in _options(value):
        logger, sign, level = option.rpartition("=")
        level = level.lower()
        if level not in LEVELS or (sign and not _LOGGER.fullmatch(logger)):
            raise ValueError(f"{option!r} is neither {', '.join(LEVELS)} nor LOGGER=LEVEL, as in execsvc.rpc=debug")
        if logger in by_logger or (not logger and default is not None):
            raise ValueError(f"{option!r} is the second level for {logger or 'everything'}")
        if logger:
            by_logger[logger] = level
        else:
            default = level
    return LogLevels(default=default or LogLevels().default, by_logger=by_logger)


def _options(value: Any) -> Iterable[str]:
    if isinstance(value, str):
        value = value.replace(",", " ").split()
    if not isinstance(value, list | tuple) or not value or not all(isinstance(item, str) for item in value):
        raise ValueError
    return value
