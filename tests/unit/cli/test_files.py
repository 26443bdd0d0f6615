"""Workflows and inputs are read from files, and the offline model can be replaced on the way."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, Problem
from execsvc.cli.files import located, read_input, read_workflow
from execsvc.errors import ExecutionNotFound, FieldProblem, InvalidRequest


def read(tmp_path: Path, nodes: object, model: str | None) -> Any:
    """Write a workflow and read it back."""
    file = tmp_path / "w.json"
    file.write_text(json.dumps({"nodes": nodes, "edges": []}))
    return read_workflow(file, model=model).value["nodes"]


def test_only_nodes_that_name_the_offline_model_get_another(tmp_path: Path) -> None:
    nodes = [
        {"id": "a", "type": "llm", "config": {"model": "echo:", "parameters": {"delay": 1, "temperature": 0}}},
        {"id": "b", "type": "llm", "config": {"model": "openai:gpt-4o", "parameters": {"delay": 1}}},
        {"id": "c", "type": "llm", "data": {"model": "echo:demo", "prompt": "x"}},
        {"id": "d", "type": "transform", "config": {"model": "echo:"}},
    ]

    a, b, c, d = read(tmp_path, nodes, "ollama:llama3")

    assert a["config"] == {"model": "ollama:llama3", "parameters": {"temperature": 0}}
    assert c["data"] == {"model": "ollama:llama3", "prompt": "x"}
    assert [b, d] == [nodes[1], nodes[3]]
    assert read(tmp_path, nodes, None) == nodes


@pytest.mark.parametrize("nodes", [None, {}, [1, None], [{"type": "llm"}], [{"type": "llm", "config": []}]])
def test_a_workflow_that_is_wrong_is_left_for_the_validator(tmp_path: Path, nodes: object) -> None:
    assert read(tmp_path, nodes, "openai:x") == nodes


def test_an_input_is_text_or_a_file_and_empty_when_left_out(tmp_path: Path) -> None:
    file = tmp_path / "i.json"
    file.write_text('\ufeff{"a": 1}', encoding="utf-8")

    assert read_input(None).value == {}
    assert read_input('{"a": 1}').value == {"a": 1}
    assert read_input(f"@{file}").value == {"a": 1}


def test_a_file_that_is_not_there_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(CliError) as caught:
        read_input(f"@{tmp_path / 'none'}")

    assert caught.value.exit_code is ExitCode.USAGE
    assert caught.value.message == f"cannot read {tmp_path / 'none'}: no such file or directory"


def test_problems_get_the_place_in_the_file_they_are_of(tmp_path: Path) -> None:
    file = tmp_path / "w.json"
    file.write_text('{"nodes": [\n  {"id": 1}]}')
    problems = [
        FieldProblem(path="definition.nodes[0].id", reason="WRONG_TYPE", message="must be a text"),
        FieldProblem(path="input.n", reason="MISSING_FIELD", message="is required"),
        FieldProblem(path="labels", reason="TOO_MANY", message="too many"),
    ]

    with pytest.raises(CliError) as caught, located(read_workflow(file), read_input('{ "n": 1}')):
        raise InvalidRequest(problems)

    assert [problem.position for problem in caught.value.problems] == [f"{file}:2:10", "--input:1:8", ""]
    assert str(caught.value.problems[0]) == f"{file}:2:10: definition.nodes[0].id: must be a text [WRONG_TYPE]"


def test_errors_without_problems_pass_as_they_are() -> None:
    error = ExecutionNotFound("x")

    with pytest.raises(ExecutionNotFound) as caught, located(read_input(None)):
        raise error

    assert caught.value is error


def test_a_position_that_is_known_is_kept() -> None:
    problem = Problem(path="definition", reason="X", message="y", position="f:1:2")

    with pytest.raises(CliError) as caught, located(read_input(None)):
        raise CliError("y", problems=[problem])

    assert caught.value.problems == (problem,)
