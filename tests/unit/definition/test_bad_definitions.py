"""Every kind of bad definition is refused with its path and its reason, all problems at once."""

from __future__ import annotations

import math
from typing import Any

import pytest

from execsvc.definition import parse_definition
from execsvc.definition.problems import HINTED
from execsvc.errors import InvalidRequest, TooLarge


def good() -> dict[str, Any]:
    """A valid workflow; each test breaks one thing of it."""
    return {
        "nodes": [
            {"id": "in", "type": "input", "config": {"schema": {"type": "object"}}},
            {"id": "ask", "type": "llm", "config": {"model": "echo:", "prompt": "{{input.text}}"}},
            {"id": "pick", "type": "condition", "config": {"expression": "nodes.ask == 'x'"}},
            {"id": "a", "type": "transform", "config": {"expression": "nodes.ask + '!'"}},
            {"id": "b", "type": "transform", "config": {"fields": {"n": "input.n"}}},
            {"id": "out", "type": "output"},
        ],
        "edges": [
            {"source": "in", "target": "ask"},
            {"source": "ask", "target": "pick"},
            {"source": "pick", "target": "a", "branch": "true"},
            {"source": "pick", "target": "b", "branch": "false"},
            {"source": "a", "target": "out"},
            {"source": "b", "target": "out"},
        ],
    }


def problems_of(definition: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidRequest) as caught:
        parse_definition(definition)
    return [(problem.path, problem.reason, problem.message) for problem in caught.value.problems]


def only_problem_of(definition: Any) -> tuple[str, str, str]:
    found = problems_of(definition)
    assert len(found) == 1, found
    return found[0]


def test_the_workflow_that_the_tests_break_is_valid() -> None:
    plan = parse_definition(good())

    assert [node.id for node in plan.nodes] == ["in", "ask", "pick", "a", "b", "out"]


# Keys are (part, place, key): what to replace; "del" takes something away.
CASES: list[tuple[str, Any, tuple[str, str, str]]] = [
    (
        "duplicate node id",
        lambda d: d["nodes"].append({"id": "a", "type": "transform", "config": {"expression": "1"}}),
        ("definition.nodes[6].id", "DUPLICATE_NODE", "definition.nodes[3]"),
    ),
    (
        "unknown type",
        lambda d: d["nodes"][1].update(type="lllm"),
        ("definition.nodes[1].type", "UNKNOWN_NODE_TYPE", "did you mean 'llm'?"),
    ),
    (
        "no type",
        lambda d: d["nodes"][3].pop("type"),
        ("definition.nodes[3].type", "MISSING_FIELD", "condition, http, input, llm, output, transform"),
    ),
    (
        "unknown config field",
        lambda d: d["nodes"][1]["config"].update(temprature=1, promt="x", prompt="y"),
        ("definition.nodes[1].config.temprature", "UNKNOWN_FIELD", ""),
    ),
    (
        "unknown node field",
        lambda d: d["nodes"][1].update(retries=3),
        ("definition.nodes[1].retries", "UNKNOWN_FIELD", "did you mean 'retry'?"),
    ),
    (
        "unknown edge field",
        lambda d: d["edges"][0].update(label="x"),
        ("definition.edges[0].label", "UNKNOWN_FIELD", "source, target, branch"),
    ),
    (
        "unknown field of the whole",
        lambda d: d.update(vertices=[]),
        ("definition.vertices", "UNKNOWN_FIELD", "nodes"),
    ),
    (
        "missing config field",
        lambda d: d["nodes"][1]["config"].pop("model"),
        ("definition.nodes[1].config.model", "MISSING_FIELD", "'model' is required"),
    ),
    (
        "config field of the wrong type",
        lambda d: d["nodes"][1]["config"].update(prompt=["x"]),
        ("definition.nodes[1].config.prompt", "WRONG_TYPE", "must be of type string, not a list"),
    ),
    (
        "config of the wrong type",
        lambda d: d["nodes"][1].update(config="x"),
        ("definition.nodes[1].config", "WRONG_TYPE", "must be an object, not a text"),
    ),
    (
        "edge to nothing",
        lambda d: d["edges"][4].update(target="outt"),
        ("definition.edges[4].target", "UNKNOWN_NODE", "there is no node 'outt'; did you mean 'out'?"),
    ),
    (
        "edge from nothing",
        lambda d: d["edges"].append({"source": "zzz", "target": "out"}),
        ("definition.edges[6].source", "UNKNOWN_NODE", "there is no node 'zzz'"),
    ),
    (
        "edge without a target",
        lambda d: d["edges"].append({"source": "a"}),
        ("definition.edges[6].target", "MISSING_FIELD", "target"),
    ),
    (
        "self-edge",
        lambda d: d["edges"].append({"source": "a", "target": "a"}),
        ("definition.edges[6]", "SELF_EDGE", "'a'"),
    ),
    (
        "duplicate edge",
        lambda d: d["edges"].append({"source": "a", "target": "out"}),
        ("definition.edges[6]", "DUPLICATE_EDGE", "definition.edges[4]"),
    ),
    (
        "cycle",
        lambda d: d["edges"].append({"source": "a", "target": "ask"}),
        ("definition.edges[6]", "CYCLE", "ask -> pick -> a -> ask"),
    ),
    (
        "unreachable node",
        lambda d: d["nodes"].append({"id": "lost", "type": "transform", "config": {"expression": "1"}}),
        ("definition.nodes[6]", "UNREACHABLE_NODE", "'lost'"),
    ),
    (
        "edge whose branch does not exist",
        lambda d: d["edges"][2].update(branch="maybe"),
        ("definition.edges[2].branch", "UNKNOWN_BRANCH", "it has 'true', 'false'"),
    ),
    (
        "edge out of a condition without a branch",
        lambda d: d["edges"][2].pop("branch"),
        ("definition.edges[2].branch", "MISSING_BRANCH", "'true', 'false'"),
    ),
    (
        "branch on a non-condition",
        lambda d: d["edges"][0].update(branch="true"),
        ("definition.edges[0].branch", "BRANCH_ON_NON_CONDITION", "'in' is of type 'input'"),
    ),
    (
        "branch twice among the cases",
        lambda d: d["nodes"][2].update(
            config={
                "cases": [
                    {"branch": "true", "expression": "true"},
                    {"branch": "false", "expression": "true"},
                    {"branch": "true", "expression": "false"},
                ]
            }
        ),
        ("definition.nodes[2].config.cases[2].branch", "DUPLICATE_BRANCH", "case 0"),
    ),
    (
        "condition that is no bool",
        lambda d: d["nodes"][2]["config"].update(expression="1 + 1"),
        ("definition.nodes[2].config.expression", "CEL_TYPE", "must give a bool, not a int"),
    ),
    (
        "condition with both forms",
        lambda d: d["nodes"][2]["config"].update(
            cases=[{"branch": "true", "expression": "true"}, {"branch": "false", "expression": "true"}]
        ),
        ("definition.nodes[2].config.cases", "CONFLICT", "either"),
    ),
    (
        "condition with neither form",
        lambda d: d["nodes"][2].pop("config"),
        ("definition.nodes[2].config.expression", "MISSING_FIELD", "cases"),
    ),
    (
        "CEL that does not compile",
        lambda d: d["nodes"][3]["config"].update(expression="nodes.ask +\n* 2"),
        ("definition.nodes[3].config.expression", "CEL_SYNTAX", "line 2, column 1"),
    ),
    (
        "CEL with an unknown variable",
        lambda d: d["nodes"][4]["config"]["fields"].update(n="1 + inpt.n"),
        ("definition.nodes[4].config.fields.n", "CEL_UNKNOWN_NAME", "unknown variable 'inpt'"),
    ),
    (
        "CEL with a node that is not there",
        lambda d: d["nodes"][3]["config"].update(expression="1 + nodes.aks"),
        (
            "definition.nodes[3].config.expression",
            "UNKNOWN_NODE",
            "there is no node 'aks'; did you mean 'ask'? (line 1, column 10)",
        ),
    ),
    (
        "CEL with a node that is not upstream",
        lambda d: d["nodes"][3]["config"].update(expression="nodes.b.n"),
        ("definition.nodes[3].config.expression", "NODE_NOT_UPSTREAM", "from 'b' to 'a'"),
    ),
    (
        "CEL with the node itself, by has()",
        lambda d: d["nodes"][3]["config"].update(expression="has(nodes.a)"),
        ("definition.nodes[3].config.expression", "NODE_NOT_UPSTREAM", "from 'a' to 'a'"),
    ),
    (
        "template with an unknown variable",
        lambda d: d["nodes"][1]["config"].update(prompt="a\n{{text}}"),
        ("definition.nodes[1].config.prompt", "TEMPLATE_UNKNOWN_NAME", "unknown variable 'text'"),
    ),
    (
        "template with a node that is not there",
        lambda d: d["nodes"][1]["config"].update(system="{{nodes.inn.x}}"),
        ("definition.nodes[1].config.system", "UNKNOWN_NODE", "there is no node 'inn'; did you mean 'in'? (line 1)"),
    ),
    (
        "template with a node that is not upstream",
        lambda d: d["nodes"][1]["config"].update(prompt="{{nodes.a}}"),
        ("definition.nodes[1].config.prompt", "NODE_NOT_UPSTREAM", "from 'a' to 'ask'"),
    ),
    (
        "llm with both forms",
        lambda d: d["nodes"][1]["config"].update(messages=[{"role": "user", "content": "x"}]),
        ("definition.nodes[1].config.messages", "CONFLICT", "either"),
    ),
    (
        "llm with neither form",
        lambda d: d["nodes"][1]["config"].update(prompt=""),
        ("definition.nodes[1].config.prompt", "MISSING_FIELD", "messages"),
    ),
    (
        "model without a provider",
        lambda d: d["nodes"][1]["config"].update(model="gpt-4o"),
        ("definition.nodes[1].config.model", "INVALID_VALUE", "provider:model"),
    ),
    (
        "unknown role",
        lambda d: d["nodes"][1].update(config={"model": "echo:", "messages": [{"role": "robot", "content": "x"}]}),
        ("definition.nodes[1].config.messages[0].role", "INVALID_VALUE", "robot"),
    ),
    (
        "input schema that is none",
        lambda d: d["nodes"][0]["config"]["schema"].update(type="objekt"),
        ("definition.nodes[0].config.schema.type", "INVALID_SCHEMA", "objekt"),
    ),
    (
        "input schema that refers elsewhere",
        lambda d: d["nodes"][0]["config"]["schema"].update(properties={"a": {"$ref": "http://example.com/s"}}),
        ("definition.nodes[0].config.schema.properties.a.$ref", "INVALID_SCHEMA", "outside"),
    ),
    (
        "duration of no form",
        lambda d: d["nodes"][1].update(timeout="soon"),
        ("definition.nodes[1].timeout", "INVALID_DURATION", '"1.5s"'),
    ),
    (
        "negative duration",
        lambda d: d["nodes"][1].update(retry={"initial_backoff": -1}),
        ("definition.nodes[1].retry.initial_backoff", "INVALID_DURATION", "negative"),
    ),
    (
        "too many attempts",
        lambda d: d["nodes"][1].update(retry={"max_attempts": 101}),
        ("definition.nodes[1].retry.max_attempts", "INVALID_VALUE", "1 to 100"),
    ),
    (
        "unknown action on error",
        lambda d: d["nodes"][1].update(on_error="ignore"),
        ("definition.nodes[1].on_error", "INVALID_VALUE", "continue"),
    ),
    (
        "fallback without continue",
        lambda d: d["nodes"][1].update(on_error={"action": "fail", "fallback": 1}),
        ("definition.nodes[1].on_error.fallback", "CONFLICT", "continue"),
    ),
    (
        "NaN",
        lambda d: d["nodes"][1]["config"].update(parameters={"temperature": math.nan}),
        ("definition.nodes[1].config.parameters.temperature", "NOT_A_NUMBER", "nan"),
    ),
    (
        "infinity",
        lambda d: d["nodes"][1].update(timeout=math.inf),
        ("definition.nodes[1].timeout", "NOT_A_NUMBER", "inf"),
    ),
    (
        "integer beyond 64 bits",
        lambda d: d["nodes"][1]["config"].update(parameters={"seed": 2**63}),
        ("definition.nodes[1].config.parameters.seed", "NUMBER_OUT_OF_RANGE", "64 bits"),
    ),
    (
        "half of a surrogate pair",
        lambda d: d["nodes"][1]["config"].update(prompt="\ud800"),
        ("definition.nodes[1].config.prompt", "INVALID_UTF8", "surrogate"),
    ),
    (
        "half of a surrogate pair in a key",
        lambda d: d["nodes"][1]["config"].update(parameters={"\ud800": 1}),
        ("definition.nodes[1].config.parameters", "INVALID_UTF8", "key"),
    ),
    (
        "what is no JSON",
        lambda d: d["nodes"][1]["config"].update(parameters={"a": {1, 2}}),
        ("definition.nodes[1].config.parameters.a", "NOT_JSON", "set"),
    ),
    (
        "nodes that are no list",
        lambda d: d["edges"].clear() or d.update(nodes={}),
        ("definition.nodes", "WRONG_TYPE", "must be a list"),
    ),
]


@pytest.mark.parametrize(("change", "expected"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_bad_input_names_path_and_reason(change: Any, expected: tuple[str, str, str]) -> None:
    definition = good()
    change(definition)

    path, reason, text = expected
    assert any(p == path and r == reason and text in m for p, r, m in problems_of(definition)), problems_of(definition)


@pytest.mark.parametrize("bad_id", ["a b", "ä", "x" * 129, "a/b", "a\n", "", None, 7])
def test_ids_outside_of_the_alphabet_are_refused(bad_id: Any) -> None:
    definition = {"nodes": [{"id": bad_id, "type": "output"}], "edges": []}

    assert only_problem_of(definition)[0] == "definition.nodes[0].id"


@pytest.mark.parametrize("node_id", ["a", "A_b.c:d-1", "9", "x" * 128])
def test_ids_of_the_alphabet_are_taken(node_id: str) -> None:
    assert parse_definition({"nodes": [{"id": node_id, "type": "output"}], "edges": []}).nodes[0].id == node_id


@pytest.mark.parametrize("definition", [{}, {"nodes": []}, {"nodes": None, "edges": []}])
def test_a_workflow_without_nodes_is_refused(definition: Any) -> None:
    assert only_problem_of(definition)[:2] == ("definition.nodes", "NO_NODES")


def test_a_workflow_without_output_is_refused() -> None:
    definition = {"nodes": [{"id": "in", "type": "input"}], "edges": []}

    assert only_problem_of(definition)[:2] == ("definition.nodes", "NO_OUTPUT")


@pytest.mark.parametrize("definition", [None, [], "x", 1])
def test_what_is_no_object_is_refused(definition: Any) -> None:
    assert only_problem_of(definition)[:2] == ("definition", "WRONG_TYPE")


@pytest.mark.parametrize("depth", [65, 300, 100_000])
def test_deep_nesting_is_refused_without_recursion(depth: int) -> None:
    definition = good()
    inner: Any = 1
    for _ in range(depth):
        inner = [inner]
    definition["nodes"][1]["config"]["parameters"] = {"x": inner}

    path, reason, _ = only_problem_of(definition)
    assert path.startswith("definition.nodes[1].config.parameters.x[0]")
    assert reason == "TOO_DEEP"
    # CPython frees nested lists by recursion of its own; unwind ours first.
    while isinstance(inner, list) and inner:
        inner = inner.pop()


def test_everything_wrong_is_named_at_once_in_the_order_of_the_definition() -> None:
    definition = good()
    definition["nodes"][1]["config"].update(model="x", promt="y")
    definition["nodes"][3]["config"]["expression"] = "nodes.b.n + zz"
    definition["nodes"][4]["config"]["fields"] = {"p": "nodes.out", "q": "1 +"}
    definition["edges"][0]["branch"] = "true"
    definition["edges"].append({"source": "a", "target": "nowhere"})

    assert [p[:2] for p in problems_of(definition)] == [
        ("definition.nodes[1].config.promt", "UNKNOWN_FIELD"),
        ("definition.nodes[1].config.model", "INVALID_VALUE"),
        ("definition.nodes[3].config.expression", "CEL_UNKNOWN_NAME"),
        ("definition.nodes[4].config.fields.q", "CEL_SYNTAX"),
        ("definition.nodes[4].config.fields.p", "NODE_NOT_UPSTREAM"),
        ("definition.edges[0].branch", "BRANCH_ON_NON_CONDITION"),
        ("definition.edges[6].target", "UNKNOWN_NODE"),
    ]


def test_a_broken_condition_is_not_blamed_on_its_edges() -> None:
    definition = good()
    definition["nodes"][2]["config"] = {"cases": [{"branch": "true", "expression": "1 +"}], "default_branch": "false"}

    assert only_problem_of(definition)[0] == "definition.nodes[2].config.cases[0].expression"


def test_each_cycle_is_named_once() -> None:
    nodes = [{"id": c, "type": "transform", "config": {"expression": "1"}} for c in "abcdefg"]
    nodes.append({"id": "out", "type": "output"})
    pairs = ["ab", "bc", "ca", "de", "ed", "cf", "fg"]
    edges = [{"source": a, "target": b} for a, b in pairs] + [{"source": "g", "target": "out"}]

    found = problems_of({"nodes": nodes, "edges": edges})

    assert [(p, r) for p, r, _ in found] == [("definition.edges[2]", "CYCLE"), ("definition.edges[4]", "CYCLE")]
    assert "a -> b -> c -> a" in found[0][2]
    assert "d -> e -> d" in found[1][2]


def test_two_nodes_may_be_joined_under_different_branches() -> None:
    definition = good()
    definition["edges"].append({"source": "pick", "target": "a", "branch": "false"})

    assert len(parse_definition(definition).nodes) == 6


def test_a_dotted_id_is_hinted_at() -> None:
    definition = good()
    definition["nodes"][1]["id"] = "ask.1"
    definition["edges"][0]["target"] = definition["edges"][1]["source"] = "ask.1"
    definition["nodes"][2]["config"]["expression"] = "nodes.ask.1 == 'x'".replace(".1", ".x")
    definition["nodes"][3]["config"]["expression"] = "1"

    assert 'nodes["ask.1"]' in only_problem_of(definition)[2]


def test_too_many_nodes_are_too_large_before_anything_else_is_checked() -> None:
    with pytest.raises(TooLarge) as caught:
        parse_definition({"nodes": [{}] * 5_001, "edges": []})

    assert (caught.value.path, caught.value.limit, caught.value.unit) == ("definition.nodes", 5_000, "nodes")


def test_too_many_edges_are_too_large() -> None:
    with pytest.raises(TooLarge) as caught:
        parse_definition({"nodes": [], "edges": [{}] * 20_001})

    assert caught.value.path == "definition.edges"


@pytest.mark.parametrize("size", [1024 * 1024, 5 * 1024 * 1024])
def test_more_than_a_mebibyte_is_too_large(size: int) -> None:
    definition = good()
    definition["nodes"][1]["config"]["parameters"] = {"x": "y" * size}

    with pytest.raises(TooLarge) as caught:
        parse_definition(definition)

    assert (caught.value.path, caught.value.limit, caught.value.unit) == ("definition", 1024 * 1024, "bytes")
    assert caught.value.size > size


def test_a_message_lists_the_first_of_many_names() -> None:
    definition = good()
    cases = [{"branch": f"b{number}", "expression": "true"} for number in range(1_000)]
    definition["nodes"][2]["config"] = {"cases": cases}
    definition["edges"][2]["branch"] = ""

    (_, missing, first), (_, unknown, second) = problems_of(definition)

    assert (missing, unknown) == ("MISSING_BRANCH", "UNKNOWN_BRANCH")
    assert first.endswith("names one of " + ", ".join(f"'b{number}'" for number in range(20)) + " and 980 more")
    assert second.endswith("'b19' and 980 more")


def test_the_first_of_many_problems_come_with_what_may_have_been_meant() -> None:
    definition = good()
    definition["edges"] += [{"source": f"ask{number}", "target": "out"} for number in range(2 * HINTED)]
    definition["edges"] += [{"source": "asq", "target": "out"}]
    definition["nodes"] += [
        {"id": f"t{number}", "type": "transform", "config": {"expression": "nodes.asq"}} for number in range(9)
    ]

    messages = [message for _, _, message in problems_of(definition)]

    assert sum("did you mean 'ask'?" in message for message in messages) == HINTED
    assert sum("there is no node 'as" in message for message in messages) == 2 * HINTED + 1 + 9


def test_nothing_is_looked_for_among_very_many_names() -> None:
    many = [{"id": f"node{number}", "type": "input"} for number in range(600)]
    edges = [{"source": "nodes7", "target": "out"}, *({"source": node["id"], "target": "out"} for node in many)]

    _, reason, message = only_problem_of({"nodes": [*many, {"id": "out", "type": "output"}], "edges": edges})

    assert (reason, message) == ("UNKNOWN_NODE", "there is no node 'nodes7'")
