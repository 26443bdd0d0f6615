"""The command ``gateway``, and the gateway that runs beside ``serve``."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from execsvc import __version__
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError
from execsvc.cli.options import DEFAULT_ADDRESS, Level, Target
from execsvc.cli.server_log import LogFormat, log_to_stderr
from execsvc.cli.text import print_json, printable

if TYPE_CHECKING:
    from execsvc import app as server_app
    from execsvc.gateway import Running

logger = logging.getLogger(__name__)

DEFAULT_HTTP: Final = "127.0.0.1:8000"
#: Bytes. As in ``execsvc.gateway.settings``, which is too heavy to load for every command.
DEFAULT_MAX_BODY: Final = 8 * 1024 * 1024


def _address(value: str | None) -> str | None:
    if not value:
        return None
    value = value if ":" in value else f"127.0.0.1:{value}"
    host, _, port = value.rpartition(":")
    if not (host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise typer.BadParameter(f"{value!r} is not HOST:PORT, as in {DEFAULT_HTTP}; port 0 takes a free one")
    return value


def _origins(values: list[str] | None) -> list[str]:
    origins = [part.rstrip("/") for value in values or () for part in value.split()]
    for origin in origins:
        scheme, colon, host = origin.partition("://")
        if origin != "*" and not (colon and host and scheme in ("http", "https") and "/" not in host):
            raise typer.BadParameter(f"{origin!r} is no origin, as in https://app.example or http://localhost:3000")
    return origins


Http = Annotated[
    str | None,
    typer.Option(
        "--http",
        envvar="EXECSVC_HTTP",
        metavar="[HOST:]PORT",
        callback=_address,
        help="Serve the HTTP API there as well, docs at /docs; without HOST on this machine alone.",
        show_default=False,
    ),
]
Cors = Annotated[
    list[str] | None,
    typer.Option(
        "--cors",
        envvar="EXECSVC_CORS",
        metavar="ORIGIN",
        callback=_origins,
        help="Pages of this origin may call the HTTP API; * lets any; may be repeated.",
        show_default=False,
    ),
]
MaxBody = Annotated[
    int,
    typer.Option(
        "--max-body", envvar="EXECSVC_MAX_BODY", min=1024, metavar="BYTES", help="Largest body of an HTTP request."
    ),
]


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gateway)


def gateway(
    target: Target = DEFAULT_ADDRESS,
    http: Annotated[
        str,
        typer.Option(
            "--http", envvar="EXECSVC_HTTP", metavar="[HOST:]PORT", callback=_address, help="Where to listen."
        ),
    ] = DEFAULT_HTTP,
    cors: Cors = None,
    max_body: MaxBody = DEFAULT_MAX_BODY,
    log_level: Annotated[
        Level, typer.Option(envvar="EXECSVC_LOG_LEVEL", case_sensitive=False, help="Of the gateway's own log.")
    ] = Level.INFO,
    log_format: Annotated[
        LogFormat, typer.Option(envvar="EXECSVC_LOG_FORMAT", case_sensitive=False, help="On stderr.")
    ] = LogFormat.PLAIN,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout once it serves; log in JSON.")
    ] = False,
) -> None:
    """Serve the HTTP API of a server that runs elsewhere, until SIGTERM or Ctrl-C. Docs at /docs."""
    from execsvc.gateway import Settings, serve

    log_to_stderr(log_level, as_json=as_json or log_format is LogFormat.JSON)

    def ready(running: Running) -> None:
        if as_json:
            print_json({"version": __version__, "http": running.address, "target": target})
            return
        line = f"execsvc {__version__} gateway on http://{running.address} (docs at /docs), server {target}"
        print(printable(line), file=sys.stderr, flush=True)

    settings = Settings(target=target, address=http, cors=tuple(cors or ()), max_body=max_body)
    try:
        _run(serve(settings, ready=ready))
    except OSError as error:
        raise CliError(
            f"{error}; stop what listens there, or name another address with --http",
            exit_code=ExitCode.UNAVAILABLE,
            reason="CANNOT_LISTEN",
        ) from error


def _run(main: Any) -> None:
    try:
        import uvloop
    except ImportError:
        asyncio.run(main)
        return
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


class GatewayBeside:
    """The gateway that ``serve`` runs beside its server where ``--http`` is given, in the same event loop.

    Args:
        http: where it listens; None: there is none.
    """

    def __init__(self, http: str | None, *, cors: Sequence[str] | None, max_body: int) -> None:
        self._http = http
        self._cors = tuple(cors or ())
        self._max_body = max_body
        self._address = ""

    def __call__(self, server: server_app.Running) -> AbstractAsyncContextManager[None]:
        """Run it as long as the context lasts. Raises as ``gateway.running`` does."""
        return self._beside(server.address)

    @asynccontextmanager
    async def _beside(self, target: str) -> AsyncIterator[None]:
        if self._http is None:
            yield
            return
        from execsvc.gateway import Settings, running

        settings = Settings(target=target, address=self._http, cors=self._cors, max_body=self._max_body)
        async with running(settings) as gateway:
            self._address = gateway.address
            yield

    @property
    def document(self) -> dict[str, str]:
        """What ``serve --json`` says of it."""
        return {"http": self._address} if self._address else {}

    @property
    def told(self) -> str:
        """What ``serve`` says of it."""
        return f", HTTP on http://{self._address} (docs at /docs)" if self._address else ""

    def option_of(self, error: OSError) -> str | None:
        """Name the option to blame, if it is the gateway that cannot listen."""
        if self._http is None:
            return None
        from execsvc.gateway import CannotListen

        return "--http" if isinstance(error, CannotListen) else None
