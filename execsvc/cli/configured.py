"""The settings that a command is to use: its flags over the environment over the file of settings."""

from __future__ import annotations

import functools
import inspect
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, Problem, usage_error
from execsvc.config import CONFIG_VARIABLE, DEFAULT_FILE, SETTINGS

if TYPE_CHECKING:
    from execsvc.config.loading import Loaded, SettingsInvalid
    from execsvc.config.models import ClientSettings, ServerSettings
    from execsvc.store.address import PostgresDatabase
    from execsvc_client import TLS

    _S = TypeVar("_S", ServerSettings, ClientSettings)


@dataclass(slots=True)
class _Flags:
    """Flags that every command has, and that are no argument of its function."""

    config: str | None = None
    call_timeout: str | None = None
    tls: bool = False
    ca: str | None = None
    cert: str | None = None
    key: str | None = None

    def of_connection(self) -> dict[str, Any]:
        """Those of how to reach the server that were given."""
        given = {name: getattr(self, name) for name in _CONNECTION}
        return {name: value for name, value in given.items() if value not in (None, False)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """How to reach the server."""

    #: None: without TLS.
    tls: TLS | None
    #: Shown with each call; None: nothing is.
    token: str | None = field(default=None, repr=False)
    #: Seconds that one call may take.
    call_timeout: float


#: Settings of how to reach the server, whose flags every command has that talks to one.
_CONNECTION = ("call_timeout", "tls", "ca", "cert", "key")

_flags: ContextVar[_Flags] = ContextVar("execsvc_flags")


@contextmanager
def invocation() -> Iterator[None]:
    """Hold the flags of one command line for as long as the context lasts."""
    token = _flags.set(_Flags())
    try:
        yield
    finally:
        _flags.reset(token)


def server_settings(**flags: Any) -> Loaded[ServerSettings]:
    """Give a server's settings; ``flags`` by setting, None where one was not given. Raises CliError."""
    from execsvc.config.models import ServerSettings

    return _loaded(ServerSettings, flags)


def postgres_database(loaded: Loaded[ServerSettings]) -> PostgresDatabase | None:
    """Give the database that stands in place of the SQLite file, if one is set and no flag names a file instead."""
    from execsvc.store.address import PostgresDatabase

    settings, whence = loaded.settings, loaded.whence
    if whence["db"].kind == "flag":
        if whence["store"].kind == "flag":
            raise usage_error("--db and --store both say where the database is; give one of them")
        return None
    if settings.store is None:
        if settings.store_direct is not None:
            raise usage_error("store_direct names no database by itself; say with store which proxy leads to it")
        return None
    return PostgresDatabase(
        url=settings.store, direct_url=settings.store_direct, connections=settings.store_connections
    )


def client_settings(**flags: Any) -> Loaded[ClientSettings]:
    """Give the settings of commands that talk to a server; ``flags`` as above. Raises CliError."""
    from execsvc.config.models import ClientSettings

    return _loaded(ClientSettings, _given().of_connection() | flags)


def client_setting(name: str, flag: Any) -> Any:
    """Give the value of one of the client's settings. Raises CliError."""
    if flag is None and not _said_anywhere(name):
        # The models take a fifth of a second to load, which commands that need none of them are spared.
        return SETTINGS[name].default
    return getattr(client_settings(**{name: flag}).settings, name)


def connection() -> Connection:
    """Give how to reach the server. Raises CliError."""
    if not (_given().of_connection() or any(map(_said_anywhere, (*_CONNECTION, "token")))):
        # As in ``client_setting``.
        return Connection(tls=None, call_timeout=float(SETTINGS["call_timeout"].default or 0))
    wanted = client_settings().settings
    if (wanted.cert is None) != (wanted.key is None):
        missing = "--cert" if wanted.cert is None else "--key"
        raise usage_error(f"a certificate and its key go together; add {missing}")
    if not wanted.tls and wanted.ca is None:
        if wanted.cert is not None:
            raise usage_error("a certificate is shown over TLS only; add --tls, or --ca")
        return Connection(tls=None, token=wanted.token, call_timeout=wanted.call_timeout)
    from execsvc_client import TLS

    tls = TLS(ca=wanted.ca, certificate=wanted.cert, key=wanted.key)
    try:
        tls.credentials()
    except OSError as error:
        raise usage_error(f"{error.filename} cannot be read: {(error.strerror or str(error)).lower()}") from error
    return Connection(tls=tls, token=wanted.token, call_timeout=wanted.call_timeout)


def target_named(flag: str | None) -> str | None:
    """Give the server that somebody named, by flag, variable or file; None: nobody did. Raises CliError."""
    if flag is None and not _said_anywhere("target"):
        return None
    loaded = client_settings(target=flag)
    return None if loaded.whence["target"].kind == "default" else loaded.settings.target


def _said_anywhere(name: str) -> bool:
    named = _given().config or os.environ.get(CONFIG_VARIABLE)
    return bool(named or os.environ.get(SETTINGS[name].variable)) or Path(DEFAULT_FILE).is_file()


def _given() -> _Flags:
    return _flags.get(_Flags())


def _loaded(model: type[_S], flags: dict[str, Any]) -> Loaded[_S]:
    from execsvc.config.loading import SettingsInvalid, find_file, load

    try:
        return load(model, flags, file=find_file(_given().config))
    except SettingsInvalid as error:
        raise as_error(error) from error


def settings_file() -> Path | None:
    """Give the file of settings, if there is one. Raises CliError."""
    from execsvc.config.loading import SettingsInvalid, find_file

    try:
        return find_file(_given().config)
    except SettingsInvalid as error:
        raise as_error(error) from error


def as_error(error: SettingsInvalid) -> CliError:
    """Give what settings that cannot be used mean to the user."""
    of_flags = all(problem.source.kind == "flag" for problem in error.problems)
    reason = "USAGE" if of_flags else "INVALID_SETTING"
    problems = [
        Problem(
            path=problem.setting if problem.source.kind == "file" else "",
            reason=reason,
            message=problem.message,
            position=str(problem.source),
        )
        for problem in error.problems
    ]
    message = str(error.problems[0]) if len(problems) == 1 else f"{len(problems)} settings cannot be used"
    return CliError(message, exit_code=ExitCode.USAGE, reason=reason, problems=problems)


def use(app: typer.Typer) -> None:
    """Let every command of an application take ``--config``, and how to reach the server where it talks to one."""
    for command in app.registered_commands:
        if command.callback is not None:
            command.callback = _with_flags(command.callback)
    for group in app.registered_groups:
        if group.typer_instance is not None:
            use(group.typer_instance)


def _with_flags(callback: Callable[..., Any]) -> Callable[..., Any]:
    signature = inspect.signature(callback, eval_str=True)
    more = {"config": _CONFIG} | (_connection_options() if "target" in signature.parameters else {})

    @functools.wraps(callback)
    def command(**values: Any) -> Any:
        # Kept by ``_keep`` already, which is called before the options that need them.
        return callback(**{name: value for name, value in values.items() if name not in more})

    parameters = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=False if name == "tls" else None, annotation=annotation
        )
        for name, annotation in more.items()
    ]
    signature = signature.replace(parameters=[*signature.parameters.values(), *parameters])
    command.__dict__["__signature__"] = signature
    command.__annotations__ = {name: parameter.annotation for name, parameter in signature.parameters.items()}
    return command


def _keep(parameter: typer.CallbackParam, value: Any) -> Any:
    flags = _flags.get(None)
    if flags is None:
        # Completion asks without ``invocation``.
        flags = _Flags()
        _flags.set(flags)
    setattr(flags, str(parameter.name), value)
    return value


_CONFIG = Annotated[
    str | None,
    typer.Option(
        "--config",
        metavar="FILE",
        help=f"Settings as TOML. \\[env: {CONFIG_VARIABLE}] \\[default: {DEFAULT_FILE}, if it is there]",
        show_default=False,
        is_eager=True,
        callback=_keep,
    ),
]


def _connection_options() -> dict[str, Any]:
    options = {}
    for name in _CONNECTION:
        setting = SETTINGS[name]
        switch = setting.default is False
        option = typer.Option(
            setting.flag,
            metavar=None if switch else setting.metavar,
            help=setting.help,
            show_default=False,
            is_eager=True,
            callback=_keep,
        )
        options[name] = Annotated[bool, option] if switch else Annotated[str | None, option]
    return options
