"""What workflows try to make a server do: each attack is refused, or comes to nothing. None of them takes long.

How long is asserted nowhere: what would be too long does not end, or is past a bound that counts.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest

from execsvc.definition import Expression, ExpressionError, ExpressionInvalid, Scope, Template, TemplateError
from execsvc.definition import TemplateInvalid as Invalid
from execsvc.definition.expressions import MAX_NODES
from execsvc.definition.problems import Problems
from execsvc.definition.schemas import SchemaInvalid, check, compile_schema

TEXT = "x" * 1_000_000
LIST = list(range(200))


def evaluate(source: str, **input: Any) -> Any:
    return Expression(source).evaluate(Scope(input=input, nodes={}, execution={"id": "e"}))


def render(source: str, **input: Any) -> str:
    return Template(source, ("a",)).render(Scope(input=input, nodes={}, execution={"id": "e"}))


def checked(schema: Any, value: Any, *, work: int = 100_000) -> list[str]:
    problems = Problems()
    check(compile_schema(schema), value, "x", problems, work=work)
    return [problem.reason for problem in problems.in_order()]


# Expressions


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("[" + ",".join(["1"] * 8_000) + "]", "CEL_TOO_LARGE"),
        ("[" + ",".join(["input.s"] * 1_000) + "]", "CEL_TOO_LARGE"),
        ("{" + ",".join(f"'k{i}': {i}" for i in range(1_200)) + "}", "CEL_TOO_LARGE"),
        ("&&".join(["input.a"] * 1_500), "CEL_TOO_LARGE"),
        ("+".join(["'x'"] * 2_000), "CEL_TOO_LARGE"),
        ("true ? 1 : " * 1_000 + "1", "CEL_TOO_LARGE"),
        ("(" * 8_000 + "1" + ")" * 8_000, "CEL_TOO_LARGE"),
        ("[" * 8_000 + "]" * 8_000, "CEL_TOO_LARGE"),
        ("{'a':" * 2_000 + "1" + "}" * 2_000, "CEL_TOO_LARGE"),
        ("input" + ".a" * 5_000, "CEL_TOO_LARGE"),
        ("input" + "[0]" * 4_000, "CEL_TOO_LARGE"),
        ("a." * 8_000 + "b", "CEL_TOO_LARGE"),
        ("1" * 5_000, "CEL_SYNTAX"),
        ("'" + "x" * 20_000 + "'", "CEL_TOO_LARGE"),
        ("'x'.matches('((a{100}){100}){100}')", "CEL_TOO_LARGE"),
        ("'x'.matches('(((.{10}){10}){10}){10}')", "CEL_TOO_LARGE"),
        ("'x'.matches('\\\\pL{300}')", "CEL_TOO_LARGE"),
        ("'x'.matches('(?=x)')", "CEL_SYNTAX"),
        ("'x'.matches('(a)\\\\1')", "CEL_SYNTAX"),
        ("'x'.matches('(')", "CEL_SYNTAX"),
        ("'x'.matches(input.pattern)", "CEL_UNSUPPORTED"),
        ("google.protobuf.Any{}", "CEL_UNSUPPORTED"),
        ("cel.expr.CheckedExpr{}", "CEL_UNKNOWN_NAME"),
        ("__import__('os')", "CEL_UNKNOWN_NAME"),
        ("os.environ", "CEL_UNKNOWN_NAME"),
        ("input.x.__class__.__mro__()", "CEL_UNKNOWN_NAME"),
        ("@result", "CEL_SYNTAX"),
    ],
    ids=lambda value: value[:40],
)
def test_an_expression_that_is_an_attack_does_not_compile(source: str, reason: str) -> None:
    with pytest.raises(ExpressionInvalid) as caught:
        Expression(source)

    assert caught.value.reason == reason
    assert len(caught.value.message) < 1_000


def test_an_expression_of_the_largest_size_runs() -> None:
    assert len(evaluate("[" + ",".join(["1"] * (MAX_NODES - 1)) + "]")) == MAX_NODES - 1


@pytest.mark.parametrize(
    ("source", "data"),
    [
        ("input.l.map(a, input.l.map(b, input.l.map(c, a + b + c)))", {"l": LIST}),
        ("input.l.filter(a, input.l.filter(b, input.l.filter(c, c == a).size() > 0).size() > 0)", {"l": LIST}),
        ("input.l.all(a, input.l.exists_one(b, input.l.exists(c, c < 0)))", {"l": LIST}),
        ("[1]" + ".map(x, [x, x])" * 14, {}),
        ("[input.s]" + ".map(x, x + x)" * 14, {"s": "x" * 1_000}),
        ("input.l.map(x, input.s)", {"l": LIST, "s": TEXT}),
        ("[" + ",".join(["input.s"] * 600) + "]", {"s": "x" * 500_000}),
        ("input.s.contains(input.t)", {"s": TEXT, "t": "x" * 100_000 + "y"}),
        ("input.l.all(x, timestamp('2020-01-01T00:00:00Z').getHours('Europe/Berlin') >= 0)", {"l": LIST * 40}),
        ("input.l.all(x, input.s == input.t)", {"l": LIST * 40, "s": TEXT, "t": TEXT}),
    ],
    ids=lambda value: value[:50] if isinstance(value, str) else "",
)
def test_an_expression_that_would_take_long_is_not_evaluated(source: str, data: Any) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, **data)

    assert caught.value.type == "EXPRESSION_TOO_EXPENSIVE"


@pytest.mark.parametrize(
    "source",
    [
        "9223372036854775807 + 1",
        "9223372036854775807 * 2",
        "(-9223372036854775807 - 1) / -1",
        "(-9223372036854775807 - 1) % -1",
        "-(-9223372036854775807 - 1)",
        "0u - 1u",
        "int(1e308)",
        "int(0.0 / 0.0)",
        "uint(-1)",
        "int(input.digits)",
        "string(b'\\xff\\xfe')",
        "timestamp(253402300800)",
        "timestamp(-9223372036854775808)",
        "timestamp('9999-12-31T23:59:59Z') + duration('1s')",
        "timestamp('2020-01-01T00:00:00Z') - timestamp('0001-01-01T00:00:00Z')",
        "timestamp(input.digits)",
        "duration('9223372036854775807s')",
        "duration(input.digits)",
        "timestamp('2020-01-01T00:00:00Z').getHours('../../../../etc/passwd')",
        "timestamp('2020-01-01T00:00:00Z').getHours(input.digits)",
        "{'a': 1, 'a': 2}",
        "input.__class__",
        "input['__class__']",
        "execution.env",
    ],
)
def test_an_expression_past_the_end_of_its_types_is_a_failure_of_the_node(source: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, digits="9" * 1_000_000)

    assert caught.value.type == "EXPRESSION_FAILED"


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)+$", "(a*)*b", "(.*a){20}!", "(a?){9}a{9}$"])
def test_a_pattern_that_backtracks_elsewhere_does_not(pattern: str) -> None:
    assert evaluate(f"input.s.matches('{pattern}')", s="a" * 50_000 + "b" * 9) in (True, False)


def test_a_pattern_with_an_endless_count_is_no_bug() -> None:
    with pytest.raises((ExpressionError, ExpressionInvalid)):
        evaluate("'x'.matches('a{" + "1" * 5_000 + "}')")


# Templates


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{{> input.name}}", "TEMPLATE_UNSUPPORTED"),
        ("{{>/etc/passwd}}", "TEMPLATE_UNSUPPORTED"),
        ("{{input" + ".a" * 10_000 + "}}", "TEMPLATE_TOO_LARGE"),
        ("{{nodes" + ".a" * 100_000 + "}}", "TEMPLATE_TOO_LARGE"),
        ("{{#input.l}}{{" + "a." * 100_000 + "a}}{{/input.l}}", "TEMPLATE_TOO_LARGE"),
        ("{{#input.a}}" * 40 + "{{/input.a}}" * 40, "TEMPLATE_TOO_LARGE"),
        ("{{input.a}}" * 1_001, "TEMPLATE_TOO_LARGE"),
        ("{{=x x=}}" + "xinput.ax" * 1_001, "TEMPLATE_TOO_LARGE"),
        ("{{" * 50_000, "TEMPLATE_TOO_LARGE"),
        ("{{" + "x" * 100_000 + "}}", "TEMPLATE_UNKNOWN_NAME"),
        ("{{lambda}}", "TEMPLATE_UNKNOWN_NAME"),
        ("{{self.__init__.__globals__}}", "TEMPLATE_UNKNOWN_NAME"),
    ],
    ids=lambda value: value[:40],
)
def test_a_template_that_is_an_attack_is_refused(source: str, reason: str) -> None:
    with pytest.raises(Invalid) as caught:
        Template(source, ("a",))

    assert caught.value.reason == reason
    assert len(caught.value.message) < 1_000


@pytest.mark.parametrize(
    "source",
    [
        "{{#input.l}}" * 3 + "{{.}}" + "{{/input.l}}" * 3,
        "{{#input.l}}{{#input.l}}{{#input.l}}{{/input.l}}{{/input.l}}{{/input.l}}",
        # A name is looked for in each section around it.
        "{{#input.o}}" * 30 + "{{#input.many}}{{missing}}{{/input.many}}" + "{{/input.o}}" * 30,
    ],
    ids=["nested", "empty", "deep"],
)
def test_a_template_that_would_take_long_is_given_up(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source, l=LIST, o={"x": 1}, many=list(range(14_000)))

    assert caught.value.type == "TEMPLATE_TOO_EXPENSIVE"


@pytest.mark.parametrize(
    "source",
    ["{{input.s}}" * 9, "{{#input.l}}{{input.s}}{{/input.l}}", "{{#input.l}}{{input.l}}{{input.o}}{{/input.l}}"],
)
def test_a_template_that_would_write_too_much_is_given_up(source: str) -> None:
    with pytest.raises(TemplateError) as caught:
        render(source, l=LIST, s=TEXT, o=[TEXT])

    assert caught.value.type == "TEMPLATE_TOO_LARGE"


@pytest.mark.parametrize(
    "source",
    [
        "{{input.s.__class__.__mro__}}",
        "{{input.l.__len__}}{{input.l.append}}",
        "{{#input.s}}{{__class__}}{{upper}}{{/input.s}}",
        "{{#input.o}}{{keys}}{{__dict__}}{{/input.o}}",
        "{{execution.__init__}}",
        "{{nodes.__class__}}",
    ],
)
def test_a_template_does_not_reach_into_python(source: str) -> None:
    assert render(source, s="x", l=[1], o={"a": 1}) == ""


def test_values_are_never_templates_and_functions_are_none() -> None:
    assert render("{{#input.f}}{{input.s}}{{/input.f}}", f="{{input.s}}", s="{{>x}}{{input.f}}") == "{{>x}}{{input.f}}"


# Schemas


@pytest.fixture
def elsewhere() -> Iterator[tuple[str, list[str]]]:
    """A URL, and what was fetched from there."""
    fetched: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            fetched.append(self.path)
            self.send_response(200)
            self.end_headers()
            self.wfile.write(b"{}")

        def log_message(self, *arguments: Any) -> None:
            return

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/schema", fetched
        server.shutdown()
        thread.join()


@pytest.mark.parametrize(
    ("hide", "place"),
    [
        (lambda ref: ref, ("$ref",)),
        (lambda ref: {"items": {"anyOf": [{}, ref]}}, ("items", "anyOf", 1, "$ref")),
        (lambda ref: {"$dynamicRef": ref["$ref"]}, ("$dynamicRef",)),
        # Where no schema is looked for, and so nothing is checked.
        (lambda ref: {"$ref": "#/$defs/a/const", "$defs": {"a": {"const": ref}}}, ("$ref",)),
        (lambda ref: {"$ref": "#/$defs/a/enum/0", "$defs": {"a": {"enum": [ref]}}}, ("$ref",)),
        (lambda ref: {"$ref": "#/default", "default": ref}, ("$ref",)),
        (lambda ref: {"allOf": [{"$ref": "#/examples/0"}], "examples": [ref]}, ("allOf", 0, "$ref")),
        (lambda ref: {"$ref": "#/%64efault", "default": ref}, ("$ref",)),
        (lambda ref: {"$ref": "#/x/properties", "x": {"properties": ref}}, ("$ref",)),
        (lambda ref: {"properties": {"a": {"$id": ref["$ref"]}}}, ("properties", "a", "$id")),
        (lambda ref: {"$schema": ref["$ref"]}, ("$schema",)),
    ],
)
def test_no_schema_makes_the_server_fetch_anything(
    elsewhere: tuple[str, list[str]], hide: Any, place: tuple[str | int, ...]
) -> None:
    url, fetched = elsewhere
    for target in (url, "file:///etc/passwd", "//127.0.0.1/x", "schema.json", "urn:x"):
        with pytest.raises(SchemaInvalid) as caught:
            checked(hide({"$ref": target}), [1])
        assert caught.value.keys == place

    assert fetched == []


def test_a_schema_with_an_address_of_its_own_is_not_fetched(elsewhere: tuple[str, list[str]]) -> None:
    url, fetched = elsewhere

    assert checked(
        {"$id": url, "properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"b": {"type": "string"}}}, {"a": 1}
    )
    assert checked({"$recursiveRef": url}, 1) == []
    assert fetched == []


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/$defs/x/const", "$defs": {"x": {"const": 5}}},
        {"$ref": "#/$defs/x/const", "$defs": {"x": {"const": {"type": "nope"}}}},
        {"$ref": "#/$defs/x/const", "$defs": {"x": {"const": {"pattern": "("}}}},
        {"$ref": "#/$defs/x/const", "$defs": {"x": {"const": {"patternProperties": {"^(a+)+$": False}}}}},
        {"$ref": "#/required", "required": ["a"]},
        {"$ref": "#/allOf", "allOf": [{}]},
        {"$ref": "#nothing"},
        {"$dynamicRef": "#nothing"},
        {"$ref": "#/allOf/9999999999999999999", "allOf": [{}]},
    ],
)
def test_a_reference_leads_to_a_schema(schema: Any) -> None:
    with pytest.raises(SchemaInvalid, match="leads nowhere, or to no schema"):
        compile_schema(schema)


def test_references_by_name_and_by_place_lead_where_they_say() -> None:
    schema = {
        "properties": {"a": {"$ref": "#named"}, "b": {"$ref": "#/$defs/a~1b/allOf/0"}, "c": {"$dynamicRef": "#far"}},
        "$defs": {"n": {"$anchor": "named", "type": "string"}, "a/b": {"allOf": [{"type": "string"}]}}
        | {"f": {"$dynamicAnchor": "far", "type": "string"}, "yes": True},
        "additionalProperties": {"$ref": "#/$defs/yes"},
    }

    assert checked(schema, {"a": "x", "b": "x", "c": "x", "d": 1}) == []
    assert checked(schema, {"a": 1, "b": 1, "c": 1}) == ["WRONG_TYPE"] * 3


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"$ref": "#"}, 1),
        ({"allOf": [{"$ref": "#"}] * 9}, 1),
        ({"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"}, 1),
        # One keyword a value, and thousands of entries each.
        ({"items": {"not": {"enum": list(range(50_000))}}}, [-1] * 300),
        ({"items": {"properties": {f"k{i}": {} for i in range(20_000)}}}, [{}] * 300),
        ({"items": {"dependentRequired": {f"k{i}": [] for i in range(20_000)}}}, [{}] * 300),
        ({"allOf": [{"$ref": "#/$defs/c"}] * 9_000, "$defs": {"c": {"const": [*range(9_000), 1]}}}, [*range(9_000), 0]),
        ({"allOf": [{"$ref": "#/$defs/c"}] * 9_000, "$defs": {"c": {"items": {}}}}, list(range(90_000))),
        ({"allOf": [{"$ref": "#/$defs/c"}] * 9_000, "$defs": {"c": {"uniqueItems": True}}}, list(range(90_000))),
        (
            {"allOf": [{"$ref": "#/$defs/c"}] * 9_000, "$defs": {"c": {"propertyNames": {}}}},
            dict.fromkeys(map(str, LIST), 1),
        ),
        ({"anyOf": [{"items": {"type": "string"}}, {}]}, list(range(90_000))),
        ({"items": {"pattern": "\\pL{8}|" + "x" * 9}}, ["x" * 9_999] * 9_999),
        ({"items": {"allOf": [{"pattern": f"\\d{{{i}}}"} for i in range(1, 200)]}}, ["1" * 300] * 9_999),
    ],
    ids=lambda value: str(value)[:50] if isinstance(value, dict) else "",
)
def test_a_schema_that_makes_too_much_work_is_given_up(schema: Any, value: Any) -> None:
    assert checked(schema, value)[-1] == "SCHEMA_TOO_EXPENSIVE"


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {f"p{i}": {"maxLength": 9} for i in range(20_000)}},
        {"$defs": {f"d{i}": {"$ref": f"#/$defs/d{i + 1}"} for i in range(20_000)} | {"d20000": {}}},
        {"$defs": {f"d{i}": {"$anchor": f"n{i}"} for i in range(5_000)}, "items": {"$ref": "#n4999"}},
        {"allOf": [{"pattern": f"x{i}"} for i in range(2_000)]},
    ],
    ids=["properties", "references", "anchors", "patterns"],
)
def test_a_schema_of_many_parts_is_read(schema: Any) -> None:
    assert checked(schema, {}) == []


def test_a_schema_whose_lists_would_be_compared_pair_by_pair_is_refused() -> None:
    with pytest.raises(SchemaInvalid) as caught:
        compile_schema({"required": [{"a": i} for i in range(30_000)]})

    assert caught.value.keys[0] == "required"


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"pattern": "(?=x)"}, "no look-around"),
        ({"pattern": "(a)\\1"}, "RE2 syntax"),
        ({"pattern": "((a{100}){100}){100}"}, "too large"),
        ({"pattern": "\\pL{300}"}, "too large"),
        ({"pattern": "(" * 5_000}, "RE2 syntax"),
        ({"allOf": [{"pattern": f"\\pL{{8}}{i}"} for i in range(9)]}, "too large together"),
        ({"patternProperties": {"^(a+)+$": {}}}, "propertyNames"),
    ],
)
def test_a_pattern_that_cannot_be_bounded_is_refused(schema: Any, text: str) -> None:
    with pytest.raises(SchemaInvalid) as caught:
        compile_schema(schema)

    assert text in caught.value.message
    assert caught.value.keys[-1] in ("pattern", "patternProperties")


@pytest.mark.parametrize("pattern", ["^(a+)+$", "(a|aa)+$", "(.*a){20}!", "(a?){30}a{30}$"])
def test_a_pattern_of_a_schema_takes_time_by_the_length_of_the_text(pattern: str) -> None:
    schema = {"properties": {"s": {"pattern": pattern}}, "propertyNames": {"pattern": "^(a+)+$|s"}}

    assert set(checked(schema, {"s": "a" * 50_000 + "b", "a" * 1_000: 1})) <= {"INVALID_VALUE"}


@pytest.mark.parametrize("name", ["regex", "uri", "email", "date-time", "idn-email", "nonsense"])
def test_formats_are_remarks_that_are_not_checked(name: str) -> None:
    assert checked({"format": name}, "(a+)+" * 9_999) == []


@pytest.mark.parametrize(("step", "value"), [(5e-324, 1e308), (1e-300, 10**18), (0.1, 10**18), (1e308, 5e-324)])
def test_numbers_at_the_end_of_their_range_are_checked(step: float, value: float) -> None:
    assert set(checked({"multipleOf": step}, value)) <= {"INVALID_VALUE"}
