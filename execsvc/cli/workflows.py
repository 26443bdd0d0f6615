"""The commands that need no server: validate and graph."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

from execsvc.cli.files import JsonFile, located, read_workflow
from execsvc.cli.options import AsJson, Plugins, WorkflowFile
from execsvc.cli.text import print_json

if TYPE_CHECKING:
    from execsvc.definition import Plan


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(validate)
    app.command()(graph)


def validate(file: WorkflowFile, plugins: Plugins = None, as_json: AsJson = False) -> None:
    """Check a workflow and name every problem with its place. Needs no server."""
    workflow = read_workflow(file)
    plan = checked(workflow, plugins)
    if as_json:
        print_json({"valid": True, "nodes": len(plan.nodes), "definition_digest": plan.digest})
    else:
        print(f"{workflow.name} is valid: {len(plan.nodes)} nodes, digest {plan.digest[:12]}")


def graph(file: WorkflowFile, plugins: Plugins = None, as_json: AsJson = False) -> None:
    """Draw a workflow as a Mermaid flowchart. Needs no server."""
    from execsvc.definition import to_mermaid

    text = to_mermaid(checked(read_workflow(file), plugins))
    if as_json:
        print_json({"mermaid": text})
    else:
        print(text.rstrip("\n"))


def checked(workflow: JsonFile, plugins: Sequence[str] | None = None) -> Plan:
    """Check a workflow here. Raises CliError with every problem and its file, line and column."""
    from execsvc.definition import BUILTIN, parse_definition

    types = BUILTIN
    if plugins:
        # Heavy: a plug-in may need the engine.
        from execsvc.engine import load_plugins

        types, _ = load_plugins(plugins)
    with located(workflow):
        return parse_definition(workflow.value, types=types)
