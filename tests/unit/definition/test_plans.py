"""What a valid definition becomes: its plan, its canonical form, its digest."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest

from execsvc.definition import (
    BUILTIN,
    Builder,
    ConditionConfig,
    LlmConfig,
    NodeType,
    RetryPolicy,
    Scope,
    TransformConfig,
    format_duration,
    load_plan,
    parse_definition,
    parse_duration,
    to_mermaid,
)
from execsvc.errors import InvalidRequest
from execsvc.model import NodeState

PLAIN: dict[str, Any] = {
    "nodes": [
        {"id": "out", "type": "output", "config": {"expression": "has(nodes.hot) ? nodes.hot : nodes.cold"}},
        {"id": "in", "type": "input"},
        {
            "id": "ask",
            "type": "llm",
            "name": "Ask the model",
            "config": {"model": "echo:", "system": "Be brief.", "prompt": "{{input.text}}", "parameters": {"n": 1}},
            "retry": {"max_attempts": 3, "initial_backoff": "200ms", "non_retryable": ["B", "A"]},
            "timeout": "1m",
            "on_error": {"action": "continue", "fallback": {"x": 1}},
        },
        {
            "id": "pick",
            "type": "condition",
            "config": {"cases": [{"branch": "hot", "expression": "nodes.ask == 'x'"}], "default_branch": "cold"},
        },
        {"id": "hot", "type": "transform", "config": {"fields": {"a": "1", "b-c": "nodes.ask"}}},
        {"id": "cold", "type": "transform", "config": {"expression": "nodes.ask"}},
    ],
    "edges": [
        {"source": "in", "target": "ask"},
        {"source": "ask", "target": "pick"},
        {"source": "pick", "target": "hot", "branch": "hot"},
        {"source": "pick", "target": "cold", "branch": "cold"},
        {"source": "hot", "target": "out"},
        {"source": "cold", "target": "out"},
    ],
}

REACT_FLOW: dict[str, Any] = {
    "viewport": {"x": 0, "y": 0, "zoom": 1},
    "nodes": [
        {
            "id": "out",
            "type": "output",
            "position": {"x": 1, "y": 2},
            "data": {"label": "out", "expression": "has(nodes.hot) ? nodes.hot : nodes.cold"},
            "selected": True,
        },
        {"id": "in", "type": "input", "position": {"x": 0, "y": 0}, "data": {"label": None}, "width": 10},
        {
            "id": "ask",
            "type": "custom",
            "position": {"x": 0, "y": 9},
            "measured": {"width": 1},
            "data": {
                "type": "llm",
                "label": "Ask the model",
                "icon": "robot",
                "model": "echo:",
                "system": "Be brief.",
                "prompt": "{{input.text}}",
                "messages": None,
                "parameters": {"n": 1.0},
                "retry": {"max_attempts": 3, "initial_backoff": 0.2, "non_retryable": ["A", "B"]},
                "timeout": 60,
                "on_error": {"action": "continue", "fallback": {"x": 1}},
            },
        },
        {
            "id": "pick",
            "type": "condition",
            "position": {"x": 0, "y": 0},
            "data": {
                "label": "",
                "config": {"cases": [{"branch": "hot", "expression": "nodes.ask == 'x'"}], "default_branch": "cold"},
                "collapsed": False,
            },
        },
        {"id": "hot", "type": "transform", "data": {"fields": {"a": "1", "b-c": "nodes.ask"}}, "style": {}},
        {"id": "cold", "type": "transform", "data": {"expression": "nodes.ask", "color": "blue"}},
    ],
    "edges": [
        {"id": "e1", "source": "in", "target": "ask", "sourceHandle": "out", "targetHandle": "in", "animated": True},
        {"id": "e2", "source": "ask", "target": "pick", "sourceHandle": None, "type": "smoothstep"},
        {"id": "e3", "source": "pick", "target": "hot", "sourceHandle": "hot", "data": {}},
        {"id": "e4", "source": "pick", "target": "cold", "sourceHandle": "cold", "markerEnd": {"type": "arrow"}},
        {"id": "e5", "source": "hot", "target": "out"},
        {"id": "e6", "source": "cold", "target": "out", "selected": False},
    ],
}


def test_nodes_are_in_topological_order_with_their_links() -> None:
    plan = parse_definition(PLAIN)

    assert [node.id for node in plan.nodes] == ["in", "ask", "pick", "hot", "cold", "out"]
    assert [node.index for node in plan.nodes] == list(range(6))
    assert dict(plan.index) == {node.id: node.index for node in plan.nodes}
    assert [plan.nodes[i].id for i in plan.definition_order] == ["out", "in", "ask", "pick", "hot", "cold"]
    pick = plan.nodes[plan.index["pick"]]
    assert [(plan.nodes[link.node].id, link.branch) for link in pick.outgoing] == [("hot", "hot"), ("cold", "cold")]
    out = plan.nodes[plan.index["out"]]
    assert [(plan.nodes[link.node].id, link.branch) for link in out.incoming] == [("hot", None), ("cold", None)]


def test_ties_are_in_the_order_of_the_definition() -> None:
    nodes = [{"id": c, "type": "transform", "config": {"expression": "1"}} for c in "cab"]

    plan = parse_definition({"nodes": [*nodes, {"id": "o", "type": "output"}], "edges": []})

    assert [node.id for node in plan.nodes] == ["c", "a", "b", "o"]


def test_configs_are_compiled() -> None:
    plan = parse_definition(PLAIN)
    ask = plan.nodes[plan.index["ask"]]
    scope = Scope(input={"text": "hello"}, nodes={"ask": "x"}, execution={})

    assert isinstance(ask.config, LlmConfig)
    assert [(role, template.render(scope)) for role, template in ask.config.messages] == [
        ("system", "Be brief."),
        ("user", "hello"),
    ]
    assert (ask.name, ask.effect, ask.timeout) == ("Ask the model", True, 60_000_000)
    assert ask.retry is not None
    assert (ask.retry.max_attempts, ask.retry.initial_backoff, ask.retry.max_backoff) == (3, 200_000, 60_000_000)
    assert ask.retry.non_retryable == {"A", "B"}
    assert (ask.on_error.proceed, ask.on_error.fallback) == (True, {"x": 1})
    pick = plan.nodes[plan.index["pick"]].config
    assert isinstance(pick, ConditionConfig)
    assert (pick.cases[0][0], pick.cases[0][1].evaluate(scope), pick.default_branch) == ("hot", True, "cold")
    hot = plan.nodes[plan.index["hot"]].config
    assert isinstance(hot, TransformConfig)
    assert {name: e.evaluate(scope) for name, e in hot.fields.items()} == {"a": 1, "b-c": "x"}
    assert plan.nodes[plan.index["hot"]].name == "hot"


def test_an_editor_export_is_the_same_workflow() -> None:
    assert parse_definition(REACT_FLOW).canonical == parse_definition(PLAIN).canonical
    assert parse_definition(REACT_FLOW).digest == parse_definition(PLAIN).digest


def test_a_slip_in_an_editor_export_is_named() -> None:

    export = copy.deepcopy(REACT_FLOW)
    export["nodes"][2]["data"]["promptt"] = "x"

    with pytest.raises(InvalidRequest) as caught:
        parse_definition(export)

    assert [p.path for p in caught.value.problems] == ["definition.nodes[2].data.promptt"]


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["nodes"][2].update(timeout=60),
        lambda d: d["nodes"][2].update(timeout="60000ms"),
        lambda d: d["nodes"][2]["config"].update(base_url="", messages=[], response_schema={}),
        lambda d: d["nodes"][2]["config"].update(parameters={"n": 1.0}),
        lambda d: d["nodes"][2]["config"].update(messages=None),
        lambda d: d["nodes"][2]["retry"].update(multiplier=2.0, max_backoff="60s"),
        lambda d: d["nodes"][2]["retry"].update(non_retryable=["A", "B"]),
        lambda d: d["nodes"][0].update(name="", on_error="fail", retry=None),
        lambda d: d["nodes"][2]["retry"].update(multiplier=0),
        lambda d: d["nodes"][0].update(name="out", on_error={"action": "fail"}),
        lambda d: d["nodes"][1].update(config={"schema": {}, "defaults": {}}),
        lambda d: d["edges"][0].update(branch=""),
        lambda d: d["nodes"].__setitem__(1, dict(reversed(d["nodes"][1].items()))),
    ],
)
def test_what_means_the_same_has_the_same_digest(change: Any) -> None:
    other = copy.deepcopy(PLAIN)
    change(other)

    assert parse_definition(other).digest == parse_definition(PLAIN).digest


@pytest.mark.parametrize(
    "change",
    [
        lambda d: d["nodes"][2].update(timeout=61),
        lambda d: d["nodes"][2].update(name="Ask"),
        lambda d: d["nodes"][2]["config"].update(parameters={"n": 1.5}),
        lambda d: d["nodes"][2]["config"].update(parameters={"n": True}),
        lambda d: d["nodes"][2].update(on_error="continue"),
        lambda d: d["edges"].reverse(),
    ],
)
def test_what_differs_has_another_digest(change: Any) -> None:
    other = copy.deepcopy(PLAIN)
    change(other)

    assert parse_definition(other).digest != parse_definition(PLAIN).digest


def test_the_canonical_form_loads_into_the_same_plan() -> None:
    plan = parse_definition(PLAIN)

    again = load_plan(plan.canonical)

    assert again.canonical == plan.canonical
    assert again.digest == plan.digest
    assert [node.id for node in again.nodes] == [node.id for node in plan.nodes]
    assert json.loads(plan.canonical)["nodes"][1] == {"id": "in", "type": "input"}


def test_the_definition_is_not_changed() -> None:
    before = copy.deepcopy(PLAIN)

    parse_definition(PLAIN)

    assert before == PLAIN


def test_computed_ids_see_upstream_nodes_only() -> None:
    definition = {
        "nodes": [
            {"id": "a", "type": "transform", "config": {"expression": "1"}},
            {"id": "b", "type": "transform", "config": {"expression": "2"}},
            {"id": "out", "type": "output", "config": {"expression": "nodes.map(k, k)"}},
        ],
        "edges": [{"source": "a", "target": "out"}],
    }

    config: Any = parse_definition(definition).nodes[2].config

    assert config.expression.evaluate(Scope(input=None, nodes={"a": 1, "b": 2}, execution={})) == ["a"]


def test_more_node_types_can_be_registered() -> None:
    def compile_echo(config: Any, builder: Builder) -> Any:
        return builder.expression(["say"], config["say"])

    echo = NodeType(
        name="shout",
        description="Says it louder.",
        config_schema={
            "type": "object",
            "properties": {"say": {"type": "string", "description": "A CEL expression."}},
            "required": ["say"],
            "additionalProperties": False,
        },
        effect=True,
        compile=compile_echo,
    )
    types = BUILTIN.extended([echo])
    nodes = [{"id": "s", "type": "shout", "config": {"say": "'A' + input"}}, {"id": "o", "type": "output"}]

    plan = parse_definition({"nodes": nodes, "edges": [{"source": "s", "target": "o"}]}, types=types)

    assert plan.nodes[0].effect
    assert plan.nodes[0].config.evaluate(Scope(input="B", nodes={}, execution={})) == "AB"
    assert "shout" not in BUILTIN
    with pytest.raises(ValueError, match="shout"):
        types.extended([echo])


def test_a_plug_in_that_fails_on_a_config_is_a_problem_of_that_config(caplog: pytest.LogCaptureFixture) -> None:
    def compile_badly(config: Any, builder: Builder) -> Any:
        raise KeyError("a secret")

    broken = NodeType(
        name="broken", description="Fails.", config_schema={"type": "object"}, effect=True, compile=compile_badly
    )
    nodes = [{"id": "b", "type": "broken"}, {"id": "o", "type": "output", "config": {"expression": "1 +"}}]
    definition = {"nodes": nodes, "edges": [{"source": "b", "target": "o"}]}

    with pytest.raises(InvalidRequest) as refused:
        parse_definition(definition, types=BUILTIN.extended([broken]))

    assert [(problem.path, problem.reason) for problem in refused.value.problems] == [
        ("definition.nodes[0].config", "CONFIG_UNREADABLE"),
        ("definition.nodes[1].config.expression", "CEL_SYNTAX"),
    ]
    assert "secret" not in str(refused.value)
    assert "a secret" in caplog.text


def test_every_config_field_of_every_type_is_described() -> None:
    assert list(BUILTIN) == ["input", "llm", "http", "condition", "transform", "output"]
    assert [name for name, node_type in BUILTIN.items() if node_type.effect] == ["llm", "http"]
    for node_type in BUILTIN.values():
        assert node_type.config_schema["additionalProperties"] is False
        assert all(field.get("description") for field in node_type.fields.values())


@pytest.mark.parametrize(
    ("value", "microseconds"),
    [(1, 1_000_000), (0.25, 250_000), ("1.5s", 1_500_000), ("200ms", 200_000), ("2m", 120_000_000), ("0s", 0)],
)
def test_durations(value: Any, microseconds: int) -> None:
    assert parse_duration(value) == microseconds
    assert parse_duration(format_duration(microseconds)) == microseconds


@pytest.mark.parametrize("value", ["", "1", "1 s", "-1s", "1d", "s", "٣s", True, None, -1, 1e300, "9" * 30 + "h"])
def test_what_is_no_duration(value: Any) -> None:
    with pytest.raises(ValueError, match="must"):
        parse_duration(value)


def test_a_plan_is_drawn_with_states() -> None:
    plan = parse_definition(PLAIN)

    text = to_mermaid(plan, {"in": NodeState.COMPLETED, "ask": NodeState.RUNNING})

    assert text.startswith("flowchart TD\n")
    assert 'n1[["Ask the model<br/><small>llm</small>"]]' in text
    assert 'n2 -->|"hot"| n3' in text
    assert "class n0 completed" in text
    assert "class n1 running" in text
    assert "classDef" not in to_mermaid(plan)


def test_a_call_over_http_has_a_shape_of_its_own() -> None:
    nodes = [{"id": "c", "type": "http", "config": {"url": "https://a.example"}}, {"id": "o", "type": "output"}]

    text = to_mermaid(parse_definition({"nodes": nodes, "edges": [{"source": "c", "target": "o"}]}))

    assert 'n0[/"c<br/><small>http</small>"/]' in text


def test_names_cannot_break_out_of_a_drawing() -> None:
    nodes = [{"id": "o", "type": "output", "name": '"]; click x "javascript:1" <script>'}]

    text = to_mermaid(parse_definition({"nodes": nodes, "edges": []}))

    assert "<script>" not in text
    assert text.count('"') == 2


def test_an_explicit_single_attempt_is_kept_since_it_overrides_the_default_of_a_request() -> None:
    other = copy.deepcopy(PLAIN)
    other["nodes"][0]["retry"] = {"max_attempts": 1}

    plan = parse_definition(other)

    assert plan.nodes[plan.index[other["nodes"][0]["id"]]].retry == RetryPolicy()
    assert load_plan(plan.canonical).nodes[plan.index[other["nodes"][0]["id"]]].retry == RetryPolicy()
