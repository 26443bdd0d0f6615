"""The commands over many executions: list, delete, prune."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.completion import execution_ids as complete_ids
from execsvc.cli.connection import connected
from execsvc.cli.documents import summary_document
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, as_cli_error, print_error, usage_error
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, Target, parse_labels
from execsvc.cli.pruning import prune_all
from execsvc.cli.selection import Filter, OfWorkflow, States, WithLabels, selection
from execsvc.cli.spans import parse_span
from execsvc.cli.tables import print_table
from execsvc.cli.text import elapsed, print_json, until_unread

if TYPE_CHECKING:
    from execsvc_client import Execution, ExecutionClient

_HEADER = ("ID", "STATE", "DONE", "WORKFLOW", "CREATED", "TOOK", "MESSAGE")
#: Executions fetched at once.
_PAGE = 500


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("list")(list_executions)
    app.command()(delete)
    app.command()(prune)


def list_executions(
    filter: Filter = "",
    states: States = None,
    workflow: OfWorkflow = None,
    labels: WithLabels = None,
    order: Annotated[
        str,
        typer.Option(
            "--order", metavar="ORDER", help='"create_time" or "end_time", with " desc" for the newest first.'
        ),
    ] = "create_time desc",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0: all.")] = 50,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """List executions, the newest first; with --json one object a line."""
    wanted = selection(filter=filter, states=states, workflow=workflow, labels=parse_labels(labels))
    with connected(target) as client, until_unread():
        # One more than shown tells whether there are more.
        size = min(limit + 1, _PAGE) if limit else _PAGE
        found = client.list_executions(wanted, order_by=order, page_size=size)
        shown = islice(found, limit) if limit else found
        if as_json:
            for execution in shown:
                print_json(summary_document(execution))
            return
        counted = _Counted(shown)
        print_table(_HEADER, map(_row, counted))
        if not counted.count and sys.stderr.isatty():
            print("no execution matches" if wanted else "there are no executions yet", file=sys.stderr)
        if limit and next(found, None) is not None:
            print(f"there are more; --limit shows more than {limit}", file=sys.stderr)


def delete(
    execution_ids: Annotated[
        list[str],
        typer.Argument(metavar="ID…", help="Ids of executions.", show_default=False, autocompletion=complete_ids),
    ],
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")] = False,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Delete executions that have ended, with their journals and logs."""
    if not yes:
        if as_json or not sys.stdin.isatty():
            raise usage_error("deleting cannot be undone, and there is nobody to ask; add --yes")
        what = execution_ids[0] if len(execution_ids) == 1 else f"{len(execution_ids)} executions"
        typer.confirm(f"Delete {what}, journal and log included?", abort=True, err=True)
    failed: list[CliError] = []
    with connected(target) as client:
        for execution_id in execution_ids:
            error = _deleted(client, execution_id)
            if error is not None:
                failed.append(error)
                print_error(error, as_json=as_json)
            elif as_json:
                print_json({"deleted": execution_id})
            else:
                print(f"{execution_id} is deleted")
    # The others are gone all the same.
    raise typer.Exit(failed[0].exit_code if failed else ExitCode.OK)


def _deleted(client: ExecutionClient, execution_id: str) -> CliError | None:
    from execsvc_client import ExecsvcError, Unavailable

    try:
        client.delete(execution_id)
    except Unavailable:
        raise
    except ExecsvcError as error:
        return as_cli_error(error)
    return None


def prune(
    older_than: Annotated[
        int,
        typer.Option(
            "--older-than", metavar="SPAN", parser=parse_span, help="Ended longer ago than this: 12h, 30d, 8w."
        ),
    ],
    filter: Filter = "",
    states: States = None,
    workflow: OfWorkflow = None,
    labels: WithLabels = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list what would be deleted.")] = False,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Delete every execution that ended longer ago, oldest first. `serve --retention` does so by itself."""
    before = (datetime.now(UTC) - timedelta(microseconds=older_than)).isoformat().replace("+00:00", "Z")
    wanted = selection(
        filter=filter, states=states, workflow=workflow, labels=parse_labels(labels), ended_before=before
    )
    with connected(target) as client:
        found = client.list_executions(wanted, order_by="end_time", page_size=_PAGE)
        if dry_run:
            counted = _Counted(found)
            if as_json:
                for _ in counted:
                    pass
            else:
                with until_unread():
                    print_table(_HEADER, map(_row, counted))
            matched, deleted = counted.count, 0
        else:
            with _progress(quiet=as_json) as step:
                matched, deleted = prune_all(client, found, step=step)
    if as_json:
        print_json({"before": before, "matched": matched, "deleted": deleted})
    else:
        verb, count = ("would delete", matched) if dry_run else ("deleted", deleted)
        what = f"{count:,} execution{'' if count == 1 else 's'}"
        print(f"{verb} {what} that ended before {before}", file=sys.stderr if dry_run else sys.stdout)
        if not dry_run and matched > deleted:
            print(f"{matched - deleted:,} were retried or deleted by somebody else meanwhile", file=sys.stderr)


class _Counted:
    """Counts what is taken from it."""

    def __init__(self, items: Iterable[Execution]) -> None:
        self._items = items
        self.count = 0

    def __iter__(self) -> Iterator[Execution]:
        for item in self._items:
            self.count += 1
            yield item


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    if quiet or not sys.stderr.isatty():
        yield lambda *_: None
        return
    from rich.console import Console

    with Console(stderr=True, highlight=False).status("nothing found yet") as shown:
        yield lambda matched, deleted: shown.update(f"{matched:,} found, {deleted:,} deleted")


def _row(execution: Execution) -> Sequence[str]:
    status = execution.status
    ended = status.end_time or datetime.now(UTC)
    return (
        status.execution_id,
        str(status.state),
        f"{status.progress:.0%}",
        status.workflow_id,
        f"{status.create_time.astimezone():%Y-%m-%d %H:%M:%S}",
        "" if status.start_time is None else elapsed(max(ended - status.start_time, timedelta())),
        status.message,
    )
