"""Each threat of docs/threat-model.md names what stops it and the tests that show it, and those exist."""

from __future__ import annotations

import ast
import re

import pytest

from tests.unit.test_semantics import ROOT, TESTS

PAGE = (ROOT / "docs" / "threat-model.md").read_text(encoding="utf-8")
THREATS = [
    [cell.strip() for cell in row.strip("|").split("|")]
    for table in re.findall(r"^\| threat \|.*\n\|.*\n((?:\|.*\n)+)", PAGE, flags=re.MULTILINE)
    for row in table.splitlines()
]
#: Those of the tools stand apart.
KNOWN = TESTS | {
    node.name
    for path in (ROOT / "tools" / "tests").glob("test_*.py")
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
    if isinstance(node, ast.FunctionDef)
}


def test_the_threats_are_found() -> None:
    assert len(THREATS) > 40
    assert len({threat for threat, _, _ in THREATS}) == len(THREATS)


@pytest.mark.parametrize("row", THREATS, ids=lambda row: row[0][:50])
def test_each_threat_is_stopped_by_something_and_shown_by_tests_that_exist(row: list[str]) -> None:
    _, stops, shown = row
    assert stops, "say what stops it"
    named = set(re.findall(r"`(test_\w+)`", shown))
    assert named, "no test is named"
    assert named - KNOWN == set()
