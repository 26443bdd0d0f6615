"""The commands ``workflows``: workflows that are stored on a server."""

from __future__ import annotations

import sys
from itertools import chain, islice
from typing import Annotated

import typer

from execsvc.cli.completion import workflow_ids
from execsvc.cli.connection import connected
from execsvc.cli.documents import workflow_document
from execsvc.cli.files import located, read_workflow
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, Model, Target, WorkflowFile
from execsvc.cli.tables import print_table
from execsvc.cli.text import print_json, until_unread

stored = typer.Typer(
    name="workflows",
    help="Store workflows on a server, and look them up. `submit --workflow ID` runs one.",
    no_args_is_help=True,
)

_WorkflowId = Annotated[
    str, typer.Argument(metavar="ID", help="Id of the workflow.", show_default=False, autocompletion=workflow_ids)
]


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.add_typer(stored)


@stored.command()
def create(
    file: WorkflowFile,
    workflow_id: Annotated[
        str, typer.Option("--id", metavar="ID", help="Your id of the workflow.", show_default=False)
    ],
    model: Model = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Store a workflow as the newest version, and print the version: the hash of its content."""
    workflow = read_workflow(file, model=model)
    with connected(target) as client, located(workflow):
        found = client.create_workflow(workflow_id, workflow.value)
    if as_json:
        print_json(workflow_document(found) | {"created": found.created})
    else:
        print(found.version)


@stored.command()
def get(
    workflow_id: _WorkflowId,
    version: Annotated[
        str, typer.Option("--version", metavar="HASH", help="The newest if left out.", show_default=False)
    ] = "",
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Print a stored workflow as JSON that `run` and `submit` take."""
    from execsvc.wire.definitions import definition_json

    with connected(target) as client:
        found = client.get_workflow(workflow_id, version)
    definition = None if found.definition is None else definition_json(found.definition)
    if as_json:
        print_json(workflow_document(found) | {"definition": definition})
    else:
        print_json(definition, pretty=True)


@stored.command("list")
def list_workflows(
    workflow_id: Annotated[
        str,
        typer.Argument(
            metavar="ID",
            help="List the versions of this workflow.",
            show_default=False,
            autocompletion=workflow_ids,
        ),
    ] = "",
    limit: Annotated[int, typer.Option(min=0, metavar="N", help="At most so many; 0: all.")] = 50,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """List stored workflows, each in its newest version, newest first; with --json one object a line."""
    with connected(target) as client, until_unread():
        found = client.list_workflows(workflow_id)
        shown = islice(found, limit) if limit else found
        if as_json:
            for workflow in shown:
                print_json(workflow_document(workflow))
            return
        first = next(shown, None)
        if first is None and sys.stderr.isatty():
            print("there are no stored workflows; `execsvc workflows create` stores one", file=sys.stderr)
        rows = (
            (workflow.workflow_id, f"{workflow.create_time.astimezone():%Y-%m-%d %H:%M:%S}", workflow.version)
            for workflow in (() if first is None else chain((first,), shown))
        )
        print_table(("ID", "CREATED", "VERSION"), rows)
