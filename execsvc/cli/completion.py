"""What the shell offers for ids: those that the server knows, if it answers soon."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice
from typing import TYPE_CHECKING, Any

import typer

from execsvc.cli.configured import client_setting, connection
from execsvc.config import SETTINGS

if TYPE_CHECKING:
    from execsvc_client import ExecutionClient

#: Seconds that the shell waits at most; nobody presses Tab to wait for a server that is away.
PATIENCE = 1.0
#: Among so many of the newest it looks: one page of a list.
NEWEST = 500
#: Ids offered at once.
MOST = 50


def execution_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Give those of the newest executions whose id begins so, with their state and message."""

    def ask(client: ExecutionClient) -> Iterator[tuple[str, str]]:
        for execution in islice(client.list_executions(page_size=NEWEST), NEWEST):
            if execution.execution_id.startswith(incomplete):
                yield execution.execution_id, f"{execution.state} {execution.status.message}".rstrip()

    return _answered(context, ask)


def workflow_ids(context: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Give stored workflows whose id begins so, with the time of their newest version."""

    def ask(client: ExecutionClient) -> Iterator[tuple[str, str]]:
        for workflow in islice(client.list_workflows(), NEWEST):
            if workflow.workflow_id.startswith(incomplete):
                yield workflow.workflow_id, f"{workflow.create_time.astimezone():%Y-%m-%d %H:%M}"

    return _answered(context, ask)


def _answered(
    context: typer.Context, ask: Callable[[ExecutionClient], Iterator[tuple[str, str]]]
) -> list[tuple[str, str]]:
    try:
        from execsvc_client import ExecutionClient

        with ExecutionClient(_target(context), tls=connection().tls, call_timeout=PATIENCE) as client:
            return list(islice(ask(client), MOST))
    except Exception:
        # Whatever is wrong: the shell would show it in the middle of the line that is being typed.
        return []


def _target(context: typer.Context) -> str:
    given: Any = context.params.get("target")
    target: str = client_setting("target", None if given == SETTINGS["target"].default else given or None)
    return target
