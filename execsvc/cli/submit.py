"""The command ``submit``: start a workflow from a file, or a stored one, on a server."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

from execsvc.cli.completion import workflow_ids
from execsvc.cli.connection import connected
from execsvc.cli.documents import status_document
from execsvc.cli.failures import usage_error
from execsvc.cli.files import located, read_input, read_workflow
from execsvc.cli.options import (
    DEFAULT_ADDRESS,
    AsJson,
    Input,
    Labels,
    Model,
    NewId,
    RetryAttempts,
    RetryBackoff,
    Target,
    Timeout,
    Wait,
    parse_labels,
    parse_retry,
    parse_timeout,
)
from execsvc.cli.outcome import tell
from execsvc.cli.text import print_json


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(submit)


def submit(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A workflow as JSON; - reads stdin. Or --workflow.", show_default=False),
    ] = None,
    input: Input = None,
    execution_id: NewId = None,
    workflow: Annotated[
        str,
        typer.Option(
            "--workflow",
            "--workflow-id",
            metavar="ID",
            help="Without FILE: the stored workflow to run. With it: your id of the workflow, for history.",
            show_default=False,
            autocompletion=workflow_ids,
        ),
    ] = "",
    version: Annotated[
        str,
        typer.Option(
            "--version", metavar="HASH", help="Of the stored workflow; the newest if left out.", show_default=False
        ),
    ] = "",
    labels: Labels = None,
    priority: Annotated[int, typer.Option(min=-1000, max=1000, help="Higher starts first.")] = 0,
    timeout: Timeout = None,
    concurrency_key: Annotated[
        str,
        typer.Option(metavar="KEY", help="Executions with the same key share a limit.", show_default=False),
    ] = "",
    retry_attempts: RetryAttempts = None,
    retry_backoff: RetryBackoff = None,
    wait: Wait = False,
    model: Model = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Start a workflow on a server, and print the execution's id."""
    if file is None and not workflow:
        raise usage_error("there is no workflow to run; give a FILE, or the id of a stored one with --workflow")
    if file is not None and version:
        raise usage_error("--version is of a stored workflow; leave out FILE, or --version")
    definition, given = None if file is None else read_workflow(file, model=model), read_input(input)
    tags, limit, retry = parse_labels(labels), parse_timeout(timeout), parse_retry(retry_attempts, retry_backoff)
    with connected(target) as client:
        with located(definition, given):
            status = client.execute(
                None if definition is None else definition.value,
                given.value,
                execution_id=execution_id,
                workflow_id=workflow,
                workflow_version=version,
                labels=tags,
                priority=priority,
                timeout=limit,
                concurrency_key=concurrency_key,
                retry=retry,
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
        print(f"{status.state}; follow it with: execsvc watch {status.execution_id}", file=sys.stderr)
