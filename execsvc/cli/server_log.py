"""Where a server's own log goes, and in which form."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum

from execsvc.cli.options import Level


class LogFormat(StrEnum):
    """How the server writes its own log."""

    PLAIN = "plain"
    JSON = "json"


class _JsonFormatter(logging.Formatter):
    """Writes each record as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """See ``logging.Formatter``."""
        document = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat().replace("+00:00", "Z"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            document["exception"] = self.formatException(record.exc_info)
        return json.dumps(document, ensure_ascii=False)


def log_to_stderr(level: Level, *, as_json: bool) -> None:
    """Write the log of this process to stderr from a level on, as lines or as JSON."""
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_JsonFormatter() if as_json else plain)
    # Other libraries' chatter only matters when something is wrong.
    logging.basicConfig(level=max(logging.WARNING, getattr(logging, level.name)), handlers=[handler], force=True)
    logging.getLogger("execsvc").setLevel(level.name)
