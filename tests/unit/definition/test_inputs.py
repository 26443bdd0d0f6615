"""Inputs are filled and checked by the input node's schema, in bounded work."""

from __future__ import annotations

import math
from typing import Any

import pytest

from execsvc.definition import InputConfig, check_input, parse_definition, schemas
from execsvc.errors import InvalidRequest


def config(schema: Any = None, defaults: Any = None) -> InputConfig:
    node = {"id": "in", "type": "input", "config": {"schema": schema or {}, "defaults": defaults or {}}}
    definition = {"nodes": [node, {"id": "o", "type": "output"}], "edges": [{"source": "in", "target": "o"}]}
    compiled = parse_definition(definition).nodes[0].config
    assert isinstance(compiled, InputConfig)
    return compiled


def refusal(schema: Any) -> tuple[str, str]:
    with pytest.raises(InvalidRequest) as caught:
        config(schema)
    problem = caught.value.problems[0]
    assert problem.reason == "INVALID_SCHEMA"
    return problem.path, problem.message


PERSON = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "age": {"type": "integer", "minimum": 0},
        "address": {"type": "object", "properties": {"city": {"type": "string", "default": "Oslo"}}},
        "tags": {"type": "array", "items": {"type": "string"}, "uniqueItems": True},
        "level": {"default": 1},
    },
    "required": ["name"],
    "additionalProperties": False,
}


def test_defaults_are_filled_in() -> None:
    person = config(PERSON, {"age": 7, "level": 3})

    filled, problems = check_input(person, {"name": "A", "address": {}})

    assert problems == ()
    assert filled == {"name": "A", "age": 7, "level": 3, "address": {"city": "Oslo"}}


def test_what_the_client_sent_is_not_changed() -> None:
    sent: dict[str, Any] = {"name": "A", "address": {}}

    check_input(config(PERSON), sent)

    assert sent == {"name": "A", "address": {}}


def test_every_problem_has_its_path() -> None:
    value = {"age": -1, "address": {"city": 5}, "tags": ["a", 1, "a"], "nmae": "A"}

    _, problems = check_input(config(PERSON), value)

    assert {(p.path, p.reason) for p in problems} == {
        ("input.age", "INVALID_VALUE"),
        ("input.address.city", "WRONG_TYPE"),
        ("input.tags[1]", "WRONG_TYPE"),
        ("input.tags", "INVALID_VALUE"),
        ("input.nmae", "UNKNOWN_FIELD"),
        ("input.name", "MISSING_FIELD"),
    }
    assert next(p.message for p in problems if p.reason == "UNKNOWN_FIELD").endswith("did you mean 'name'?")


def test_without_a_schema_anything_is_accepted() -> None:
    assert check_input(config(), {"a": [1, None]}) == ({"a": [1, None]}, ())


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"a": math.nan}, "NOT_A_NUMBER"),
        ({"a": "\udc00"}, "INVALID_UTF8"),
        ({"a": 2**64}, "NUMBER_OUT_OF_RANGE"),
        ({"a": (1,)}, "NOT_JSON"),
    ],
)
def test_what_is_no_json_is_refused(value: Any, reason: str) -> None:
    _, problems = check_input(config(), value)

    assert [(p.path, p.reason) for p in problems] == [("input.a", reason)]


def test_references_inside_of_the_schema_work() -> None:
    schema = {"$ref": "#/$defs/tree", "$defs": {"tree": {"type": "array", "items": {"$ref": "#/$defs/tree"}}}}

    assert check_input(config({"type": "object", "properties": {"t": schema["$defs"]["tree"]}, **schema}), {})[1]
    tree = config({"properties": {"t": {"$ref": "#/$defs/tree"}}, "$defs": schema["$defs"]})
    assert check_input(tree, {"t": [[], [[]]]})[1] == ()
    assert [p.path for p in check_input(tree, {"t": [[], [1]]})[1]] == ["input.t[1][0]"]


@pytest.mark.parametrize(
    ("schema", "place", "text"),
    [
        ({"type": "objekt"}, "type", "objekt"),
        ({"properties": {"a": {"minimum": "x"}}}, "properties.a.minimum", "x"),
        ({"$ref": "https://example.com/schema"}, "$ref", "outside"),
        ({"items": [{"$ref": "file:///etc/passwd"}]}, "items[0]", "outside"),
        ({"$ref": "#/$defs/nothing"}, "$ref", "nowhere"),
        ({"properties": {"a": {"$id": "http://x/"}}}, "properties.a", "$id"),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "$schema", "2020-12"),
        ({"properties": {"a": {"pattern": "(?=x)"}}}, "properties.a.pattern", "look-around"),
        ({"pattern": "((a{100}){100}){100}"}, "pattern", "too large"),
        ({"patternProperties": {"(a+)+$": {}}}, "patternProperties", "propertyNames"),
    ],
)
def test_schemas_that_cannot_be_used_are_refused(schema: Any, place: str, text: str) -> None:
    path, message = refusal(schema)

    assert path.startswith(f"definition.nodes[0].config.schema.{place}")
    assert text in message


def test_data_in_a_schema_is_not_taken_for_a_schema() -> None:
    schema = {"properties": {"$ref": {"enum": [{"$ref": "x"}]}, "pattern": {"const": {"pattern": "("}}}}

    assert check_input(config(schema), {})[1] == ()


def test_patterns_take_time_by_the_length_of_the_text() -> None:
    # Python's own engine would take longer than the universe has.
    evil = config({"properties": {"a": {"pattern": "^(a+)+$"}}})

    assert [p.path for p in check_input(evil, {"a": "a" * 100_000 + "!"})[1]] == ["input.a"]
    assert check_input(evil, {"a": "a" * 100_000})[1] == ()


def test_patterns_are_searched_for_and_know_unicode() -> None:
    schema = config({"properties": {"a": {"pattern": 'é"\\d+\\\\'}}})

    assert check_input(schema, {"a": 'xé"12\\y'})[1] == ()
    assert len(check_input(schema, {"a": 'xé"\\y'})[1]) == 1


def test_unique_items_of_many_objects_are_compared_by_their_text() -> None:
    unique = config({"properties": {"a": {"uniqueItems": True}}})

    assert check_input(unique, {"a": [{"i": i} for i in range(20_000)]})[1] == ()
    assert len(check_input(unique, {"a": [{"x": 1, "y": 2}, {"y": 2, "x": 1}]})[1]) == 1


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"allOf": [{"$ref": "#"}]},
        {
            "$ref": "#/$defs/a0",
            "$defs": {
                **{f"a{i}": {"anyOf": [{"$ref": f"#/$defs/a{i + 1}"}] * 2} for i in range(60)},
                "a60": False,
            },
        },
    ],
    ids=["itself", "itself inside", "doubling"],
)
def test_schemas_without_end_are_given_up_on(schema: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schemas, "MAX_WORK", 20_000)
    _, problems = check_input(config(schema), {})

    assert [p.reason for p in problems] == ["SCHEMA_TOO_EXPENSIVE"]
