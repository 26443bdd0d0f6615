"""The commands ``audit``: who did what, read from the database itself."""

from __future__ import annotations

import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, usage_error
from execsvc.cli.opened import on_database
from execsvc.cli.options import AsJson
from execsvc.cli.serve_options import Database, PostgresDirectUrl, PostgresUrl
from execsvc.cli.tables import print_table
from execsvc.cli.text import print_json, until_unread
from execsvc.clock import SystemClock
from execsvc.config import parse_span

if TYPE_CHECKING:
    from execsvc.model import AuditFilter, AuditRecord
    from execsvc.store import AuditTrail, Tokens
    from execsvc.store.address import PostgresDatabase

group = typer.Typer(
    name="audit",
    help="The audit trail: who did what. It is kept in the database: these commands need no server.",
    no_args_is_help=True,
)

_HEADER: Final = ("TIME", "NAMESPACE", "ACTOR", "ROLE", "ACTION", "TARGET", "OUTCOME", "ADDRESS")
#: Records read at once.
_PAGE: Final = 500


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group)


@group.callback()
def _group() -> None:
    # With one command alone typer would leave its name out.
    pass


@group.command("list")
def list_audit(
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Of this one alone.", show_default=False)
    ] = "",
    actor: Annotated[
        str,
        typer.Option(
            "--actor",
            metavar="NAME",
            help="By this one: first part or name of a token, sub of a JWT, name of a certificate, user of a command.",
            show_default=False,
        ),
    ] = "",
    action: Annotated[
        str,
        typer.Option(
            "--action",
            metavar="NAME",
            help="execute, pause, resume, stop, retry, delete, create_workflow, create_token or revoke_token.",
            show_default=False,
        ),
    ] = "",
    target: Annotated[
        str,
        typer.Option(
            "--target",
            metavar="ID",
            help="To this execution or workflow, or the token with this first part.",
            show_default=False,
        ),
    ] = "",
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="SPAN|TIME", help="Not before: 12h ago, or a time.", show_default=False),
    ] = None,
    until: Annotated[
        str | None, typer.Option("--until", metavar="SPAN|TIME", help="Before that.", show_default=False)
    ] = None,
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0: all.")] = 50,
    after: Annotated[
        str | None,
        typer.Option("--after", metavar="CURSOR", help="Go on after the record with this one.", show_default=False),
    ] = None,
    db: Database = None,
    store: PostgresUrl = None,
    store_direct: PostgresDirectUrl = None,
    as_json: AsJson = False,
) -> None:
    """List what was done, newest first, and by whom; with --json one object a line."""
    from execsvc.model import AuditAction, AuditFilter, ControlAction

    known = [*map(str, AuditAction), *map(str, ControlAction)]
    if action and action not in known:
        raise usage_error(f"--action {action!r} is none of {', '.join(known)}")
    wanted = AuditFilter(
        namespace=namespace,
        actor=actor,
        action=action,
        target=target,
        since=None if since is None else _time("--since", since),
        until=None if until is None else _time("--until", until),
    )
    position = None if after is None else _position(after)

    async def work(opened: tuple[AuditTrail, Tokens]) -> None:
        trail, tokens = opened
        await _print(trail, await _resolved(wanted, tokens), position, limit, as_json=as_json)

    with until_unread():
        on_database(work, sqlite=_on_sqlite, postgres=_on_postgres, db=db, store=store, store_direct=store_direct)


def _on_sqlite(path: Path) -> AbstractContextManager[tuple[AuditTrail, Tokens]]:
    from execsvc.store import opened_trail

    return opened_trail(path)


def _on_postgres(database: PostgresDatabase) -> AbstractAsyncContextManager[tuple[AuditTrail, Tokens]]:
    from execsvc.store.postgres import opened_trail

    return opened_trail(database)


async def _resolved(wanted: AuditFilter, tokens: Tokens) -> AuditFilter:
    """Put the first part of a token in the place of its name."""
    from dataclasses import replace

    named = [token.token_id for token in await tokens.all() if wanted.actor and token.name == wanted.actor]
    if len(named) > 1:
        raise usage_error(f"{len(named)} tokens are named {wanted.actor!r}; say which: {', '.join(named[:10])}")
    return replace(wanted, actor=named[0]) if named else wanted


async def _print(
    trail: AuditTrail, wanted: AuditFilter, after: tuple[int, int] | None, limit: int, *, as_json: bool
) -> None:
    shown, header = 0, _HEADER
    while True:
        size = min(limit - shown, _PAGE) if limit else _PAGE
        # One more than shown tells whether there are more.
        found = await trail.page(wanted, after=after, limit=size + 1)
        page = found[:size]
        for record in page if as_json else ():
            print_json(_document(record))
        if not as_json:
            print_table(header, map(_row, page))
        shown += len(page)
        if len(found) <= size:
            break
        after = (page[-1].time, page[-1].number)
        if shown == limit:
            if not as_json:
                print(f"there are more; --after {_cursor(page[-1])} goes on", file=sys.stderr)
            return
    if not shown and not as_json and sys.stderr.isatty():
        print("nothing on record", file=sys.stderr)


def _row(record: AuditRecord) -> tuple[str, ...]:
    actor = record.actor
    return (
        f"{datetime.fromtimestamp(record.time / 1_000_000, UTC).astimezone():%Y-%m-%d %H:%M:%S}",
        record.namespace,
        actor.shown or str(actor.kind),
        actor.role,
        record.action,
        record.target,
        record.outcome,
        actor.address,
    )


def _document(record: AuditRecord) -> dict[str, Any]:
    actor = record.actor
    time = datetime.fromtimestamp(record.time / 1_000_000, UTC).isoformat(timespec="microseconds")
    return {
        "time": time.replace("+00:00", "Z"),
        "namespace": record.namespace,
        "actor": {"kind": str(actor.kind), "name": actor.name, "label": actor.label, "role": actor.role},
        "action": record.action,
        "target": record.target,
        "uid": record.uid,
        "outcome": record.outcome,
        "request_id": actor.request_id,
        "address": actor.address,
        "cursor": _cursor(record),
    }


def _cursor(record: AuditRecord) -> str:
    return f"{record.time}.{record.number}"


def _position(cursor: str) -> tuple[int, int]:
    time, _, number = cursor.partition(".")
    if not all(part.isascii() and part.isdigit() and int(part) < 2**63 for part in (time, number)):
        raise usage_error(f"--after {cursor!r} is no cursor; take one from a record of --json, or from the last line")
    return int(time), int(number)


def _time(flag: str, text: str) -> int:
    try:
        return SystemClock()() - parse_span(text)
    except ValueError:
        pass
    try:
        # Without a zone it is a time of this machine.
        return int(datetime.fromisoformat(text).astimezone(UTC).timestamp() * 1_000_000)
    except (ValueError, OverflowError, OSError):
        raise CliError(
            f"{flag} {text!r} is no span of time and no time; write 12h, 30d, 2026-01-31 or 2026-01-31T08:00:00Z",
            exit_code=ExitCode.USAGE,
            reason="USAGE",
        ) from None
