"""Checks of the settings: whether a server would take them, and what they leave open."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from execsvc.cli.doctor.certificates import key_rights
from execsvc.cli.doctor.findings import Finding, ok, problem, warning
from execsvc.cli.doctor.traces import traces
from execsvc.cli.failures import CliError
from execsvc.cli.protection import (
    certificate_files,
    clients_file,
    is_local,
    jwt_rules,
    listening_addresses,
    require_protection,
)
from execsvc.clock import SystemClock
from execsvc.errors import ExecsvcError
from execsvc.model import DEFAULT_NAMESPACE

if TYPE_CHECKING:
    from execsvc.config.loading import Loaded
    from execsvc.config.models import ServerSettings


def unusable(error: CliError) -> Iterator[Finding]:
    """Tell of settings that cannot be loaded."""
    for told in error.problems or (error,):
        yield problem(
            "settings.loaded",
            str(told) if error.problems else error.message,
            means="no server starts with them",
            advice="mend it; docs/configuration.md lists every setting",
        )


def settings(loaded: Loaded[ServerSettings]) -> Iterator[Finding]:
    """Check what a server would be told."""
    from execsvc.config.loading import unknown_variables

    wanted = loaded.settings
    told = {name for name, source in loaded.whence.items() if source.kind != "default"}
    file = "no file" if loaded.file is None else f"{loaded.file}"
    yield ok("settings.loaded", f"{file}; {len(told)} settings differ from their defaults", file=str(loaded.file or ""))
    for unknown in unknown_variables():
        yield warning(
            "settings.variables",
            str(unknown),
            means="it has no effect",
            advice="mend its name, or unset it",
            variable=unknown.source.name,
        )
    yield from _secrets(loaded)
    yield from _fit(wanted)
    yield from _open(wanted)
    yield from _plugins(wanted)
    yield from _sources(wanted)
    yield from traces(wanted)


def _secrets(loaded: Loaded[ServerSettings]) -> Iterator[Finding]:
    with_password = [name for name in ("store", "store_direct") if _password(getattr(loaded.settings, name))]
    for name in with_password:
        if loaded.whence[name].kind == "flag":
            yield warning(
                "settings.secrets",
                f"the password of {name} is on the command line",
                means="everybody on a machine sees the flags of its processes",
                advice=f"give it as EXECSVC_{name.upper()}, or in a file of settings that only the server's user reads",
            )
    file = loaded.file
    if file is not None and _holds_secrets(file):
        yield from key_rights(file, "settings.file")


def _password(url: str | None) -> bool:
    try:
        return url is not None and bool(urlsplit(url).password)
    except ValueError:
        return True


def _holds_secrets(file: Path) -> bool:
    text = file.read_text(encoding="utf-8")
    return any(line.lstrip().startswith(("store", "token")) for line in text.splitlines())


def _fit(wanted: ServerSettings) -> Iterator[Finding]:
    """Check what a server refuses."""
    for check in (
        lambda: certificate_files(wanted),
        lambda: jwt_rules(wanted),
        lambda: _read_clients(clients_file(wanted)),
        lambda: require_protection(wanted, listening_addresses(wanted)),
    ):
        try:
            check()
        except (CliError, ExecsvcError) as error:
            yield problem(
                "settings.together",
                error.message,
                means="no server starts with them",
                advice="see docs/security.md for settings that go together",
            )


def _read_clients(file: Path | None) -> None:
    if file is not None:
        from execsvc.service.certified import Certified

        Certified(file, SystemClock())


def _open(wanted: ServerSettings) -> Iterator[Finding]:
    """Check what anybody on the network could do."""
    beyond = [address for _, address in listening_addresses(wanted) if address is not None and not is_local(address)]
    asked = wanted.auth != "none" or wanted.tls_client_ca is not None
    if beyond and not asked:
        yield problem(
            "settings.callers",
            f"{' and '.join(beyond)} are reached from other machines, and nobody is asked who they are",
            means="anybody there may start, see and delete executions",
            advice="--auth token, or --tls-client-ca",
        )
    elif not asked:
        yield ok("settings.callers", "nobody is asked who they are, and only this machine can call")
    else:
        yield ok("settings.callers", "tokens" if wanted.auth == "token" else "certificates of clients")
    if beyond and wanted.tls_cert is None:
        yield warning(
            "settings.transport",
            f"{' and '.join(beyond)} without TLS (--insecure)",
            means="tokens, inputs and results are readable on the way, unless something in front ends TLS",
            advice="--tls-cert and --tls-key, or see that nothing but that proxy reaches the port",
        )
    elif beyond:
        yield ok("settings.transport", "TLS")
    else:
        yield ok("settings.transport", "only this machine can call")
    if wanted.metrics is not None and not is_local(wanted.metrics):
        yield warning(
            "settings.metrics",
            f"metrics on {wanted.metrics} are reached from other machines, without TLS and without asking who calls",
            means="they name methods, node types and counts, no ids and no content",
            advice="let --metrics listen on this machine or on a private network",
        )
    if "*" in wanted.cors:
        yield warning(
            "settings.cors",
            "pages of any origin may call the HTTP API",
            means="with no token asked for, any page that a user of this machine opens may start and read executions"
            if not asked
            else "any page that has a token may call from a browser",
            advice="name the origins of your own pages with --cors",
        )


def _plugins(wanted: ServerSettings) -> Iterator[Finding]:
    if not wanted.plugin:
        return
    # Heavy: LangGraph and what plug-ins bring along.
    from execsvc.engine import load_plugins

    try:
        load_plugins(wanted.plugin)
    except ExecsvcError as error:
        yield problem(
            "settings.plugins",
            error.message,
            means="no server starts with it",
            advice="install it into this environment, or leave it out",
        )
    else:
        yield ok("settings.plugins", f"{', '.join(wanted.plugin)} load")


def _sources(wanted: ServerSettings) -> Iterator[Finding]:
    """Check the places that secrets come from."""
    if not wanted.secrets:
        return
    from execsvc.secrets import make_secrets

    try:
        make_secrets(wanted.secrets, DEFAULT_NAMESPACE)
    except ExecsvcError as error:
        yield problem(
            "settings.sources",
            error.message,
            means="no server starts with it",
            advice="install it into this environment, or leave it out",
        )
        return
    missing = [place.where for place in wanted.secrets if place.kind == "dir" and not Path(place.where).is_dir()]
    for folder in missing:
        yield warning(
            "settings.sources",
            f"{folder} is no folder, or cannot be read",
            means="workflows that name secrets are refused, or fail",
            advice="mount it, or let the server's user read it",
        )
    if not missing:
        yield ok("settings.sources", "secrets of workflows have a place to come from")
