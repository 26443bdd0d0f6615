"""The commands that need no server: validate, and graph unless it is to show the states of an execution."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.completion import execution_ids
from execsvc.cli.connection import connected
from execsvc.cli.failures import usage_error
from execsvc.cli.files import JsonFile, located, read_workflow
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, Plugins, Target, WorkflowFile
from execsvc.cli.text import print_json

if TYPE_CHECKING:
    from execsvc.definition import NodeTypes, Plan
    from execsvc_client import Execution


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


def graph(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="FILE", help="A workflow as JSON; - reads stdin. Or --states.", show_default=False),
    ] = None,
    states: Annotated[
        str | None,
        typer.Option(
            "--states",
            metavar="ID",
            help="Draw the workflow of this execution, its nodes coloured by their states. Asks the server.",
            show_default=False,
            autocompletion=execution_ids,
        ),
    ] = None,
    plugins: Plugins = None,
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """Draw a workflow, or an execution and the states of its nodes, as a Mermaid flowchart."""
    from execsvc.definition import to_mermaid

    if (file is None) == (states is None):
        raise usage_error("say what to draw: a FILE, or an execution with --states ID")
    if file is not None:
        document = {"mermaid": to_mermaid(checked(read_workflow(file), plugins))}
    else:
        with connected(target) as client:
            document = _drawn(client.get(str(states)))
    if as_json:
        print_json(document)
    else:
        print(document["mermaid"].rstrip("\n"))


def _drawn(execution: Execution) -> dict[str, Any]:
    from execsvc.definition import parse_definition, to_mermaid
    from execsvc.model import NodeState
    from execsvc.wire.definitions import definition_json

    assert execution.definition is not None
    definition = definition_json(execution.definition)
    plan = parse_definition(definition, types=types_for(definition))
    known = set(NodeState)
    states = {node.node_id: NodeState(node.state) for node in execution.nodes.values() if str(node.state) in known}
    return {
        "execution_id": execution.execution_id,
        "state": str(execution.state),
        "nodes": {node_id: str(state) for node_id, state in states.items()},
        "mermaid": to_mermaid(plan, states),
    }


def types_for(definition: Mapping[str, Any]) -> NodeTypes:
    """Give node types for a definition that a server has checked: those of its plug-ins take whatever it says."""
    from execsvc.definition import BUILTIN, NodeType

    kinds = {node["id"]: node["type"] for node in definition["nodes"]}
    branches: dict[str, set[str]] = {kind: set() for kind in kinds.values() if kind not in BUILTIN}
    for edge in definition["edges"]:
        kind = kinds[edge["source"]]
        if kind in branches and edge.get("branch"):
            branches[kind].add(edge["branch"])

    def node_type(name: str, chosen: tuple[str, ...]) -> NodeType:
        return NodeType(
            name=name,
            description="",
            config_schema={},
            effect=True,
            compile=lambda config, _: config,
            branches=(lambda _: chosen) if chosen else None,
        )

    return BUILTIN.extended(node_type(kind, tuple(sorted(names))) for kind, names in branches.items())


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
