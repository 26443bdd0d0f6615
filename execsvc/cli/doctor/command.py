"""The command itself: gathers what the checks find, prints it, and ends with what it comes to."""

from __future__ import annotations

import inspect
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.configured import connection, postgres_database, server_settings
from execsvc.cli.doctor.traces import traced
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError
from execsvc.cli.protection import certificate_files, is_local
from execsvc.cli.server import serve
from execsvc.cli.text import print_json, printable
from execsvc.config import SETTINGS

if TYPE_CHECKING:
    from execsvc.cli.configured import Connection
    from execsvc.cli.doctor.findings import Finding
    from execsvc.config.loading import Loaded
    from execsvc.config.models import ServerSettings


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(_like_serve(doctor))


def doctor(
    strict: Annotated[bool, typer.Option("--strict", help="Warnings count as problems.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, for programs; errors too.")] = False,
    **flags: Any,
) -> None:
    """Look over all that a server with these options needs: machine, settings, database, clock, certificates.

    Before a server is started or beside one that runs; changes nothing. Ends with code 10 where there is a problem.
    """
    found = list(_findings(flags))
    count = Counter(str(one.level) for one in found)
    bad = count["problem"] + (count["warning"] if strict else 0)
    if as_json:
        print_json(
            {
                "problems": count["problem"],
                "warnings": count["warning"],
                "findings": [one.document() for one in found],
            }
        )
    else:
        _print(found)
        counts = f"{_counted(count['problem'], 'problem')}, {_counted(count['warning'], 'warning')}, {count['ok']} ok"
        print(printable(counts), file=sys.stderr if bad else sys.stdout)
    raise typer.Exit(ExitCode.UNFIT if bad else ExitCode.OK)


def _findings(flags: dict[str, Any]) -> Iterator[Finding]:
    # Loaded only here: they bring along what no other command needs.
    from execsvc.cli.doctor.clock import Watch, synchronised
    from execsvc.cli.doctor.environment import environment
    from execsvc.cli.doctor.settings import unusable
    from execsvc.cli.doctor.versions import versions

    watch = Watch()
    loaded: Loaded[ServerSettings] | None = None
    wrong: list[CliError] = []
    try:
        loaded = server_settings(**flags)
    except CliError as error:
        wrong.append(error)
    beyond = loaded is not None and not is_local(loaded.settings.address)
    default = int(SETTINGS["max_concurrent"].default or 0)
    yield from environment(max_concurrent=default if loaded is None else loaded.settings.max_concurrent, beyond=beyond)
    yield from versions(() if loaded is None else _extras(loaded.settings))
    for one in wrong:
        yield from unusable(one)
    if loaded is not None:
        yield from _of_settings(loaded)
    yield synchronised()
    yield watch.jumped()


def _extras(wanted: ServerSettings) -> Iterator[str]:
    if wanted.store is not None:
        yield "postgres"
    if wanted.jwt_keys is not None:
        yield "jwt"
    if traced(wanted):
        yield "otel"


def _of_settings(loaded: Loaded[ServerSettings]) -> Iterator[Finding]:
    from execsvc.cli.doctor.certificates import certificates
    from execsvc.cli.doctor.database import file_database
    from execsvc.cli.doctor.postgres import postgres_database as on_postgres
    from execsvc.cli.doctor.server import server
    from execsvc.cli.doctor.settings import settings, unusable

    wanted = loaded.settings
    yield from settings(loaded)
    try:
        postgres = postgres_database(loaded)
    except CliError as error:
        yield from unusable(error)
    else:
        yield from file_database(wanted.db) if postgres is None else on_postgres(postgres)
    try:
        files = certificate_files(wanted)
    except CliError:
        # Told of with the settings.
        files = None
    yield from certificates(files, host=wanted.address.rpartition(":")[0].strip("[]"))
    try:
        how: Connection = connection()
    except CliError as error:
        yield from unusable(error)
    else:
        yield from server(wanted, how)


def _print(found: Iterable[Finding]) -> None:
    area = ""
    for one in found:
        if one.area != area:
            area = one.area
            print(area)
        name = one.check.partition(".")[2].replace("_", " ")
        print(printable(f"  {one.level:<8} {name:<20} {one.found}".replace("\n", " ")))
        for label, text in (("means:", one.means), ("to do:", one.advice)):
            if text:
                print(printable(f"           {label} {text}".replace("\n", " ")))


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def _like_serve(command: Callable[..., None]) -> Callable[..., None]:
    """Let a command take the options of ``serve``, as it hands them on: None where one was not given."""
    own = [
        parameter
        for parameter in inspect.signature(command, eval_str=True).parameters.values()
        if parameter.kind is not inspect.Parameter.VAR_KEYWORD
    ]
    theirs = [
        parameter
        for parameter in inspect.signature(serve, eval_str=True).parameters.values()
        if parameter.name in SETTINGS
    ]

    def with_options(**values: Any) -> None:
        given = {parameter.name: values.pop(parameter.name) or None for parameter in theirs}
        command(**values, **given)

    with_options.__name__, with_options.__doc__ = command.__name__, command.__doc__
    signature = inspect.Signature([*theirs, *own])
    with_options.__dict__["__signature__"] = signature
    with_options.__annotations__ = {parameter.name: parameter.annotation for parameter in signature.parameters.values()}
    return with_options
