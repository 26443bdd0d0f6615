"""What expressions mean, and how they fail."""

from __future__ import annotations

import subprocess
import sys
import textwrap
from typing import Any

import pytest

from execsvc.definition import Expression, ExpressionError, ExpressionInvalid, Scope


def scope(input: Any = None, **nodes: Any) -> Scope:
    return Scope(input=input, nodes=nodes, execution={"id": "e-1", "labels": {"team": "a"}})


def value(source: str, input: Any = None, **nodes: Any) -> Any:
    return Expression(source).evaluate(scope(input, **nodes))


def failure(source: str, input: Any = None, **nodes: Any) -> ExpressionError:
    with pytest.raises(ExpressionError) as caught:
        value(source, input, **nodes)
    return caught.value


def refusal(source: str) -> ExpressionInvalid:
    with pytest.raises(ExpressionInvalid) as caught:
        Expression(source)
    return caught.value


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("input.n * 1.5", 4.5),
        ("1.5 * input.n", 4.5),
        ("input.n + input.f", 5.5),
        ("input.f - input.n", -0.5),
        ("input.n / input.f", 1.2),
        ("7 / 2.0", 3.5),
        ("size(input.list) * 1.5", 4.5),
        ("(input.n + 1) * (input.f + 2)", 18.0),
        ("input.list[0] * input.f", 2.5),
        ("input.list.map(x, x * input.f)", [2.5, 5.0, 7.5]),
        ("-input.n * 1.5", -4.5),
        ("input.n * 1.5 > 4", True),
        ("input.n == 3.0", True),
        ("double(input.n) == 3", True),
        ("1 < 2.5 && 2.5 >= 2", True),
        # What is integer on both sides stays so.
        ("input.n * 2", 6),
        ("input.n / 2", 1),
        ("input.s + 'b'", "ab"),
        ("input.list + [4]", [1, 2, 3, 4]),
        ("timestamp('2020-01-01T00:00:00Z') + duration('90m')", "2020-01-01T01:30:00Z"),
    ],
)
def test_integers_and_doubles_mix(source: str, expected: Any) -> None:
    result = value(source, {"n": 3, "f": 2.5, "s": "a", "list": [1, 2, 3]})

    assert result == expected
    assert type(result) is type(expected)


def test_mixing_does_not_turn_texts_into_numbers() -> None:
    assert failure("input.s * 1.5", {"s": "3"}).type == "EXPRESSION_FAILED"
    assert failure("input.s + 1.5", {"s": "3"}).type == "EXPRESSION_FAILED"


def test_each_operand_of_a_mixed_operation_is_looked_up_in_its_own_scope() -> None:
    assert value("input.l.map(input, input * 1.5)", {"l": [2]}) == [3.0]
    assert value("[1, 2].map(x, [0.5].map(y, x + y)[0] * x)") == [1.5, 5.0]


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("execution.id", "e-1"),
        ("execution.labels.team", "a"),
        ("input", {"b": 1, "a": None}),
        ('nodes.a["odd key"]', 7),
        ('nodes["a-1"].x', [1, {"y": 2.0}]),
        ("nodes['a-1'].x[1].y", 2.0),
        ("b'abc'", "YWJj"),
        ("duration('1.5s')", "1.5s"),
        ("duration('-1h')", "-3600s"),
        ("timestamp('2020-01-01T01:00:00.25+01:00')", "2020-01-01T00:00:00.250000Z"),
        ("[null, {'k': null}]", [None, {"k": None}]),
        ("nodes.map(k, k).size()", 2),
        ("input.b == 1 ? 'yes' : 'no'", "yes"),
        ("7u", 7),
    ],
)
def test_results_are_plain_json(source: str, expected: Any) -> None:
    nodes: dict[str, Any] = {"a": {"odd key": 7}, "a-1": {"x": [1, {"y": 2.0}]}}

    assert (
        Expression(source).evaluate(
            Scope(input={"b": 1, "a": None}, nodes=nodes, execution={"id": "e-1", "labels": {"team": "a"}})
        )
        == expected
    )


@pytest.mark.parametrize(
    "source",
    ["0.0 / 0.0", "[1.0 / 0.0]", "{1: 2}", "{'a': {true: 1}}", "type(1)", "18446744073709551615u"],
)
def test_results_that_json_cannot_say_are_errors(source: str) -> None:
    assert failure(source).type == "EXPRESSION_RESULT_NOT_JSON"


def test_objects_come_back_in_the_same_order_each_time() -> None:
    result = value("{'b': 1, 'a': {'d': 1, 'c': 2}}")

    assert list(result) == ["a", "b"]
    assert list(result["a"]) == ["c", "d"]


def test_a_plain_path_keeps_the_order_of_keys() -> None:
    assert list(value("input.x", {"x": {"z": 1, "a": 2}})) == ["z", "a"]


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("1 / 0", "divide by zero"),
        ("input.missing", "there is no key 'missing'"),
        ("input.n.x", "SELECT"),
        ("input.list.x", "SELECT"),
        ("input.list[9]", "index=9"),
        ("input.n ? 1 : 2", "No matching overloads"),
        ("9223372036854775807 + input.n", "overflow"),
        ("int('x')", "cannot convert"),
        ("has(input.n.x)", "SELECT"),
    ],
)
def test_error_values_are_raised(source: str, text: str) -> None:
    error = failure(source, {"n": 3, "list": [1]})

    assert error.type == "EXPRESSION_FAILED"
    assert text in error.message
    assert source in error.message


def test_an_error_that_does_not_matter_is_none() -> None:
    assert value("input.missing > 1 || true", {}) is True
    assert value("input.n * 1.5 > 4.0 || input.missing", {"n": 3}) is True


def test_a_skipped_node_is_absent() -> None:
    assert value("has(nodes.a)", b=1) is False
    assert value("has(nodes.a) ? nodes.a : nodes.b", b=1) == 1
    assert value("has(nodes.a) ? nodes.a : nodes.b", a=None, b=1) is None
    error = failure("nodes.a", b=1)
    assert error.type == "EXPRESSION_FAILED"
    assert "skipped" in error.message


def test_nodes_that_finish_later_are_seen() -> None:
    nodes: dict[str, Any] = {}
    live = Scope(input=None, nodes=nodes, execution={})
    expression = Expression("has(nodes.a) ? nodes.a.x + 1 : 0")

    assert expression.evaluate(live) == 0
    nodes["a"] = {"x": 4}
    assert expression.evaluate(live) == 5


def test_names_of_macros_hide_the_scope() -> None:
    expression = Expression("[{'a': 1}].map(nodes, nodes.a)")

    assert expression.node_ids == ()
    assert expression.evaluate(scope()) == [1]


@pytest.mark.parametrize(
    ("source", "ids", "any_node"),
    [
        ("nodes.a.x + nodes['b-1'] + nodes.a.y", ("a", "b-1"), False),
        ("has(nodes.a)", ("a",), False),
        ("input.nodes.a", (), False),
        ("nodes[input.which]", (), True),
        ("nodes", (), True),
        ("nodes.exists(k, k == 'a') && nodes.b", ("b",), True),
        ("input.l.map(x, nodes.a + x)", ("a",), False),
    ],
)
def test_the_nodes_it_reads_are_known(source: str, ids: tuple[str, ...], any_node: bool) -> None:
    expression = Expression(source)

    assert expression.node_ids == ids
    assert expression.reads_any_node is any_node


def test_only_nodes_it_may_see_are_there_when_ids_are_computed() -> None:
    expression = Expression("nodes.map(k, k)")
    expression.limit_to({"a": 0, "b": 1}, 0b01)

    assert expression.evaluate(scope(a=1, b=2)) == ["a"]


@pytest.mark.parametrize(
    ("source", "reason", "text"),
    [
        ("", "CEL_SYNTAX", "empty"),
        ("input.", "CEL_SYNTAX", "line 1, column 7"),
        ("1 +\n * 2", "CEL_SYNTAX", "line 2, column 2"),
        ("'unclosed", "CEL_SYNTAX", "line 1, column 1"),
        ("\ud800", "CEL_SYNTAX", "Unicode"),
        ("nope + 1", "CEL_UNKNOWN_NAME", "unknown variable 'nope'; expressions see input, nodes, execution"),
        ("1 +\n  inptu.x", "CEL_UNKNOWN_NAME", "line 2, column 8"),
        ("foo(1)", "CEL_UNKNOWN_NAME", "no function 'foo'"),
        ("1 + 'a'", "CEL_TYPE", "line 1, column 3"),
        ("(" * 40 + "1" + ")" * 40, "CEL_TOO_LARGE", "32 levels"),
        ("[1].map(x, " * 20 + "1" + ")" * 20, "CEL_TOO_LARGE", "nested"),
        ("'" + "x" * 20_000 + "'", "CEL_TOO_LARGE", "16384"),
        ("[" + ",".join(["input.a + input.b"] * 65) + "]", "CEL_TOO_LARGE", "64"),
        ("input.a.matches(input.b)", "CEL_UNSUPPORTED", "literal"),
        ("google.protobuf.Struct{}", "CEL_UNSUPPORTED", "map"),
    ],
)
def test_what_does_not_compile_says_why_and_where(source: str, reason: str, text: str) -> None:
    error = refusal(source)

    assert error.reason == reason
    assert text in error.message


def test_nulls_in_results_do_not_wear_out_none() -> None:
    # Before Python 3.12 each null took a reference from None until the interpreter aborted, after some thousands.
    program = """
        from execsvc.definition import Expression, Scope
        expressions = [Expression(s) for s in ("null", "[input.n, null]", "{'a': input.n}", "[input].map(x, x)")]
        scope = Scope(input={"n": None}, nodes={}, execution={})
        for _ in range(20_000):
            for expression in expressions:
                expression.evaluate(scope)
        print("alive")
    """
    result = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True, timeout=120, check=False
    )

    assert result.returncode == 0, result.stderr
    assert result.stdout == "alive\n"
