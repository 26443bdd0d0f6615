"""The commands for a database file: backup, restore, check. They need no server, and mind one that runs."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.configured import postgres_database, server_settings
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, usage_error
from execsvc.cli.options import AsJson
from execsvc.cli.serve_options import Database
from execsvc.cli.text import print_json, printable, size_text

if TYPE_CHECKING:
    from execsvc.store import Copied, Finding

_File = Annotated[Path, typer.Argument(metavar="FILE", help="The backup.", show_default=False)]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (backup, restore, check):
        app.command()(command)


def backup(
    file: _File,
    db: Database = None,
    force: Annotated[bool, typer.Option("--force", help="Replace FILE if it is there.")] = False,
    as_json: AsJson = False,
) -> None:
    """Copy the database to FILE, as it is at this moment, also while a server runs on it."""
    from execsvc.store import back_up

    database = _sqlite_file(db)
    with _told(file, "backup"), shown_progress(f"copying {database}", quiet=as_json) as progress:
        try:
            copied = back_up(database, file, force=force, progress=progress)
        except FileExistsError as error:
            raise CliError(
                f"{file} is there already; name another file, or replace it with --force",
                exit_code=ExitCode.CONFLICT,
                reason="FILE_EXISTS",
                metadata={"file": str(file)},
            ) from error
    if as_json:
        print_json({"database": str(database)} | _document(copied))
    else:
        print(printable(f"{database} is copied to {file}: {_contents(copied)}"))


def restore(
    file: _File,
    db: Database = None,
    force: Annotated[
        bool, typer.Option("--force", help="Also where the backup contradicts itself; not where it is damaged.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of the database, which is kept beside it. No server may run on it.

    Executions that had not ended when it was made go on at the next start: what they did since happens again.
    """
    from execsvc.store import restore

    database = _sqlite_file(db)
    with _told(file, "backup"), shown_progress(f"copying {file}", quiet=as_json) as progress:
        copied = restore(file, database, force=force, progress=progress)
    if as_json:
        print_json({"file": str(file)} | _document(copied))
        return
    print(printable(f"{database} is what {file} holds: {_contents(copied)}"))
    if copied.replaced is not None:
        print(printable(f"what was there before is kept as {copied.replaced}"))
    if copied.unfinished:
        print(f"{copied.unfinished} executions go on at the next start of the server", file=sys.stderr)


def check(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A backup; the database if left out.", show_default=False),
    ] = None,
    db: Database = None,
    as_json: AsJson = False,
) -> None:
    """Look a database over: the file, rows without an owner, gaps in logs, executions that contradict themselves.

    A server may run on it meanwhile. Ends with exit code 9 if anything is wrong.
    """
    from execsvc.store import check_database

    if file is not None and db is not None:
        raise usage_error("--db and FILE both say what to check; give one of them")
    database = file or _sqlite_file(db)
    with shown_progress(f"checking {database}", quiet=as_json) as step:
        found = check_database(database, step=step)
    if as_json:
        print_json({"database": str(database), "clean": not found, "findings": [_finding(one) for one in found]})
    else:
        for one in found:
            print(printable(str(one)))
        verdict = "clean" if not found else f"{len(found)} problems" if len(found) > 1 else "1 problem"
        print(printable(f"{database}: {verdict}"), file=sys.stderr if found else sys.stdout)
    raise typer.Exit(ExitCode.DAMAGED if found else ExitCode.OK)


def _sqlite_file(db: str | None) -> Path:
    loaded = server_settings(db=db)
    if postgres_database(loaded) is not None:
        raise usage_error(
            "the settings name a database on Postgres, which pg_dump and pg_restore look after; for a file say which "
            "with --db"
        )
    return loaded.settings.db


@contextmanager
def _told(file: Path, what: str) -> Iterator[None]:
    from execsvc.store import BackupUnusable

    try:
        yield
    except BackupUnusable as error:
        found = error.findings
        fatal = any(one.fatal for one in found)
        advice = "take another backup" if fatal else "take another backup, or restore it all the same with --force"
        raise CliError(
            f"{what} {file} cannot be used ({len(found)} problem{'' if len(found) == 1 else 's'}, the first: "
            f"{str(found[0]).split(maxsplit=1)[1]}); {advice}, and see `execsvc check`",
            exit_code=ExitCode.DAMAGED,
            reason="DATABASE_DAMAGED",
            metadata={"file": str(file)},
        ) from error


def _contents(copied: Copied) -> str:
    return f"{copied.executions:,} executions, {copied.unfinished:,} of them unfinished, {size_text(copied.size)}"


def _document(copied: Copied) -> dict[str, object]:
    return {
        "path": str(copied.path),
        "bytes": copied.size,
        "executions": copied.executions,
        "unfinished": copied.unfinished,
        "replaced": None if copied.replaced is None else str(copied.replaced),
    }


def _finding(finding: Finding) -> dict[str, str]:
    return {"kind": finding.kind, "execution_id": finding.execution_id, "message": finding.message}


@contextmanager
def shown_progress(what: str, *, quiet: bool) -> Iterator[Callable[[int, int], None] | None]:
    """Show a bar on stderr where that is a terminal; gives what to call with how much is done, of how much."""
    if quiet or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(printable(what), total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)
