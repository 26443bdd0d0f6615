"""The command ``gateway``, and the gateway that runs beside ``serve``."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from execsvc import __version__
from execsvc.cli.configured import connection, server_settings
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError
from execsvc.cli.options import DEFAULT_ADDRESS, Target, setting_option
from execsvc.cli.protection import certificate_files, require_protection
from execsvc.cli.serve_options import (
    Cors,
    Insecure,
    LogFormatOption,
    LogLevel,
    MaxBody,
    TlsCert,
    TlsClientCa,
    TlsKey,
)
from execsvc.cli.text import print_json, printable
from execsvc.config import SETTINGS

if TYPE_CHECKING:
    from execsvc import app as server_app
    from execsvc.certificates import CertificateFiles
    from execsvc.gateway import Running

logger = logging.getLogger(__name__)

DEFAULT_HTTP: Final = "127.0.0.1:8000"
_WHERE: Final = (
    "Where to listen; without HOST on this machine alone. "
    f"\\[env: {SETTINGS['http'].variable}] \\[default: {DEFAULT_HTTP}]"
)


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(gateway)


def gateway(
    target: Target = DEFAULT_ADDRESS,
    http: Annotated[str | None, setting_option("http", help=_WHERE)] = None,
    cors: Cors = None,
    max_body: MaxBody = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    insecure: Insecure = False,
    log_level: LogLevel = None,
    log_format: LogFormatOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout once it serves; log in JSON.")
    ] = False,
) -> None:
    """Serve the HTTP API of a server that runs elsewhere, until SIGTERM or Ctrl-C. Docs at /docs."""
    from execsvc.cli.server_log import ServerLog
    from execsvc.gateway import Settings, serve

    load = partial(
        server_settings,
        http=http,
        cors=cors or None,
        max_body=max_body,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        insecure=insecure or None,
        log_level=log_level or None,
        log_format=log_format,
    )
    loaded = load()
    wanted = loaded.settings
    certificates = certificate_files(wanted)
    require_protection(wanted, [("--http", wanted.http)])
    log = ServerLog(wanted.log_level, as_json=as_json or wanted.log_format == "json")

    def ready(running: Running) -> None:
        if as_json:
            print_json({"version": __version__, "http": running.address, "target": target})
            return
        line = f"execsvc {__version__} gateway on {running.url} (docs at /docs), server {target}"
        print(printable(line), file=sys.stderr, flush=True)

    settings = Settings(
        target=target,
        tls=connection().tls,
        address=wanted.http or DEFAULT_HTTP,
        certificates=certificates,
        cors=wanted.cors,
        max_body=wanted.max_body,
    )

    def reload() -> None:
        again = load().settings
        log.use(again.log_level, as_json=as_json or again.log_format == "json")

    async def serve_and_leave() -> None:
        with log.heeding_signals(None if loaded.file is None else reload):
            await serve(settings, ready=ready)

    try:
        _run(serve_and_leave())
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
        certificates: of TLS; None: without.
    """

    def __init__(
        self, http: str | None, *, cors: Sequence[str], max_body: int, certificates: CertificateFiles | None
    ) -> None:
        self._certificates = certificates
        self._http = http
        self._cors = tuple(cors)
        self._max_body = max_body
        self._address = ""
        self._url = ""

    def __call__(self, server: server_app.Running) -> AbstractAsyncContextManager[None]:
        """Run it as long as the context lasts. Raises as ``gateway.running`` does."""
        return self._beside(server.local)

    @asynccontextmanager
    async def _beside(self, target: str) -> AsyncIterator[None]:
        if self._http is None:
            yield
            return
        from execsvc.gateway import Settings, running

        settings = Settings(
            target=target,
            address=self._http,
            certificates=self._certificates,
            cors=self._cors,
            max_body=self._max_body,
        )
        async with running(settings) as gateway:
            self._address, self._url = gateway.address, gateway.url
            yield

    @property
    def document(self) -> dict[str, str]:
        """What ``serve --json`` says of it."""
        return {"http": self._address} if self._address else {}

    @property
    def told(self) -> str:
        """What ``serve`` says of it."""
        return f", HTTP on {self._url} (docs at /docs)" if self._address else ""

    def option_of(self, error: OSError) -> str | None:
        """Name the option to blame, if it is the gateway that cannot listen."""
        if self._http is None:
            return None
        from execsvc.gateway import CannotListen

        return "--http" if isinstance(error, CannotListen) else None
