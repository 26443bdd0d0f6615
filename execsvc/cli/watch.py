"""The command ``watch``: an execution's progress, nodes and models' answers, live until it has ended."""

from __future__ import annotations

from typing import Annotated

import typer

from execsvc.cli.connection import connected
from execsvc.cli.exit_codes import ExitCode, by_state
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, ExecutionId, Target
from execsvc.cli.text import until_unread
from execsvc.cli.watch_views import make_watch_view


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(watch)


def watch(
    execution_id: ExecutionId,
    tokens: Annotated[
        bool | None,
        typer.Option(
            "--tokens/--no-tokens",
            help="Show what models answer, as it comes; on a terminal unless told otherwise.",
            show_default=False,
        ),
    ] = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Watch an execution until it has ended: progress, nodes, and what models answer.

    With --json one object a change, with the nodes that changed. Ends with the exit code of the execution's state.
    """
    view = make_watch_view(as_json=as_json)
    state = ""
    with connected(target) as client:
        # Asked first, since an execution that cannot be reached is tried for minutes.
        client.status(execution_id)
        wanted = view.live if tokens is None else tokens
        with until_unread(), client.watch(execution_id, include_tokens=wanted) as snapshots, view:
            for snapshot in snapshots:
                state = str(snapshot.state)
                view.show(snapshot)
    raise typer.Exit(by_state(state) if state else ExitCode.OK)
