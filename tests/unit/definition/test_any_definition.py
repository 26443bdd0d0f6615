"""Whatever comes in, a definition is planned or refused; nothing else happens."""

from __future__ import annotations

import contextlib
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execsvc.definition import (
    Expression,
    ExpressionError,
    ExpressionInvalid,
    Scope,
    Template,
    TemplateError,
    TemplateInvalid,
    check_input,
    load_file_text,
    load_plan,
    parse_definition,
)
from execsvc.definition.inputs import InputConfig
from execsvc.definition.schemas import SchemaInvalid, compile_schema
from execsvc.errors import FieldProblem, InvalidRequest

LENIENT = settings(deadline=None, max_examples=150, suppress_health_check=[HealthCheck.too_slow])

TEXTS = st.one_of(
    st.text(max_size=20),
    st.text(alphabet=st.characters(), max_size=5),
    st.sampled_from(
        ["a", "b", "nodes.a", "input.x + 1", "true", "{{input.x}}", "{{nodes.a}}", "echo:", "1s", "continue"]
    ),
)
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)
FIELD_NAMES = """
id type name config data retry timeout on_error position expression fields cases default_branch model prompt messages
system parameters response_schema schema defaults source target branch sourceHandle method url query headers json form
body expected_status max_redirects response_format
"""
FIELDS = st.sampled_from(FIELD_NAMES.split())
TYPES = st.sampled_from(["input", "llm", "http", "condition", "transform", "output", "x"])
NODES = st.fixed_dictionaries(
    {"id": st.sampled_from("abc"), "type": TYPES},
    optional={
        "config": st.one_of(JSON, st.dictionaries(FIELDS, JSON, max_size=3)),
        "data": st.one_of(JSON, st.dictionaries(FIELDS, JSON, max_size=3)),
        "retry": JSON,
        "timeout": JSON,
        "on_error": JSON,
        "name": JSON,
    },
)
EDGES = st.fixed_dictionaries(
    {"source": st.sampled_from("abcd"), "target": st.sampled_from("abcd")}, optional={"branch": JSON}
)
DEFINITIONS = st.one_of(
    JSON,
    st.dictionaries(st.sampled_from(["nodes", "edges", "viewport", "x"]), JSON),
    st.fixed_dictionaries(
        {
            "nodes": st.lists(st.one_of(NODES, st.dictionaries(FIELDS, JSON, max_size=5)), max_size=4),
            "edges": st.lists(st.one_of(EDGES, st.dictionaries(FIELDS, JSON, max_size=4)), max_size=5),
        }
    ),
)


def problems_of(definition: Any) -> tuple[FieldProblem, ...]:
    try:
        parse_definition(definition)
    except InvalidRequest as error:
        return error.problems
    return ()


@LENIENT
@given(DEFINITIONS)
def test_any_json_is_planned_or_refused(definition: Any) -> None:
    problems = problems_of(definition)

    assert all(problem.path.startswith("definition") and problem.message.encode() for problem in problems)
    if not problems:
        plan = parse_definition(definition)
        assert load_plan(plan.canonical).digest == plan.digest


@LENIENT
@given(st.one_of(st.text(), st.binary()))
def test_any_text_is_read_or_refused(text: str | bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        assert isinstance(load_file_text(text, filename="f"), dict)


CEL_PIECES = """
input nodes execution . a ['b'] [0] + - * / % == < > && || ! ( ) ? : 1 2.5 'x' null true has( .map(x, .filter(x,
.all(x, x .size() size( string( , in { } [ ]
"""
CEL = st.lists(st.sampled_from(CEL_PIECES.split()), max_size=12).map(" ".join)


@LENIENT
@given(st.one_of(CEL, TEXTS), JSON)
def test_any_expression_gives_json_or_an_error(source: str, value: Any) -> None:
    try:
        result = Expression(source).evaluate(Scope(input=value, nodes={"a": value, "b": 1}, execution={}))
    except (ExpressionError, ExpressionInvalid):
        return
    # A bare path gives what is there, whatever that is.
    assert result is None or isinstance(result, (bool, int, float, str, list, dict))


MUSTACHE_PIECES = """
{{ }} {{{ }}} {{# {{/ {{^ {{> {{! {{= =}} input .a nodes.a . x | <% %>
"""
MUSTACHE = st.lists(st.sampled_from([*MUSTACHE_PIECES.split(), " ", "\n"]), max_size=12).map("".join)


@LENIENT
@given(st.one_of(MUSTACHE, TEXTS), JSON)
def test_any_template_renders_or_fails(source: str, value: Any) -> None:
    try:
        text = Template(source).render(Scope(input=value, nodes={"a": value}, execution={}))
    except (TemplateError, TemplateInvalid):
        return
    assert isinstance(text, str)


@LENIENT
@given(JSON, JSON)
def test_any_schema_checks_or_is_refused(schema: Any, value: Any) -> None:
    try:
        validator = compile_schema(schema)
    except SchemaInvalid:
        return
    check_input(InputConfig(validator=validator, defaults={}), value)


@st.composite
def graphs(draw: st.DrawFn) -> dict[str, Any]:
    count = draw(st.integers(1, 12))
    names = draw(st.permutations([f"n{i}" for i in range(count)]))
    pairs = draw(st.sets(st.tuples(st.integers(0, count - 1), st.integers(0, count - 1)).filter(lambda p: p[0] < p[1])))
    order = draw(st.permutations(range(count)))
    nodes = [{"id": names[i], "type": "transform", "config": {"expression": "1"}} for i in order]
    nodes.append({"id": "out", "type": "output"})
    edges = [{"source": names[a], "target": names[b]} for a, b in sorted(pairs)]
    return {"nodes": nodes, "edges": edges}


@LENIENT
@given(graphs())
def test_any_dag_is_put_in_order(definition: dict[str, Any]) -> None:
    plan = parse_definition(definition)

    assert sorted(node.id for node in plan.nodes) == sorted(node["id"] for node in definition["nodes"])
    for node in plan.nodes:
        assert plan.nodes[plan.index[node.id]] is node
        assert all(link.node < node.index for link in node.incoming)
        assert all(link.node > node.index for link in node.outgoing)
    links = {(plan.nodes[i.node].id, node.id) for node in plan.nodes for i in node.incoming}
    assert links == {(edge["source"], edge["target"]) for edge in definition["edges"]}


@LENIENT
@given(graphs(), st.data())
def test_a_node_is_readable_exactly_where_it_is_upstream(definition: dict[str, Any], data: st.DataObject) -> None:
    nodes = definition["nodes"]
    reader, read = data.draw(st.sampled_from(nodes)), data.draw(st.sampled_from(nodes))
    reader["config"] = {"expression": f"nodes.{read['id']}"}
    above = {reader["id"]}
    for _ in nodes:
        above |= {edge["source"] for edge in definition["edges"] if edge["target"] in above}

    reasons = [problem.reason for problem in problems_of(definition)]

    readable = read["id"] != reader["id"] and read["id"] in above
    assert reasons == ([] if readable else ["NODE_NOT_UPSTREAM"])
