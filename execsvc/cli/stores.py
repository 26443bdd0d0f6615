"""The commands around where data are kept: migrate, and migrate-store."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from execsvc.cli.configured import postgres_database, server_settings
from execsvc.cli.database import shown_progress
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, usage_error
from execsvc.cli.options import AsJson
from execsvc.cli.serve_options import Database, PostgresDirectUrl, PostgresUrl
from execsvc.cli.text import print_json, printable


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(migrate)
    app.command("migrate-store")(migrate_store)


def migrate(
    db: Database = None,
    store: PostgresUrl = None,
    store_direct: PostgresDirectUrl = None,
    as_json: AsJson = False,
) -> None:
    """Bring the database up to date, making it if it is not there. A server does so at its start by itself.

    For databases in which the server's own role may not make tables: run this with one that may.
    """
    loaded = server_settings(db=db, store=store, store_direct=store_direct)
    postgres = postgres_database(loaded)
    place = str(loaded.settings.db)
    if postgres is None:
        from execsvc.store import bring_up_to_date

        done = bring_up_to_date(loaded.settings.db)
    else:
        with postgres_installed():
            from execsvc.store.postgres import migrated

        place, done = asyncio.run(migrated(postgres))
    _tell_migrated(place, done, as_json=as_json)


def _tell_migrated(place: str, done: Sequence[str], *, as_json: bool) -> None:
    if as_json:
        print_json({"database": place, "applied": list(done)})
    elif done:
        print(printable(f"{place} is up to date now: {', '.join(done)}"))
    else:
        print(printable(f"{place} is up to date"))


def migrate_store(
    source: Annotated[Path, typer.Argument(metavar="FILE", help="The SQLite database.", show_default=False)],
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="URL",
            help="An empty Postgres database: postgresql://user:password@host:port/database. The store of the "
            "settings if left out, which keeps a password off the command line.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Copy everything from a SQLite database to an empty Postgres one, and compare both. No server may use either.

    It is one transaction: where anything goes wrong the target stays empty, and the command can be run again. The file
    stays as it is.
    """
    postgres = postgres_database(server_settings(store=target))
    if postgres is None:
        raise usage_error("say which Postgres database to copy to: a URL after FILE, or the setting store")
    with postgres_installed():
        from execsvc.store.postgres import NotMoved, move

    with shown_progress(f"copying {source}", quiet=as_json) as progress:
        try:
            moved = asyncio.run(move(source, postgres, progress))
        except NotMoved as error:
            not_empty = error.reason == "TARGET_NOT_EMPTY"
            raise CliError(
                str(error), exit_code=ExitCode.CONFLICT if not_empty else ExitCode.DAMAGED, reason=error.reason
            ) from error
    if as_json:
        print_json(
            {
                "source": str(source),
                "database": moved.place,
                "rows": moved.rows,
                "digests": moved.digests,
                "unfinished": moved.unfinished,
            }
        )
        return
    counts = ", ".join(f"{count:,} {name.replace('_', ' ')}" for name, count in moved.rows.items() if count)
    print(printable(f"{moved.place} holds what {source} does: {counts or 'nothing'}; counts and digests agree"))
    if moved.unfinished:
        print(f"{moved.unfinished} executions go on once a server starts with --store")


@contextmanager
def postgres_installed() -> Iterator[None]:
    """Say what to install, where the packages for Postgres are not there."""
    try:
        yield
    except ModuleNotFoundError as error:
        raise usage_error("Postgres needs packages that are not installed: pip install 'execsvc[postgres]'") from error
