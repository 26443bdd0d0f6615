"""The commands around a server: serve and info."""

from __future__ import annotations

import json
import logging
import sys
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc import __version__
from execsvc.cli.connection import connected
from execsvc.cli.documents import info_document
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, Level, Target
from execsvc.cli.text import print_json, printable

if TYPE_CHECKING:
    from execsvc.app import Running


class LogFormat(StrEnum):
    """How the server writes its own log."""

    PLAIN = "plain"
    JSON = "json"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(info)


def _address(value: str) -> str:
    host, colon, port = value.rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise typer.BadParameter(f"{value!r} is not HOST:PORT, as in {DEFAULT_ADDRESS}; port 0 takes a free one")
    return value


def serve(
    address: Annotated[
        str,
        typer.Option(envvar="EXECSVC_ADDRESS", metavar="HOST:PORT", callback=_address, help="Where to listen."),
    ] = DEFAULT_ADDRESS,
    db: Annotated[
        Path, typer.Option("--db", envvar="EXECSVC_DB", metavar="FILE", help="The SQLite database; made if missing.")
    ] = Path("execsvc.db"),
    max_concurrent: Annotated[
        int, typer.Option(envvar="EXECSVC_MAX_CONCURRENT", min=1, metavar="N", help="Executions that run at once.")
    ] = 100,
    grace: Annotated[
        float,
        typer.Option(
            envvar="EXECSVC_GRACE", min=0, metavar="SECONDS", help="How long nodes may go on when the server stops."
        ),
    ] = 10.0,
    log_level: Annotated[
        Level, typer.Option(envvar="EXECSVC_LOG_LEVEL", case_sensitive=False, help="Of the server's own log.")
    ] = Level.INFO,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="EXECSVC_LOG_FORMAT", case_sensitive=False, help="On stderr.")
    ] = LogFormat.PLAIN,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout once it serves; log in JSON.")
    ] = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C. What has not ended by then goes on at the next start."""
    # Heavy: LangGraph and everything else a server is made of.
    from execsvc.app import Settings, run_tuned
    from execsvc.app import serve as serve_until_signal

    _log_to_stderr(log_level, as_json=as_json or log_format is LogFormat.JSON)

    def ready(server: Running) -> None:
        if as_json:
            document = {"version": __version__, "address": server.address, "database": str(db)}
            print_json(document | {"recovered": server.recovered})
            return
        recovered = f"{server.recovered} execution{'' if server.recovered == 1 else 's'} recovered"
        line = f"execsvc {__version__} serving on {server.address}, database {db}, {recovered}"
        print(printable(line), file=sys.stderr, flush=True)

    settings = Settings(address=address, database=db, max_concurrent=max_concurrent, grace=grace)
    try:
        run_tuned(serve_until_signal(settings, ready=ready))
    except OSError as error:
        raise CliError(
            f"{error}; stop what listens there, or name another address with --address",
            exit_code=ExitCode.UNAVAILABLE,
            reason="CANNOT_LISTEN",
        ) from error


def info(target: Target = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Say what a server is and allows."""
    with connected(target) as client:
        found = client.server_info()
    document = info_document(found)
    if as_json:
        print_json(document)
        return
    since = "" if found.start_time is None else f", since {found.start_time.astimezone():%Y-%m-%d %H:%M:%S}"
    print(f"execsvc {found.version} at {target}{since}{', draining' if found.draining else ''}")
    print(f"capabilities {', '.join(found.capabilities)}")
    for name, value in document["limits"].items():
        print(f"{name:<22} {value:,}")


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


def _log_to_stderr(level: Level, *, as_json: bool) -> None:
    handler = logging.StreamHandler(sys.stderr)
    plain = logging.Formatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s")
    handler.setFormatter(_JsonFormatter() if as_json else plain)
    # Other libraries' chatter only matters when something is wrong.
    logging.basicConfig(level=max(logging.WARNING, getattr(logging, level.name)), handlers=[handler], force=True)
    logging.getLogger("execsvc").setLevel(level.name)
