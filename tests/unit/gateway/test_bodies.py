"""Bodies are strict JSON with known fields, and every problem is told with its place."""

from __future__ import annotations

from typing import Any

import pytest

from execsvc.gateway.bodies import as_model, parse_json
from execsvc.gateway.problems import Refused
from execsvc.gateway.schemas import ControlBody, ExecuteBody


def refused(data: bytes, model: Any = ExecuteBody) -> list[dict[str, Any]]:
    """What is wrong with a body."""
    with pytest.raises(Refused) as caught:
        as_model(parse_json(data), model)
    assert caught.value.problem.status == 400
    assert caught.value.problem.reason == "INVALID_REQUEST"
    return [error.document() for error in caught.value.problem.errors]


def test_json_is_taken_as_it_is() -> None:
    assert parse_json('\ufeff{"a": [1, 2.5, null, true, "é"]}'.encode()) == {"a": [1, 2.5, None, True, "é"]}
    assert parse_json(b"9007199254740993") == 9007199254740993


def test_bad_syntax_names_line_and_column() -> None:
    (error,) = refused(b'{\n  "a": }')

    assert (error["reason"], error["field"], error["line"], error["column"]) == ("JSON_SYNTAX", "", 2, 8)
    assert error["description"].startswith("line 2, column 8: not JSON")


@pytest.mark.parametrize("data", [b"", b"{", b"nope", b"{'a': 1}", b'{"a": 1,}', b'{"a": 1} x', b"\x00"])
def test_what_is_no_json_is_refused(data: bytes) -> None:
    assert refused(data)[0]["reason"] == "JSON_SYNTAX"


def test_text_that_is_not_utf8_names_line_and_column() -> None:
    (error,) = refused(b'{"a":\n "\xff"}')

    assert (error["reason"], error["line"], error["column"]) == ("INVALID_UTF8", 2, 3)


@pytest.mark.parametrize("name", ["NaN", "Infinity", "-Infinity"])
def test_what_is_no_number_is_refused_with_every_path(name: str) -> None:
    errors = refused(f'{{"input_data": {{"a": [1, {name}], "b": {name}}}}}'.encode())

    assert [error["field"] for error in errors] == ["input_data.a[1]", "input_data.b"]
    assert {error["reason"] for error in errors} == {"NOT_A_NUMBER"}


def test_a_key_may_not_stand_twice() -> None:
    (error,) = refused(b'{"a": {"key": 1, "key": 2}}')

    assert (error["reason"], error["field"]) == ("DUPLICATE_KEY", "key")


@pytest.mark.parametrize("data", [b"[" * 100_000, b'{"a":' * 100_000, b"[" * 2_000 + b"NaN" + b"]" * 2_000])
def test_nesting_without_end_is_refused(data: bytes) -> None:
    assert refused(data)[0]["reason"] in ("TOO_DEEP", "JSON_SYNTAX")


def test_a_number_without_end_is_refused() -> None:
    assert refused(b"1" * 5_000)[0]["reason"] == "NUMBER_OUT_OF_RANGE"


def test_unknown_fields_wrong_types_and_missing_ones_are_told_at_once() -> None:
    errors = refused(b'{"workflow": 1, "labels": {"a": 1}, "priority": "high", "timeout": []}')

    assert {error["field"]: error["reason"] for error in errors} == {
        "workflow": "UNKNOWN_FIELD",
        "labels.a": "WRONG_TYPE",
        "priority": "WRONG_TYPE",
        "timeout": "WRONG_TYPE",
    }
    (unknown,) = (error for error in errors if error["field"] == "workflow")
    assert "workflow_id" in unknown["description"]


@pytest.mark.parametrize("data", [b"[]", b"1", b'"text"', b"null"])
def test_a_body_is_an_object(data: bytes) -> None:
    (error,) = refused(data)

    assert (error["field"], error["description"]) == ("", "the body must be a JSON object")


def test_numbers_are_not_taken_for_text_nor_text_for_numbers() -> None:
    assert refused(b'{"execution_id": 1}')[0]["field"] == "execution_id"
    assert refused(b'{"validate_only": "true"}')[0]["field"] == "validate_only"
    assert refused(b'{"priority": true}')[0]["field"] == "priority"


def test_states_are_lower_case() -> None:
    assert as_model({"expected_state": "running"}, ControlBody).expected_state == "running"
    assert refused(b'{"expected_state": "RUNNING"}', ControlBody)[0]["field"] == "expected_state"


def test_durations_may_be_numbers_or_text() -> None:
    assert as_model({"timeout": 90}, ExecuteBody).timeout == 90
    assert as_model({"timeout": "90s"}, ExecuteBody).timeout == "90s"
