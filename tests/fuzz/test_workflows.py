"""Whatever workflow is accepted comes to an end, whatever its expressions, templates and input do."""

from __future__ import annotations

import asyncio
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from execsvc_client import ExecsvcError, InvalidArgument, to_definition
from tests.fuzz.conftest import Target
from tests.fuzz.requests import JSON, MODELS
from tests.fuzz.test_rpcs import FUZZ, HANGS
from tests.unit.definition.test_any_definition import CEL, DEFINITIONS, MUSTACHE, TEXTS

EXPRESSIONS = st.one_of(
    CEL,
    st.sampled_from(
        [
            "input.a",
            "nodes.n0",
            "input.a + 1",
            "[1, 2].map(x, x * input.a)",
            "{'a': input}",
            "input.l.map(x, input.l.map(y, y))",
            "string(input.a).matches('(a+)+$')",
            "1 / 0",
            "9223372036854775807 + 1",
            "dyn(1.0) / 0.0",
            "has(nodes.n0) ? nodes.n0 : 1",
        ]
    ),
)
INPUTS = st.one_of(
    st.dictionaries(TEXTS, JSON, max_size=3),
    st.fixed_dictionaries({"a": JSON}),
    st.fixed_dictionaries({"l": st.lists(st.integers(0, 5), max_size=200), "a": st.text(max_size=200)}),
)


@st.composite
def workflows(draw: st.DrawFn) -> dict[str, Any]:
    """A workflow of up to six nodes in a line with branches; most are valid."""
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, str]] = []
    for number in range(draw(st.integers(1, 6))):
        kind = draw(st.sampled_from(["transform", "condition", "llm", "http", "input"]))
        match kind:
            case "transform":
                config: Any = {"expression": draw(EXPRESSIONS)}
            case "condition":
                config = {"expression": draw(EXPRESSIONS)}
            case "llm":
                config = {"model": draw(MODELS), "prompt": draw(MUSTACHE)}
            case "http":
                # Nobody is there, and nothing may leave the machine.
                config = {"url": "http://127.0.0.1:1/{{input.a}}?b=" + draw(MUSTACHE), "method": "POST"}
                config |= {draw(st.sampled_from(["json", "body"])): draw(EXPRESSIONS)}
            case _:
                config = {"defaults": draw(st.dictionaries(TEXTS, JSON, max_size=2))}
        body: dict[str, Any] = {"id": f"n{number}", "type": kind, "config": config}
        if draw(st.booleans()):
            body["on_error"] = {"action": "continue", "fallback": draw(JSON)}
        if number:
            source = draw(st.integers(0, number - 1))
            edge = {"source": f"n{source}", "target": f"n{number}"}
            if nodes[source]["type"] == "condition":
                edge["branch"] = draw(st.sampled_from(["true", "false"]))
            edges.append(edge)
        nodes.append(body)
    last = len(nodes) - 1
    if nodes[last]["type"] == "condition":
        edges.append({"source": f"n{last}", "target": "out", "branch": "true"})
    else:
        edges.append({"source": f"n{last}", "target": "out"})
    nodes.append({"id": "out", "type": "output", "config": {"expression": draw(EXPRESSIONS)}})
    return {"nodes": nodes, "edges": edges}


def run(target: Target, definition: Any, given: Any) -> None:
    """Execute, and wait for the end."""

    async def to_the_end() -> None:
        async with asyncio.timeout(HANGS):
            try:
                status = await target.client.execute(definition, given)
            except InvalidArgument:
                return
            execution = await target.client.wait(status.execution_id)
            assert execution.state in ("COMPLETED", "FAILED")
            if execution.error is not None:
                assert execution.error.type not in ("INTERNAL", "DEFINITION_UNUSABLE", "NODE_CRASHED"), execution.error

    target.run(to_the_end())


@FUZZ
@given(workflows(), INPUTS)
def test_any_workflow_comes_to_an_end(target: Target, definition: dict[str, Any], given: dict[str, Any]) -> None:
    run(target, definition, given)


@FUZZ
@given(DEFINITIONS)
def test_any_json_is_refused_here_or_there_or_runs(target: Target, definition: Any) -> None:
    try:
        message = to_definition(definition)
    except (ExecsvcError, TypeError):
        return
    run(target, message, {})
