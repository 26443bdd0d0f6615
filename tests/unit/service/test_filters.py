"""Filters and orders of ListExecutions: what they mean, and where they are wrong."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from execsvc.errors import InvalidRequest
from execsvc.model.filters import All, AnyOf, Comparison, Condition, Field, Not, Operator, Order, OrderField
from execsvc.service.filters import MAX_COMPARISONS, MAX_FILTER, MAX_NESTING, parse_filter, parse_order


def compares(field: Field, operator: str, value: str | int, label: str = "") -> Comparison:
    return Comparison(field=field, operator=Operator(operator), value=value, label=label)


def is_(state: str) -> Comparison:
    return compares(Field.STATE, "=", state)


A, B, C, D = is_("FAILED"), is_("STOPPED"), is_("RUNNING"), is_("PAUSED")
NOON = int(datetime(2026, 1, 31, 12, tzinfo=UTC).timestamp()) * 1_000_000


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("", All(parts=())),
        (" \t\n", All(parts=())),
        ("state = FAILED", A),
        ("state=failed", A),
        ('state : "EXECUTION_STATE_FAILED"', A),
        ("state != FAILED", compares(Field.STATE, "!=", "FAILED")),
        ("workflow_id = triage", compares(Field.WORKFLOW_ID, "=", "triage")),
        ("workflow_id != 'a:b'", compares(Field.WORKFLOW_ID, "!=", "a:b")),
        ("execution_id:e-1", compares(Field.EXECUTION_ID, "=", "e-1")),
        ("workflow_id = ANDROID", compares(Field.WORKFLOW_ID, "=", "ANDROID")),
        ('workflow_id = "OR"', compares(Field.WORKFLOW_ID, "=", "OR")),
        *[(f"priority {op} 7", compares(Field.PRIORITY, op, 7)) for op in ("=", "!=", "<", "<=", ">", ">=")],
        ("priority>=-5", compares(Field.PRIORITY, ">=", -5)),
        *[
            (f"{field} {op} 2026-01-31T12:00:00Z", compares(Field(field), op, NOON))
            for field in ("create_time", "start_time", "end_time")
            for op in ("=", "!=", "<", "<=", ">", ">=")
        ],
        ('create_time > "2026-01-31T12:00:00Z"', compares(Field.CREATE_TIME, ">", NOON)),
        ("create_time > 2026-01-31T14:00:00+02:00", compares(Field.CREATE_TIME, ">", NOON)),
        ("create_time > '2026-01-31T12:00:00'", compares(Field.CREATE_TIME, ">", NOON)),
        ("create_time > 2026-01-31T12:00:00.000001Z", compares(Field.CREATE_TIME, ">", NOON + 1)),
        ("create_time > 2026-01-31T12:00:00.123456789Z", compares(Field.CREATE_TIME, ">", NOON + 123_456)),
        ("create_time > 2026-01-31", compares(Field.CREATE_TIME, ">", NOON - 12 * 3_600_000_000)),
        ('create_time < "1969-12-31T23:59:59.999999Z"', compares(Field.CREATE_TIME, "<", -1)),
        ("labels.team = billing", compares(Field.LABEL, "=", "billing", "team")),
        ('labels.team != "a \\"b\\" \\\\"', compares(Field.LABEL, "!=", 'a "b" \\', "team")),
        ("labels.app/kind-1.x=y", compares(Field.LABEL, "=", "y", "app/kind-1.x")),
        ('labels."a:b" = c', compares(Field.LABEL, "=", "c", "a:b")),
        ("labels.team:billing", compares(Field.LABEL, "=", "billing", "team")),
        ("labels.team = ''", compares(Field.LABEL, "=", "", "team")),
        ("labels:team", compares(Field.LABEL, ":", "", "team")),
        ("labels:'a:b'", compares(Field.LABEL, ":", "", "a:b")),
        ("NOT state=FAILED", Not(part=A)),
        ("-state=FAILED", Not(part=A)),
        ("NOT(state=FAILED)", Not(part=A)),
        ("(state=FAILED)", A),
        ("state=FAILED AND state=STOPPED", All(parts=(A, B))),
        ("state=FAILED state=STOPPED", All(parts=(A, B))),
        ("state=FAILED OR state=STOPPED", AnyOf(parts=(A, B))),
    ],
)
def test_a_filter_means_what_aip_160_says(text: str, meaning: Condition) -> None:
    assert parse_filter(text) == meaning


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a AND b OR c", All(parts=(A, AnyOf(parts=(B, C))))),
        ("a OR b AND c OR d", All(parts=(AnyOf(parts=(A, B)), AnyOf(parts=(C, D))))),
        ("a OR b c", All(parts=(AnyOf(parts=(A, B)), C))),
        ("(a AND b) OR c", AnyOf(parts=(All(parts=(A, B)), C))),
        ("NOT a OR b", AnyOf(parts=(Not(part=A), B))),
        ("NOT (a OR b) AND c", All(parts=(Not(part=AnyOf(parts=(A, B))), C))),
    ],
)
def test_or_binds_tighter_than_and_unless_parentheses_say_otherwise(text: str, meaning: Condition) -> None:
    names = {"a": "state=FAILED", "b": "state=STOPPED", "c": "state=RUNNING", "d": "state=PAUSED"}
    assert parse_filter("".join(names.get(character, character) for character in text)) == meaning


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("state", "at its end"),
        ("state =", "at its end"),
        ("state = FAILED OR", "at its end"),
        ("state = FAILED)", "at column 15"),
        ("(state = FAILED", "at its end"),
        ("AND state = FAILED", "at column 1"),
        ("state ~ FAILED", "at column 7"),
        ('state = "FAILED', "at column 9"),
        ("workflow_id = AND", "at column 15"),
        ("NOT NOT state = FAILED", "at column 5"),
        ("state = FAILED\nOR *", "at column 19"),
        ("stat = FAILED", "column 1: there is no field 'stat'; there are state, workflow_id,"),
        ("state = FAILED AND color = red", "column 20: there is no field 'color'"),
        ("state = FAILED\nAND color = red", "column 20: there is no field 'color'"),
        ("state = DONE", "column 1: there is no state 'DONE'; there are PENDING, RUNNING,"),
        ("state < FAILED", "column 1: state can be compared with = and !="),
        ("workflow_id > a", "column 1: workflow_id can be compared with = and !="),
        ("execution_id >= a", "column 1: execution_id can be compared with = and !="),
        ("labels.team > a", "column 1: a label can be compared with = and !="),
        ("labels = team", "write labels.KEY"),
        ("labels:'a b'", "no label has the key 'a b'"),
        ("""labels:"a\\"b" """, """no label has the key 'a"b'"""),
        ('labels."" = x', "no label has the key ''"),
        ("priority = high", "compared with a whole number"),
        ("priority = 1.5", "compared with a whole number"),
        ("priority = 99999999999999999999", "compared with a whole number"),
        ("create_time > yesterday", "'yesterday' is no time; write it as"),
        ("create_time > 2026-02-30T00:00:00Z", "is no time"),
        ("create_time > 99999-01-01", "is no time"),
        ("state=FAILED " * (MAX_COMPARISONS + 1), f"more than {MAX_COMPARISONS} comparisons"),
        ("x" * (MAX_FILTER + 1), f"has {MAX_FILTER + 1} characters; at most {MAX_FILTER} are allowed"),
        ("(" * (MAX_NESTING + 1) + "state=FAILED" + ")" * (MAX_NESTING + 1), "parentheses within each other"),
        ("(" * 2_000 + "state=FAILED" + ")" * 2_000, "parentheses within each other"),
        ("-(" * 1_300 + "state=FAILED" + ")" * 1_300, "parentheses within each other"),
    ],
    ids=lambda value: value[:30],
)
def test_a_filter_that_cannot_be_read_is_refused_with_the_place_and_what_would_be_right(text: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_filter(text)
    (problem,) = refused.value.problems
    assert (problem.path, problem.reason) == ("filter", "INVALID_FILTER")
    assert why in problem.message


WORDS = st.sampled_from(
    [
        "state",
        "=",
        "!=",
        ":",
        "<",
        "FAILED",
        "AND",
        "OR",
        "NOT",
        "-",
        "(",
        ")",
        "labels",
        ".",
        "labels.a",
        '"',
        "'",
        "\\",
        "priority",
        "7",
        "-7",
        "create_time",
        "2026-01-31T00:00:00Z",
        " ",
        "\n",
        "\0",
        "é",
        "'x'",
        '"x"',
    ]
)


@given(st.lists(WORDS, max_size=20).map(" ".join) | st.lists(WORDS, max_size=20).map("".join) | st.text(max_size=60))
@settings(max_examples=400, deadline=None)
def test_any_text_is_a_filter_or_is_refused(text: str) -> None:
    with contextlib.suppress(InvalidRequest):
        parse_filter(text)


@pytest.mark.parametrize(
    ("text", "order"),
    [
        ("", Order(field=OrderField.CREATE_TIME, descending=True)),
        ("create_time", Order(field=OrderField.CREATE_TIME, descending=False)),
        ("create_time asc", Order(field=OrderField.CREATE_TIME, descending=False)),
        (" create_time  desc ", Order(field=OrderField.CREATE_TIME, descending=True)),
        ("end_time", Order(field=OrderField.END_TIME, descending=False)),
        ("end_time desc", Order(field=OrderField.END_TIME, descending=True)),
    ],
)
def test_an_order_is_a_time_and_a_direction(text: str, order: Order) -> None:
    assert parse_order(text) == order


@pytest.mark.parametrize("text", ["state", "create_time down", "create_time, end_time", "desc", "create_time desc x"])
def test_another_order_is_refused_with_those_there_are(text: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        parse_order(text)
    (problem,) = refused.value.problems
    assert (problem.path, problem.reason) == ("order_by", "INVALID_ORDER_BY")
    assert "create_time, end_time" in problem.message
