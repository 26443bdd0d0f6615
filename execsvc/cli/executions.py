"""The commands around one execution: submit, status, show, pause, resume, stop."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

import typer

from execsvc.cli.connection import connected
from execsvc.cli.documents import execution_document, status_document
from execsvc.cli.files import located, read_input, read_workflow
from execsvc.cli.options import (
    DEFAULT_ADDRESS,
    AsJson,
    ExecutionId,
    Input,
    Labels,
    Model,
    NewId,
    State,
    Target,
    Timeout,
    WorkflowFile,
    parse_labels,
    parse_timeout,
)
from execsvc.cli.outcome import tell
from execsvc.cli.text import elapsed, print_json, printable

if TYPE_CHECKING:
    from execsvc_client import ExecutionClient, ExecutionStatus, NodeRun

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
    for command in (submit, status, show, pause, resume, stop):
        app.command()(command)


def submit(
    file: WorkflowFile,
    input: Input = None,
    execution_id: NewId = None,
    labels: Labels = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher starts first.")] = 0,
    timeout: Timeout = None,
    workflow_id: Annotated[str, typer.Option(metavar="ID", help="Your id of the workflow.", show_default=False)] = "",
    wait: Annotated[bool, typer.Option("--wait", help="Wait for its end and print its output.")] = False,
    model: Model = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Start a workflow on a server, and print the execution's id."""
    workflow, given = read_workflow(file, model=model), read_input(input)
    tags, limit = parse_labels(labels), parse_timeout(timeout)
    with connected(target) as client:
        with located(workflow, given):
            status = client.execute(
                workflow.value,
                given.value,
                execution_id=execution_id,
                workflow_id=workflow_id,
                labels=tags,
                priority=priority,
                timeout=limit,
            )
        if wait:
            if not as_json:
                print(status.execution_id, file=sys.stderr)
            raise typer.Exit(tell(client.wait(status.execution_id), as_json=as_json))
    if as_json:
        print_json(status_document(status))
        return
    print(status.execution_id)
    if sys.stderr.isatty():
        print(f"{status.state}; follow it with: execsvc logs -f {status.execution_id}", file=sys.stderr)


def status(execution_id: ExecutionId, target: Target = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Say where an execution stands."""
    with connected(target) as client:
        found = client.status(execution_id)
    if as_json:
        print_json(status_document(found))
    else:
        _print_status(found)


def show(execution_id: ExecutionId, target: Target = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Show the record of an execution: its nodes, its output or its error."""
    with connected(target) as client:
        execution = client.get(execution_id)
    if as_json:
        print_json(execution_document(execution))
        return
    _print_status(execution.status)
    print("nodes")
    wide = max((len(node_id) for node_id in execution.nodes), default=0)
    for node in execution.nodes.values():
        print(printable(f"  {node.node_id:<{wide}}  {node.type:<9}  {node.state:<9}  {_remark(node)}".rstrip()))
    if execution.error is not None:
        print(printable(f"error     {execution.error.message} [{execution.error.type}]"))
    if execution.state == "COMPLETED":
        print("output")
        print_json(execution.output, pretty=True)


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


def _control(target: str, change: Callable[[ExecutionClient], ExecutionStatus], *, as_json: bool) -> None:
    with connected(target) as client:
        after = change(client)
    if as_json:
        print_json(status_document(after))
    else:
        print(f"{after.execution_id} is {after.state}")


def _named(state: State | None) -> str | None:
    return None if state is None else state.name


def _print_status(status: ExecutionStatus) -> None:
    where = ", ".join(status.running_nodes) or status.current_node
    took = "" if status.start_time is None or status.end_time is None else elapsed(status.end_time - status.start_time)
    for name, value in (
        ("id", status.execution_id),
        ("workflow", status.workflow_id),
        ("state", f"{status.state}, {status.progress:.0%}"),
        ("running" if status.running_nodes else "last node", where),
        ("message", status.message),
        ("created", status.create_time.astimezone().isoformat(" ", "milliseconds")),
        ("took", took),
    ):
        if value:
            print(printable(f"{name:<9} {value}"))


def _remark(node: NodeRun) -> str:
    parts = [] if node.start_time is None or node.end_time is None else [elapsed(node.end_time - node.start_time)]
    parts += [f"attempt {node.attempt}"] if node.attempt > 1 else []
    parts += [f"branch {node.branch}"] if node.branch else []
    parts += [f"{node.usage.total_tokens} tokens"] if node.usage else []
    parts += [f"{node.error.message} [{node.error.type}]"] if node.error else []
    return ", ".join(parts)
