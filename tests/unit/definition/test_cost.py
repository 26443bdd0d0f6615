"""No expression holds the interpreter for long: what could is refused before it runs.

These tests assert what is refused, never a wall time. The constants were measured; see ``execsvc.definition.cost``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from execsvc.definition import Expression, ExpressionError, Scope
from execsvc.definition.cost import CostModel, Size, longest, regex_instructions, units
from execsvc.definition.expressions import FEW, Allowance, allowance_for
from execsvc.definition.references import find_references

TEXT = "x" * 1_000_000
NUMBERS = list(range(9_000))
RECORDS = [{"id": i, "name": f"name {i}", "tags": ["a", "b"], "price": 1.5} for i in range(300)]


def evaluate(source: str, **input: Any) -> Any:
    return Expression(source).evaluate(Scope(input=input, nodes={}, execution={}))


@pytest.mark.parametrize(
    ("source", "data"),
    [
        # map and filter copy their result at each step.
        ("input.l.map(x, x)", {"l": NUMBERS}),
        ("input.l.filter(x, x >= 0)", {"l": NUMBERS}),
        ("input.l.map(x, input.l.map(y, y))", {"l": NUMBERS}),
        # An iteration is as dear as what it does.
        ("input.l.all(x, input.l == input.l)", {"l": NUMBERS}),
        ("input.l.all(x, x in input.l)", {"l": NUMBERS}),
        ("input.l.all(x, (input.l + input.l).size() > 0)", {"l": NUMBERS}),
        ("input.l.all(x, size(input.s) > 0)", {"l": NUMBERS, "s": TEXT}),
        ("input.l.all(x, (input.s + 'a').size() > 0)", {"l": NUMBERS, "s": TEXT}),
        ("input.l.map(x, input.s)", {"l": NUMBERS[:1_000], "s": TEXT}),
        ("input.big.all(b, input.l.all(x, size(b) > 0))", {"big": [TEXT, *["y"] * 99], "l": NUMBERS}),
        # Doubling makes a short text enormous.
        ("[input.s]" + ".map(a, a + a)" * 14, {"s": "x" * 10_000}),
        ("[[1, 1]]" + ".map(a, a + a)" * 14 + ".map(a, a == a)", {}),
        ("[input.l]" + ".map(a, [a, a])" * 12, {"l": [1, 2, 3]}),
        # Searching and matching.
        ("input.s.contains(input.t)", {"s": TEXT, "t": "x" * 500_000 + "y"}),
        ("input.s.matches('\\\\pL{8}z')", {"s": TEXT}),
        ("input.l.all(x, 'x'.matches('\\\\pL{8}') || true)", {"l": NUMBERS}),
        # Converting the data is work as well.
        ("size(input.l) + 0", {"l": [[] for _ in range(200_000)]}),
    ],
)
def test_dear_expressions_are_refused(source: str, data: Any) -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate(source, **data)

    assert caught.value.type == "EXPRESSION_TOO_EXPENSIVE"
    assert "ms" in caught.value.message


def test_more_than_ten_thousand_iterations_are_refused() -> None:
    with pytest.raises(ExpressionError) as caught:
        evaluate("input.l.all(x, x >= 0)", l=list(range(10_001)))

    assert caught.value.type == "EXPRESSION_TOO_EXPENSIVE"


@pytest.mark.parametrize(
    ("source", "data", "expected"),
    [
        ("input.l.map(x, x + 1).size()", {"l": NUMBERS[:800]}, 800),
        ("input.l.all(x, x >= 0)", {"l": NUMBERS}, True),
        ("input.r.filter(r, r.price > 1).map(r, r.name + '!').size()", {"r": RECORDS}, 300),
        ("input.r.all(r, r.tags.exists(t, t == 'b'))", {"r": RECORDS}, True),
        ("input.r.filter(r, r.name == input.s).size()", {"r": RECORDS, "s": "name 7"}, 1),
        ("size(input.s) + 1", {"s": TEXT}, 1_000_001),
        ("input.s.contains('foo')", {"s": TEXT[:500_000]}, False),
        ("input.s.matches('^[a-z]+$')", {"s": TEXT[:100_000]}, True),
        ("'abc' in input.l", {"l": ["abd"] * 10_000}, False),
        ("(input.s + 'a').size()", {"s": TEXT[:500_000]}, 500_001),
    ],
)
def test_usual_expressions_on_large_data_run(source: str, data: Any, expected: Any) -> None:
    assert evaluate(source, **data) == expected


def test_what_is_not_read_costs_nothing() -> None:
    data = {"n": 2, "l": [[] for _ in range(300_000)], "inner": {"n": 3, "s": TEXT * 3}}

    assert evaluate("input.n * 2 + input.inner.n", **data) == 7
    assert evaluate("has(input.l) && !has(input.inner.x)", **data) is True


def test_a_refusal_on_large_data_does_not_stick() -> None:
    expression = Expression("input.l.map(x, x + 1)")
    with pytest.raises(ExpressionError):
        expression.evaluate(Scope(input={"l": NUMBERS}, nodes={}, execution={}))

    assert expression.evaluate(Scope(input={"l": [1]}, nodes={}, execution={})) == [2]
    with pytest.raises(ExpressionError):
        expression.evaluate(Scope(input={"l": NUMBERS}, nodes={}, execution={}))


def evaluated_together(expressions: Iterable[Expression], **input: Any) -> int:
    """Evaluate them with one allowance; gives how many it was enough for."""
    allowance, scope = Allowance(), Scope(input=input, nodes={}, execution={})
    done = 0
    for expression in expressions:
        try:
            expression.evaluate(scope, allowance)
        except ExpressionError as error:
            return done if "together" in error.message else -1
        done += 1
    return done


def test_expressions_of_one_node_are_bounded_together() -> None:
    dear = [Expression("input.l.map(x, x + 1).size()")] * 100

    assert FEW < evaluated_together(dear, l=NUMBERS[:900]) < 20


@pytest.mark.parametrize(
    "sources",
    [
        ["1 + input.n"] * 3_000,
        ["input.r.map(r, r.name).size()"] * 60,
        ["input.r"] * 20_000,
        ["input.n > 7", "input.l.exists(x, x > 2)"] * 1_000,
    ],
)
def test_usual_expressions_may_be_many_in_one_node(sources: list[str]) -> None:
    compiled = {source: Expression(source) for source in sources}

    assert evaluated_together((compiled[source] for source in sources), n=7, l=[1, 2, 3], r=RECORDS) == len(sources)


def test_what_was_evaluated_before_changes_nothing_about_what_may_be_together() -> None:
    dear = Expression("input.l.map(x, x + 1).size()")
    before = evaluated_together([dear] * 100, l=NUMBERS[:900])
    for size in (1, 50, 400, 800):
        dear.evaluate(Scope(input={"l": NUMBERS[:size]}, nodes={}, execution={}))

    assert evaluated_together([dear] * 100, l=NUMBERS[:900]) == before


def test_few_expressions_may_each_take_their_own() -> None:
    assert allowance_for([1] * FEW) is None
    assert allowance_for([1] * (FEW + 1)) is not None


def estimate(source: str, length: int, size: int) -> float:
    from execsvc.definition import cel_ast
    from execsvc.definition.expressions import _CHECKER

    checked = cel_ast.read(_CHECKER.compile(source).serialize())
    return CostModel(checked, find_references(checked.expr)).nanoseconds(lambda _: Size(length, size, size))


@pytest.mark.parametrize(
    "source",
    ["input.l.map(x, x)", "input.l.all(x, x == input.l)", "input.s.contains(input.t)", "input.l + input.l", "input"],
)
def test_an_estimate_grows_with_the_data(source: str) -> None:
    estimates = [estimate(source, n, n) for n in (1, 10, 100, 1_000, 10_000)]

    assert estimates == sorted(set(estimates))


def test_an_estimate_counts_each_loop_inside_a_loop() -> None:
    flat = estimate("input.l.all(x, size(input.s) > 0)", 50, 50)
    nested = estimate("input.l.all(x, input.l.all(y, size(input.s) > 0))", 50, 50)

    assert nested > 30 * flat


def test_units_bound_what_a_value_holds() -> None:
    assert units(7) == units(None) == units("short") == 1
    assert units("x" * 6_400) >= 100
    assert units("é" * 6_400) >= 200
    assert units([1] * 50) >= 50
    assert units({f"k{i}": i for i in range(50)}) >= 50
    assert units([[] for _ in range(50)]) >= 50


def test_longest_finds_the_longest_list_anywhere() -> None:
    assert longest({"a": [{"b": [1] * 70}], "c": [1] * 3}) == 70


def test_repeats_of_repeats_multiply() -> None:
    assert regex_instructions("((a{10}){10}){10}") > 100 * regex_instructions("a{10}") / 10
    assert regex_instructions("\\pL") > 10 * regex_instructions("a")
