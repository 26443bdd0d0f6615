"""Each promise of docs/reliability.md names the tests behind it, and those exist."""

from __future__ import annotations

import re

import pytest

from tests.unit.test_semantics import ROOT, TESTS

PAGE = (ROOT / "docs" / "reliability.md").read_text(encoding="utf-8")
#: Sections that promise something.
SECTIONS = dict(re.findall(r"^## ([^\n]*)\n(.*?)(?=^## |\Z)", PAGE, flags=re.DOTALL | re.MULTILINE))
PROMISES = {title: text for title, text in SECTIONS.items() if title != "What is not promised"}


def test_the_promises_are_found() -> None:
    assert len(PROMISES) >= 10


@pytest.mark.parametrize("title", PROMISES)
def test_each_promise_is_shown_by_tests_that_exist(title: str) -> None:
    named = set(re.findall(r"`(test_\w+)`", PROMISES[title]))
    assert named, "no test is named"
    assert named - TESTS == set()


def test_the_commands_it_names_exist() -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), flags=re.MULTILINE))
    assert set(re.findall(r"make ([a-z]+)", PAGE)) <= targets
