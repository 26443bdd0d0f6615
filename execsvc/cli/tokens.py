"""The commands ``token``: API tokens, in the database itself, beside a server that runs on it or without one."""

from __future__ import annotations

import getpass
import os
import socket
import sys
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, usage_error
from execsvc.cli.opened import on_database
from execsvc.cli.options import AsJson, RoleName
from execsvc.cli.serve_options import Database, PostgresDirectUrl, PostgresUrl
from execsvc.cli.tables import print_table
from execsvc.cli.text import print_json, printable
from execsvc.clock import SystemClock
from execsvc.config import parse_span

if TYPE_CHECKING:
    from execsvc.model import Actor, ApiToken
    from execsvc.store import Tokens
    from execsvc.store.address import PostgresDatabase

_T = TypeVar("_T")

group = typer.Typer(
    name="token",
    help="API tokens, for servers with `--auth token`. They are kept in the database: these commands need no server.",
    no_args_is_help=True,
)


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(group)


@group.command()
def create(
    role: Annotated[
        RoleName,
        typer.Option("--role", case_sensitive=False, help="What its bearer may do; each also what those before may."),
    ],
    namespace: Annotated[
        str,
        typer.Option("--namespace", metavar="NAME", help="The only namespace that exists for its bearer."),
    ] = "default",
    name: Annotated[
        str, typer.Option("--name", metavar="TEXT", help="What you call it: whose it is, and what for.")
    ] = "",
    expires: Annotated[
        str | None,
        typer.Option("--expires", metavar="SPAN", help="When it ends: 12h, 90d. Else never.", show_default=False),
    ] = None,
    db: Database = None,
    store: PostgresUrl = None,
    store_direct: PostgresDirectUrl = None,
    as_json: AsJson = False,
) -> None:
    """Make a token and print it, once: only a digest of it is kept."""
    from execsvc.model import Role
    from execsvc.model.identity import MAX_NAME, NAMESPACE, new_token

    if not NAMESPACE.fullmatch(namespace):
        raise usage_error(f"--namespace {namespace!r} must have 1 to 128 characters out of A-Z a-z 0-9 _ . : -")
    if len(name) > MAX_NAME:
        raise usage_error(f"--name has {len(name)} characters; at most {MAX_NAME} are allowed")
    now = SystemClock()()
    text, token = new_token(
        namespace=namespace,
        role=Role(role.value),
        name=name,
        now=now,
        expire_time=None if expires is None else now + _span(expires),
    )
    _with_tokens(lambda tokens: tokens.add(token, _user()), db, store, store_direct)
    if as_json:
        print_json({"token": text} | _document(token, now))
        return
    print(text)
    # Where stdout goes into a file or a variable, this is still seen.
    print(
        printable(f"{token.token_id}: {_described(token, now)}; it is not shown again"),
        file=sys.stderr,
    )


@group.command("list")
def list_tokens(
    namespace: Annotated[
        str, typer.Option("--namespace", metavar="NAME", help="Those of this one alone.", show_default=False)
    ] = "",
    db: Database = None,
    store: PostgresUrl = None,
    store_direct: PostgresDirectUrl = None,
    as_json: AsJson = False,
) -> None:
    """List tokens, newest first, by the part of them that is no secret."""
    found = _with_tokens(lambda tokens: tokens.all(), db, store, store_direct)
    now = SystemClock()()
    chosen = [token for token in found if namespace in ("", token.namespace)]
    if as_json:
        print_json({"tokens": [_document(token, now) for token in chosen]})
        return
    header = ("TOKEN", "NAMESPACE", "ROLE", "STATE", "EXPIRES", "NAME")
    print_table(
        header,
        (
            (token.token_id, token.namespace, str(token.role), token.state(now), _day(token.expire_time), token.name)
            for token in chosen
        ),
    )


@group.command()
def revoke(
    prefix: Annotated[
        str,
        typer.Argument(
            metavar="PREFIX", help="Its first part, or as much of it as tells it from the others.", show_default=False
        ),
    ],
    db: Database = None,
    store: PostgresUrl = None,
    store_direct: PostgresDirectUrl = None,
    as_json: AsJson = False,
) -> None:
    """Revoke a token, at once and for ever. Again it does nothing."""
    now = SystemClock()()
    token = _with_tokens(lambda tokens: _revoked(tokens, prefix, now), db, store, store_direct)
    if as_json:
        print_json(_document(token, now))
    else:
        print(printable(f"{token.token_id} ({_described(token, now)}) is revoked"))


async def _revoked(tokens: Tokens, prefix: str, now: int) -> ApiToken:
    from execsvc.model.identity import token_id_of

    # A whole token as well: whoever finds one that leaked has nothing else.
    wanted = token_id_of(prefix) or prefix
    found = [token for token in await tokens.all() if token.token_id.startswith(wanted)] if wanted else []
    if len(found) > 1:
        ids = ", ".join(token.token_id for token in found[:5])
        raise usage_error(f"{len(found)} tokens begin with {wanted!r}: {ids}{', …' if len(found) > 5 else ''}")
    revoked = await tokens.revoke(found[0].token_id, now, _user()) if found else None
    if revoked is None:
        raise CliError(
            f"no token begins with {wanted[:40]!r}; `execsvc token list` shows those there are",
            exit_code=ExitCode.NOT_FOUND,
            reason="TOKEN_NOT_FOUND",
        )
    return revoked


def _with_tokens(
    work: Callable[[Tokens], Awaitable[_T]], db: str | None, store: str | None, store_direct: str | None
) -> _T:
    return on_database(work, sqlite=_on_sqlite, postgres=_on_postgres, db=db, store=store, store_direct=store_direct)


def _on_sqlite(path: Path) -> AbstractContextManager[Tokens]:
    from execsvc.store import opened_tokens

    return opened_tokens(path)


def _on_postgres(database: PostgresDatabase) -> AbstractAsyncContextManager[Tokens]:
    from execsvc.store.postgres import opened_tokens

    return opened_tokens(database)


def _user() -> Actor:
    """Give whoever runs this command, for the audit trail."""
    from execsvc.model import Actor, ActorKind

    try:
        name = getpass.getuser()
    except (OSError, KeyError, ImportError):
        # In a container a user may have no name.
        name = str(os.getuid()) if hasattr(os, "getuid") else ""
    return Actor(kind=ActorKind.COMMAND, name=name, address=socket.gethostname())


def _span(text: str) -> int:
    try:
        return parse_span(text)
    except ValueError as error:
        raise usage_error(f"--expires: {error}") from error


def _document(token: ApiToken, now: int) -> dict[str, Any]:
    return {
        "token_id": token.token_id,
        "namespace": token.namespace,
        "role": str(token.role),
        "name": token.name,
        "state": token.state(now),
        "create_time": _time(token.create_time),
        "expire_time": _time(token.expire_time),
        "revoke_time": _time(token.revoke_time),
    }


def _described(token: ApiToken, now: int) -> str:
    named = f", {token.name}" if token.name else ""
    return f"{token.role} of namespace {token.namespace}{named}, expires {_day(token.expire_time)}"


def _time(micros: int | None) -> str | None:
    if micros is None:
        return None
    return datetime.fromtimestamp(micros / 1_000_000, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _day(micros: int | None) -> str:
    if micros is None:
        return "never"
    return f"{datetime.fromtimestamp(micros / 1_000_000, UTC).astimezone():%Y-%m-%d %H:%M}"
