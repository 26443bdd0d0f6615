"""The tests are spread over processes as conftest.py says."""

from __future__ import annotations

import os

import pytest


@pytest.mark.parametrize("language", ["esperanto"])
def test_all_tests_of_a_language_go_to_one_process(request: pytest.FixtureRequest, language: str) -> None:
    # The processes tell each other of a test's group by its id alone.
    assert request.node.nodeid.endswith(f"@{language}") == ("PYTEST_XDIST_WORKER" in os.environ)
