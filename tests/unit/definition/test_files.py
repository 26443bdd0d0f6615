"""JSON files are read with the line and column of what is wrong."""

from __future__ import annotations

import pytest

from execsvc.definition import load_file_text
from execsvc.errors import FieldProblem, InvalidRequest


def problem(text: str | bytes) -> FieldProblem:
    with pytest.raises(InvalidRequest) as caught:
        load_file_text(text, filename="flow.json")
    assert len(caught.value.problems) == 1
    return caught.value.problems[0]


def test_an_object_is_read() -> None:
    assert load_file_text('\ufeff{"a": [1, 2.5, "NaN", null]}', filename="f") == {"a": [1, 2.5, "NaN", None]}
    assert load_file_text('{"ä": 1}'.encode(), filename="f") == {"ä": 1}


@pytest.mark.parametrize(
    ("text", "path", "reason"),
    [
        ('{\n  "a": 1,\n  "b" 2\n}', "flow.json:3:7", "JSON_SYNTAX"),
        ('{"a": 1 "b": 2}', "flow.json:1:9", "JSON_SYNTAX"),
        ("", "flow.json:1:1", "JSON_SYNTAX"),
        ('{"a": 1} x', "flow.json:1:10", "JSON_SYNTAX"),
        ('{\n "a": 1,\n "a": 2}', "flow.json:3:2", "DUPLICATE_KEY"),
        ('{"t": "NaN",\n "a": NaN}', "flow.json:2:7", "NOT_A_NUMBER"),
        ('{"a": -Infinity}', "flow.json:1:7", "NOT_A_NUMBER"),
        (b'{\n "a": "\xff"}', "flow.json:2:8", "INVALID_UTF8"),
        ("[1]", "flow.json:1:1", "WRONG_TYPE"),
        ('{"a": ' + "[" * 100_000, "flow.json:1:262", "TOO_DEEP"),
        ('{"a": ' + "9" * 5_000 + "}", "flow.json:1:1", "JSON_SYNTAX"),
    ],
)
def test_what_is_wrong_has_line_and_column(text: str | bytes, path: str, reason: str) -> None:
    found = problem(text)

    assert (found.path, found.reason) == (path, reason)
    assert found.message.endswith(f"(line {path.split(':')[1]}, column {path.split(':')[2]})")


def test_brackets_in_texts_are_no_nesting() -> None:
    assert load_file_text('{"a": "' + "[" * 1_000 + '\\""}', filename="f") == {"a": "[" * 1_000 + '"'}
