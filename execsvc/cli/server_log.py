"""Where a server's own log goes, in which form and from which level on; all of it may change while the server runs."""

from __future__ import annotations

import asyncio
import json
import logging
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from types import TracebackType
from typing import Any, Final

from execsvc.config.log_levels import LogLevels
from execsvc.log_fields import fields_of
from execsvc.secrets import REMEMBERED_VALUES

logger = logging.getLogger(__name__)

#: The service itself, all of it.
_OURS: Final = "execsvc"


class _JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
            **fields_of(record),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return REMEMBERED_VALUES.hide(json.dumps(document, ensure_ascii=False))


class _PlainFormatter(logging.Formatter):
    """Writes each record as a line, with a traceback below it where there is one."""

    def __init__(self) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(name)s: %(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        # A client's text must not look like a line of its own.
        record.message = record.message.replace("\r", "\\r").replace("\n", "\\n")
        said = " ".join(f"{name}={value}" for name, value in fields_of(record).items())
        return super().formatMessage(record) + (f" [{said}]" if said else "")

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        return REMEMBERED_VALUES.hide(super().format(record))


class ServerLog:
    """The log of this process, on stderr."""

    def __init__(self, levels: LogLevels, *, as_json: bool) -> None:
        """Write from now on. Ends what was set up before."""
        self._handler = logging.StreamHandler(sys.stderr)
        self._levels = levels
        self._named: tuple[str, ...] = ()
        logging.basicConfig(handlers=[self._handler], force=True)
        logging.captureWarnings(True)
        self.use(levels, as_json=as_json)
        # What a plug-in leaves unhandled would go to stderr past the log, and what is in it with it.
        threading.excepthook = _unhandled_in_thread
        sys.unraisablehook = _unraisable

    def use(self, levels: LogLevels, *, as_json: bool) -> None:
        """Change levels and form."""
        self._handler.setFormatter(_JsonFormatter() if as_json else _PlainFormatter())
        self._levels = levels
        self._apply(levels)

    def _apply(self, levels: LogLevels) -> None:
        for name in self._named:
            logging.getLogger(name).setLevel(logging.NOTSET)
        default = levels.default.upper()
        # Other libraries' chatter only matters when something is wrong.
        logging.getLogger().setLevel(max(logging.WARNING, getattr(logging, default)))
        logging.getLogger(_OURS).setLevel(default)
        for name, level in levels.by_logger.items():
            logging.getLogger(name).setLevel(level.upper())
        self._named = (_OURS, *levels.by_logger)

    def say_more(self) -> None:
        """Log from debug on, until ``say_as_set``; parts that have a level of their own keep it."""
        self._apply(replace(self._levels, default="debug"))
        logger.info("log levels: debug, until SIGUSR2")

    def say_as_set(self) -> None:
        """Go back to the levels that are set."""
        self._apply(self._levels)
        logger.info("log levels: %s", " ".join(self._levels.written()))

    @contextmanager
    def heeding_signals(self, reload: Callable[[], None] | None) -> Iterator[None]:
        """Heed SIGUSR1 and SIGUSR2, and SIGHUP where there is anything to read anew. Within an event loop.

        Args:
            reload: reads the settings and calls ``use``; whatever it raises is logged. None: there is no file of
                settings, and SIGHUP ends the process as it does any.
        """

        def read_anew() -> None:
            try:
                assert reload is not None
                reload()
            except Exception as error:
                logger.warning("the settings were not read anew: %s", error)
            else:
                logger.info("settings read anew; log levels: %s", " ".join(self._levels.written()))

        loop = asyncio.get_running_loop()
        handlers = {signal.SIGUSR1: self.say_more, signal.SIGUSR2: self.say_as_set}
        if reload is not None:
            handlers[signal.SIGHUP] = read_anew
        for number, handler in handlers.items():
            loop.add_signal_handler(number, handler)
        try:
            yield
        finally:
            for number in handlers:
                loop.remove_signal_handler(number)


def _unhandled_in_thread(args: Any) -> None:
    if args.exc_type is not SystemExit:
        _log_unhandled("a thread ended with an error", args.exc_type, args.exc_value, args.exc_traceback)


def _unraisable(args: Any) -> None:
    _log_unhandled(
        f"{args.err_msg or 'an error that nobody could handle'}: {args.object!r:.200}",
        args.exc_type,
        args.exc_value,
        args.exc_traceback,
    )


def _log_unhandled(
    message: str, kind: type[BaseException], error: BaseException | None, traceback: TracebackType | None
) -> None:
    logger.error("%s", message, exc_info=(kind, error or kind(), traceback))
