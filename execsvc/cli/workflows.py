"""The commands that need no server: validate and graph."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from execsvc.cli.files import JsonFile, located, read_workflow
from execsvc.cli.options import AsJson, WorkflowFile
from execsvc.cli.text import print_json

if TYPE_CHECKING:
    from execsvc.definition import Plan


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(validate)
    app.command()(graph)


def validate(file: WorkflowFile, as_json: AsJson = False) -> None:
    """Check a workflow and name every problem with its place. Needs no server."""
    workflow = read_workflow(file)
    plan = checked(workflow)
    if as_json:
        print_json({"valid": True, "nodes": len(plan.nodes), "definition_digest": plan.digest})
    else:
        print(f"{workflow.name} is valid: {len(plan.nodes)} nodes, digest {plan.digest[:12]}")


def graph(file: WorkflowFile, as_json: AsJson = False) -> None:
    """Draw a workflow as a Mermaid flowchart. Needs no server."""
    from execsvc.definition import to_mermaid

    text = to_mermaid(checked(read_workflow(file)))
    if as_json:
        print_json({"mermaid": text})
    else:
        print(text.rstrip("\n"))


def checked(workflow: JsonFile) -> Plan:
    """Check a workflow here. Raises CliError with every problem and its file, line and column."""
    from execsvc.definition import parse_definition

    with located(workflow):
        return parse_definition(workflow.value)
