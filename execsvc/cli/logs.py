"""The command ``logs``: an execution's log, as it is or as it grows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.connection import connected
from execsvc.cli.documents import entry_document
from execsvc.cli.failures import usage_error
from execsvc.cli.log_lines import plain_line, styled_line
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, ExecutionId, Level, Target
from execsvc.cli.text import print_json, until_unread

if TYPE_CHECKING:
    from collections.abc import Callable

    from execsvc_client import LogEntry


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(logs)


def logs(
    execution_id: ExecutionId,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the execution has ended.")] = False,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Only entries after this sequence number.")] = 0,
    tail: Annotated[int, typer.Option(min=0, metavar="N", help="Only the last N entries; 0: all.")] = 0,
    level: Annotated[Level, typer.Option(case_sensitive=False, help="Leave out entries below this.")] = Level.DEBUG,
    node: Annotated[str, typer.Option(metavar="ID", help="Only entries of this node.", show_default=False)] = "",
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Print an execution's log; with -f follow it, also through restarts of the server."""
    if after and tail:
        raise usage_error("--after and --tail exclude each other; give one of them")
    show = _printer(as_json=as_json)
    with connected(target) as client:
        # Asked first, since a log that cannot be reached is tried for minutes.
        client.status(execution_id)
        with (
            until_unread(),
            client.logs(
                execution_id,
                after_sequence=after,
                tail=tail,
                min_level=level.name,
                node_id=node,
                follow=follow,
            ) as entries,
        ):
            for entry in entries:
                show(entry)


def _printer(*, as_json: bool) -> Callable[[LogEntry], None]:
    if as_json:
        return lambda entry: print_json(entry_document(entry))
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True)
    if console.is_terminal:
        return lambda entry: console.print(styled_line(entry))
    return lambda entry: print(plain_line(entry), flush=True)
