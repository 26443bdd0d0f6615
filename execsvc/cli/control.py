"""The commands that change an execution's state: pause, resume, stop, retry."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.connection import connected
from execsvc.cli.documents import status_document
from execsvc.cli.files import located, read_input
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, ExecutionId, State, Target, Wait
from execsvc.cli.outcome import tell
from execsvc.cli.text import print_json

if TYPE_CHECKING:
    from execsvc_client import ExecutionClient, ExecutionStatus

_Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why, for the log.", show_default=False)]
_RequestId = Annotated[
    str | None,
    typer.Option(
        "--request-id", metavar="ID", help="A repeat with the same id answers as the first did.", show_default=False
    ),
]
_Expect = Annotated[
    State | None,
    typer.Option("--expect", case_sensitive=False, help="Act only if this is the state.", show_default=False),
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    for command in (pause, resume, stop, retry):
        app.command()(command)


def pause(
    execution_id: ExecutionId,
    reason: _Reason = "",
    request_id: _RequestId = None,
    expect: _Expect = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Pause an execution: nodes under way finish, none starts."""
    _control(
        target,
        lambda client: client.pause(execution_id, reason, expected_state=_named(expect), request_id=request_id),
        as_json=as_json,
    )


def resume(
    execution_id: ExecutionId,
    reason: _Reason = "",
    request_id: _RequestId = None,
    expect: _Expect = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Resume a paused execution."""
    _control(
        target,
        lambda client: client.resume(execution_id, reason, expected_state=_named(expect), request_id=request_id),
        as_json=as_json,
    )


def stop(
    execution_id: ExecutionId,
    reason: _Reason = "",
    request_id: _RequestId = None,
    expect: _Expect = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Stop an execution: what is under way is cancelled."""
    _control(
        target,
        lambda client: client.stop(execution_id, reason, expected_state=_named(expect), request_id=request_id),
        as_json=as_json,
    )


def retry(
    execution_id: ExecutionId,
    input: Annotated[
        str | None,
        typer.Option(
            "--input",
            "-i",
            metavar="JSON|@FILE",
            help="Another input, for the nodes that have not finished.",
            show_default=False,
        ),
    ] = None,
    wait: Wait = False,
    reason: _Reason = "",
    request_id: _RequestId = None,
    expect: _Expect = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Let a failed or stopped execution go on; nodes that have finished keep their results."""
    given = None if input is None else read_input(input)
    with connected(target) as client:
        with located(None, given):
            after = client.retry(
                execution_id,
                reason,
                input=None if given is None else given.value,
                expected_state=_named(expect),
                request_id=request_id,
            )
        if wait:
            if not as_json:
                print(f"{after.execution_id} is {after.state}", file=sys.stderr)
            raise typer.Exit(tell(client.wait(execution_id), as_json=as_json))
    _tell(after, as_json=as_json)


def _control(target: str, change: Callable[[ExecutionClient], ExecutionStatus], *, as_json: bool) -> None:
    with connected(target) as client:
        after = change(client)
    _tell(after, as_json=as_json)


def _tell(after: ExecutionStatus, *, as_json: bool) -> None:
    if as_json:
        print_json(status_document(after))
    else:
        print(f"{after.execution_id} is {after.state}")


def _named(state: State | None) -> str | None:
    return None if state is None else state.name
