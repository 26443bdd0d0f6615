"""The commands that look at one execution: status and show."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from execsvc.cli.connection import connected
from execsvc.cli.documents import execution_document, status_document
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, ExecutionId, Target
from execsvc.cli.remarks import remark
from execsvc.cli.text import elapsed, print_json, printable

if TYPE_CHECKING:
    from execsvc_client import Execution, ExecutionStatus


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(status)
    app.command()(show)


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
    _print_lines(_particulars(execution))
    print("nodes")
    wide = max((len(node_id) for node_id in execution.nodes), default=0)
    broad = max((len(node.type) for node in execution.nodes.values()), default=0)
    for node in execution.nodes.values():
        print(printable(f"  {node.node_id:<{wide}}  {node.type:<{broad}}  {node.state:<9}  {remark(node)}".rstrip()))
    if execution.error is not None:
        print(printable(f"error     {execution.error.message} [{execution.error.type}]"))
    if execution.state == "COMPLETED":
        print("output")
        print_json(execution.output, pretty=True)


def _print_status(status: ExecutionStatus) -> None:
    where = ", ".join(status.running_nodes) or status.current_node
    took = "" if status.start_time is None or status.end_time is None else elapsed(status.end_time - status.start_time)
    _print_lines(
        (
            ("id", status.execution_id),
            ("workflow", status.workflow_id),
            ("state", f"{status.state}, {status.progress:.0%}"),
            ("running" if status.running_nodes else "last node", where),
            ("message", status.message),
            ("created", status.create_time.astimezone().isoformat(" ", "milliseconds")),
            ("took", took),
        )
    )


def _particulars(execution: Execution) -> Iterable[tuple[str, str]]:
    retry, usage = execution.retry, execution.usage
    yield "labels", " ".join(f"{key}={value}" for key, value in sorted(execution.labels.items()))
    yield "priority", str(execution.priority or "")
    yield "timeout", "" if execution.timeout is None else elapsed(execution.timeout)
    yield "key", execution.concurrency_key
    yield (
        "retry",
        "" if retry is None else f"up to {retry.max_attempts} attempts, first wait {retry.initial_backoff:g} s",
    )
    yield "tokens", "" if usage is None else f"{usage.input_tokens} in, {usage.output_tokens} out"
    yield "version", execution.definition_digest


def _print_lines(lines: Iterable[tuple[str, str]]) -> None:
    for name, value in lines:
        if value:
            print(printable(f"{name:<9} {value}"))
