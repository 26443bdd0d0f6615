"""Bad input, sent by gRPC: path and reason are named, all problems at once, and nothing is stored."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import grpc
import pytest
from google.protobuf.struct_pb2 import Struct, Value

from execsvc_client import AsyncExecutionClient, DefinitionError, to_definition, v1
from tests.integration.conftest import Stubs
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, gate, node, output, transform, workflow

#: A valid workflow, which each case breaks in one place.
GOOD = workflow(
    "start > ask > check >true> yes > out",
    "check >false> no > out",
    start=node("input", schema={"type": "object", "properties": {"age": {"type": "integer"}}, "required": ["age"]}),
    ask=node("llm", model="echo:", prompt="{{input.age}}"),
    check=node("condition", expression="input.age > 17"),
    yes=transform("nodes.ask"),
    no=transform("'no'"),
    out=output(),
)
#: Places of its nodes.
START, ASK, CHECK, YES, NO, OUT = range(6)


def _broken(change: Any) -> v1.WorkflowDefinition:
    message = to_definition(deepcopy(GOOD))
    change(message)
    return message


def _add(message: v1.WorkflowDefinition, **edge: str) -> None:
    message.edges.append(v1.Edge(**edge))


def _nan(message: v1.WorkflowDefinition) -> None:
    message.nodes[ASK].llm.parameters.fields["temperature"].number_value = float("nan")


def _deep(message: v1.WorkflowDefinition) -> None:
    deep: dict[str, Any] = {}
    for _ in range(29):
        deep = {"a": deep}
    message.nodes[START].input.defaults.update(deep)


def _set(place: int, kind: str, field: str, value: Any) -> Any:
    return lambda message: setattr(getattr(message.nodes[place], kind), field, value)


CASES: dict[str, tuple[Any, str, str, str]] = {
    "duplicate node id": (
        lambda m: m.nodes.add(id="ask", output=v1.OutputNode()),
        "nodes[6].id",
        "DUPLICATE_NODE",
        "'ask'",
    ),
    "unknown type": (
        lambda m: m.nodes[YES].CopyFrom(v1.Node(id="yes", custom=v1.CustomNode(type="gatte"))),
        "nodes[3].type",
        "UNKNOWN_NODE_TYPE",
        "did you mean 'gate'",
    ),
    "no type": (lambda m: m.nodes[YES].ClearField("transform"), "nodes[3].type", "MISSING_FIELD", "type"),
    "unknown config field": (
        lambda m: m.nodes[YES].CopyFrom(to_definition(workflow("yes > out", yes=gate("g", colour=1))).nodes[0]),
        "nodes[3].config.colour",
        "UNKNOWN_FIELD",
        "colour",
    ),
    "edge from nothing": (
        lambda m: _add(m, source="nowhere", target="out"),
        "edges[6].source",
        "UNKNOWN_NODE",
        "'nowhere'",
    ),
    "edge to nothing": (lambda m: _add(m, source="yes", target="nope"), "edges[6].target", "UNKNOWN_NODE", "'nope'"),
    "self-edge": (lambda m: _add(m, source="yes", target="yes"), "edges[6]", "SELF_EDGE", "'yes'"),
    "cycle": (lambda m: _add(m, source="yes", target="ask"), "edges[6]", "CYCLE", "ask -> check -> yes -> ask"),
    "no node": (lambda m: (m.ClearField("nodes"), m.ClearField("edges")), "nodes", "NO_NODES", "at least one"),
    "no output": (
        lambda m: m.nodes[OUT].CopyFrom(v1.Node(id="out", transform=v1.TransformNode(expression="1"))),
        "nodes",
        "NO_OUTPUT",
        "output",
    ),
    "unreachable node": (
        lambda m: m.nodes.add(id="island", output=v1.OutputNode(expression="1")),
        "nodes[6]",
        "UNREACHABLE_NODE",
        "'island'",
    ),
    "unknown branch": (
        lambda m: setattr(m.edges[2], "branch", "maybe"),
        "edges[2].branch",
        "UNKNOWN_BRANCH",
        "it has 'true', 'false'",
    ),
    "no branch": (lambda m: setattr(m.edges[2], "branch", ""), "edges[2].branch", "MISSING_BRANCH", "'check'"),
    "branch on a non-condition": (
        lambda m: setattr(m.edges[0], "branch", "true"),
        "edges[0].branch",
        "BRANCH_ON_NON_CONDITION",
        "'start' is of type 'input'",
    ),
    "expression that does not compile": (
        _set(YES, "transform", "expression", "1 +\n* 2"),
        "nodes[3].config.expression",
        "CEL_SYNTAX",
        "line 2, column 1",
    ),
    "unknown variable": (
        _set(YES, "transform", "expression", "inptu.age"),
        "nodes[3].config.expression",
        "CEL_UNKNOWN_NAME",
        "'inptu'",
    ),
    "node that is not there": (
        _set(YES, "transform", "expression", "nodes.aks"),
        "nodes[3].config.expression",
        "UNKNOWN_NODE",
        "'aks'",
    ),
    "node that is not upstream": (
        _set(YES, "transform", "expression", "nodes.no"),
        "nodes[3].config.expression",
        "NODE_NOT_UPSTREAM",
        "from 'no' to 'yes'",
    ),
    "template variable unknown": (
        _set(ASK, "llm", "prompt", "Hello {{text}}"),
        "nodes[1].config.prompt",
        "TEMPLATE_UNKNOWN_NAME",
        "'text'",
    ),
    "node id outside the alphabet": (
        lambda m: setattr(m.nodes[OUT], "id", "out put"),
        "nodes[5].id",
        "INVALID_ID",
        "'out put'",
    ),
    "node id too long": (lambda m: setattr(m.nodes[OUT], "id", "x" * 129), "nodes[5].id", "INVALID_ID", "128"),
    "NaN": (_nan, "nodes[1].config.parameters.temperature", "NOT_A_NUMBER", "nan"),
    "deep nesting": (_deep, "nodes[0].config.defaults" + ".a" * 26, "TOO_DEEP", "30"),
    "negative timeout": (
        lambda m: m.nodes[ASK].timeout.FromSeconds(-5),
        "nodes[1].timeout",
        "INVALID_DURATION",
        "seconds",
    ),
    "too many attempts": (
        lambda m: setattr(m.nodes[ASK].retry, "max_attempts", 101),
        "nodes[1].retry.max_attempts",
        "INVALID_VALUE",
        "1 to 100",
    ),
    "action that does not exist": (
        lambda m: setattr(m.nodes[ASK].on_error, "action", 9),
        "nodes[1].on_error.action",
        "INVALID_VALUE",
        '"fail" or "continue"',
    ),
}


def test_the_workflow_the_cases_break_is_fine() -> None:
    assert to_definition(GOOD).nodes[ASK].id == "ask"


async def test_the_good_one_is_valid(client: AsyncExecutionClient) -> None:
    assert (await client.validate(GOOD)).problems == ()


@pytest.mark.parametrize("what", CASES)
async def test_execute_and_validate_name_path_and_reason(stubs: Stubs, what: str) -> None:
    change, path, reason, words = CASES[what]
    definition = _broken(change)
    answer = await stubs.workflows.ValidateWorkflow(v1.ValidateWorkflowRequest(definition=definition))
    assert not answer.valid
    assert not answer.definition_digest
    validated = [(problem.path, problem.reason, problem.message) for problem in answer.problems]
    given = Struct()
    given.update({"age": 3})
    found = await refusal(
        stubs.executions.Execute(v1.ExecuteRequest(execution_id="e", definition=definition, input=given))
    )
    assert found.code == grpc.StatusCode.INVALID_ARGUMENT
    assert found.info.reason == "INVALID_REQUEST"
    for problems in (validated, found.fields):
        assert f"definition.{path}" in [where for where, _, _ in problems], problems
        message = next(text for where, why, text in problems if (where, why) == (f"definition.{path}", reason))
        assert words in message
    assert int(found.info.metadata["problems"]) == len(validated)
    # The path of the first problem is in the message, for whoever prints only that.
    assert validated[0][0] in found.message
    gone = await refusal(stubs.executions.GetStatus(v1.GetStatusRequest(execution_id="e")))
    assert gone.code == grpc.StatusCode.NOT_FOUND


async def test_all_problems_of_definition_input_and_request_are_named_at_once(stubs: Stubs) -> None:
    message = to_definition(deepcopy(GOOD))
    message.nodes[YES].transform.expression = "1 +"
    message.nodes[NO].id = "no no"
    message.nodes[ASK].llm.prompt = "{{wrong}}"
    _add(message, source="a", target="b")
    _add(message, source="ask", target="ask")
    request = v1.ExecuteRequest(execution_id="e e", workflow_id="w w", definition=message, priority=-5000)
    request.timeout.FromSeconds(-1)
    found = await refusal(stubs.executions.Execute(request))
    assert (
        found.problems.items()
        >= {
            "execution_id": "INVALID_ID",
            "workflow_id": "INVALID_ID",
            "priority": "OUT_OF_RANGE",
            "timeout": "OUT_OF_RANGE",
            "definition.nodes[1].config.prompt": "TEMPLATE_UNKNOWN_NAME",
            "definition.nodes[3].config.expression": "CEL_SYNTAX",
            "definition.nodes[4].id": "INVALID_ID",
            "definition.edges[6].source": "UNKNOWN_NODE",
            "definition.edges[6].target": "UNKNOWN_NODE",
            "definition.edges[7]": "SELF_EDGE",
        }.items()
    )


async def test_a_request_without_a_definition_is_told_so_with_its_other_problems(stubs: Stubs) -> None:
    found = await refusal(stubs.executions.Execute(v1.ExecuteRequest(execution_id="e e")))
    assert found.problems.items() >= {"definition": "REQUIRED"}.items()


@pytest.mark.parametrize(
    ("given", "path", "reason"),
    [
        ({"age": "three"}, "input.age", "WRONG_TYPE"),
        ({}, "input.age", "MISSING_FIELD"),
        ({"age": 1.5}, "input.age", "WRONG_TYPE"),
        ({"age": float("nan")}, "input.age", "NOT_A_NUMBER"),
        ({"age": float("-inf")}, "input.age", "NOT_A_NUMBER"),
    ],
    ids=str,
)
async def test_an_input_that_breaks_the_schema_names_the_place(
    stubs: Stubs, given: dict[str, Any], path: str, reason: str
) -> None:
    message = Struct()
    for key, value in given.items():
        if isinstance(value, str):
            message.fields[key].string_value = value
        else:
            message.fields[key].number_value = value
    request = v1.ExecuteRequest(execution_id="e", definition=to_definition(GOOD), input=message)
    found = await refusal(stubs.executions.Execute(request))
    assert found.problems == {path: reason}


async def test_numbers_that_are_none_are_refused_without_an_input_node_too(stubs: Stubs) -> None:
    definition = to_definition(workflow("a > out", a=transform("1"), out=output()))
    given = Struct()
    given.fields["list"].list_value.values.extend([Value(number_value=1), Value(number_value=float("inf"))])
    found = await refusal(stubs.executions.Execute(v1.ExecuteRequest(definition=definition, input=given)))
    assert found.problems == {"input.list[1]": "NOT_A_NUMBER"}


async def test_a_value_without_a_kind_is_refused_with_its_path(stubs: Stubs) -> None:
    given = Struct()
    given.fields["a"].list_value.values.append(Value())
    found = await refusal(stubs.executions.Execute(v1.ExecuteRequest(definition=to_definition(ECHO), input=given)))
    assert found.problems == {"input.a[0]": "NO_VALUE"}


async def test_an_input_nested_deeper_than_an_answer_can_carry_is_refused(
    client: AsyncExecutionClient, stubs: Stubs
) -> None:
    deepest = 0
    for depth in range(25, 34):
        given: dict[str, Any] = {"n": 1}
        for _ in range(depth - 1):
            given = {"a": given}
        message = Struct()
        message.update(given)
        request = v1.ExecuteRequest(execution_id=f"e{depth}", definition=to_definition(ECHO), input=message)
        try:
            await stubs.executions.Execute(request)
        except grpc.aio.AioRpcError:
            found = await refusal(stubs.executions.Execute(request))
            assert set(found.problems.values()) <= {"TOO_DEEP", "UNREADABLE"}
        else:
            deepest = depth
            # What was taken can be read back, in every view.
            execution = await client.wait(f"e{depth}")
            assert execution.input == given
            assert execution.output == given
    assert deepest >= 28


@pytest.mark.parametrize(
    ("definition", "path"),
    [
        (v1.WorkflowDefinition(nodes=[v1.Node(id=f"n{i}", output=v1.OutputNode()) for i in range(5_001)]), "nodes"),
        (to_definition(workflow("a > out", a=gate("g", value="x" * 1_100_000), out=output())), ""),
    ],
    ids=["nodes", "bytes"],
)
async def test_a_definition_that_is_too_large_says_how_large_it_may_be(
    stubs: Stubs, definition: v1.WorkflowDefinition, path: str
) -> None:
    for call in (
        stubs.executions.Execute(v1.ExecuteRequest(definition=definition)),
        stubs.workflows.ValidateWorkflow(v1.ValidateWorkflowRequest(definition=definition)),
    ):
        found = await refusal(call)
        assert (found.code, found.info.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "TOO_LARGE")
        assert found.info.metadata["path"] == ".".join(filter(None, ("definition", path)))
        assert int(found.info.metadata["size"]) > int(found.info.metadata["limit"])


@pytest.mark.parametrize(
    ("execution_id", "ok"),
    [
        ("a", True),
        ("A-z_0.9:x", True),
        ("x" * 128, True),
        ("x" * 129, False),
        ("a b", False),
        ("ä", False),
        ("a\n", False),
    ],
)
async def test_execution_ids_are_of_the_alphabet(stubs: Stubs, execution_id: str, ok: bool) -> None:
    request = v1.ExecuteRequest(execution_id=execution_id, definition=to_definition(ECHO))
    if ok:
        assert (await stubs.executions.Execute(request)).status.execution_id == execution_id
    else:
        assert (await refusal(stubs.executions.Execute(request))).problems == {"execution_id": "INVALID_ID"}


@pytest.mark.parametrize(
    ("text", "path"),
    [('{"nodes": [\n  {"id": "a",,}\n]}', "definition:2:14"), ('{"nodes": [}', "definition:1:12")],
)
async def test_json_text_that_is_none_names_line_and_column(client: AsyncExecutionClient, text: str, path: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        await client.execute(text)
    assert refused.value.field_violations[0].path == path
