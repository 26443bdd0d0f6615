"""The snippets of the README compile and import only what exists."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

import execsvc_client

README = Path(__file__).parents[1] / "README.md"
SNIPPETS = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), flags=re.DOTALL)


def test_the_readme_has_snippets() -> None:
    assert len(SNIPPETS) >= 5


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_uses_the_client_as_it_is(snippet: str) -> None:
    tree = compile(snippet, "README.md", "exec", ast.PyCF_ONLY_AST | ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == "execsvc_client":
            assert {alias.name for alias in node.names} <= set(execsvc_client.__all__)
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "client":
            assert hasattr(execsvc_client.ExecutionClient, node.attr)


@pytest.mark.parametrize("name", [name for name in execsvc_client.__all__ if name[0].isupper()])
def test_every_exception_is_in_the_table(name: str) -> None:
    value = getattr(execsvc_client, name)
    if isinstance(value, type) and issubclass(value, execsvc_client.ExecsvcError):
        assert f"`{name}`" in README.read_text(encoding="utf-8")
