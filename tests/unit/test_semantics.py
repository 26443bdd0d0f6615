"""Each rule of docs/semantics.md names the test that shows it, and that test exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "semantics.md").read_text(encoding="utf-8")
RULES = re.findall(r"^- (.*?)(?=\n(?:- |\n|\Z))", PAGE, flags=re.DOTALL | re.MULTILINE)


def defined() -> set[str]:
    """Names of all tests there are."""
    return {
        node.name
        for path in (ROOT / "tests").rglob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_")
    }


TESTS = defined()


def test_the_rules_are_found() -> None:
    assert len(RULES) > 70
    assert len(RULES) == PAGE.count("\n- ")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.split(".")[0][:40])
def test_each_rule_is_shown_by_a_test_that_exists(rule: str) -> None:
    named = re.findall(r"`(test_\w+)`", rule)
    assert named, "no test is named"
    assert set(named) <= TESTS
