"""The command ``watch``: an execution's progress, nodes and models' answers, live until it has ended."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from execsvc.cli.connection import connected
from execsvc.cli.exit_codes import ExitCode, by_state
from execsvc.cli.log_tail import LogTail
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, ExecutionId, Level, Target
from execsvc.cli.text import printable, until_unread
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
    log_lines: Annotated[
        int, typer.Option(min=0, max=100, metavar="N", help="Lines of the log to show on a terminal; 0: none.")
    ] = 6,
    level: Annotated[Level, typer.Option(case_sensitive=False, help="Show no log lines below this.")] = Level.INFO,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Watch an execution until it has ended: progress, nodes, log, and what models answer.

    With --json one object a change, with the nodes that changed. Ctrl-C leaves the execution alone.

    Ends with the exit code of the execution's state.
    """
    state = ""
    with connected(target) as client:
        # Asked first, since an execution that cannot be reached is tried for minutes.
        client.status(execution_id)

        def tail() -> LogTail:
            return LogTail(client.logs(execution_id, tail=log_lines, min_level=level.name, follow=True), log_lines)

        view = make_watch_view(as_json=as_json, tail=tail if log_lines else None)
        wanted = view.live if tokens is None else tokens
        try:
            with until_unread(), client.watch(execution_id, include_tokens=wanted) as snapshots, view:
                for snapshot in snapshots:
                    state = str(snapshot.state)
                    view.show(snapshot)
        except KeyboardInterrupt:
            if not as_json and state and by_state(state) is ExitCode.OK and state != "COMPLETED":
                again = f"execsvc watch {execution_id}, execsvc stop {execution_id}"
                print(printable(f"left; execution {execution_id} goes on: {again}"), file=sys.stderr)
            raise
    raise typer.Exit(by_state(state) if state else ExitCode.OK)
