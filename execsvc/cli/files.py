"""Read workflows and inputs from files, and tell problems by the file, line and column they are at."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from execsvc.cli.failures import CliError, Problem, as_cli_error, usage_error
from execsvc.cli.positions import position_of

if TYPE_CHECKING:
    from execsvc.errors import FieldProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class JsonFile:
    """A JSON document and the text it was read from."""

    #: File name as the user wrote it, or the option that held the text.
    name: str
    text: str
    value: Mapping[str, Any]


def read_workflow(file: Path, *, model: str | None = None) -> JsonFile:
    """Read a workflow; ``-`` reads stdin.

    Args:
        model: takes the place of the offline model in every llm node that names it.

    Raises:
        CliError: the file cannot be read or is no JSON, told with line and column.
    """
    document = _parse(str(file), _read(str(file)))
    return document if model is None else _with_model(document, model)


def read_input(option: str | None) -> JsonFile:
    """Read what ``--input`` says: JSON text, ``@file``, or ``@-`` for stdin. None is the empty object.

    Raises:
        CliError: it cannot be read, or is no JSON object.
    """
    if option is None:
        return JsonFile(name="--input", text="{}", value={})
    if option.startswith("@"):
        return _parse(option[1:], _read(option[1:]))
    return _parse("--input", option.encode(errors="surrogateescape"))


@contextmanager
def located(workflow: JsonFile | None, given: JsonFile | None = None) -> Iterator[None]:
    """Add file, line and column to the problems of an error that comes out of the body."""
    try:
        yield
    except Exception as error:
        found = as_cli_error(error)
        if found is None or not found.problems:
            raise
        raise CliError(
            _count(found.problems),
            exit_code=found.exit_code,
            reason=found.reason,
            problems=[with_position(problem, workflow, given) for problem in found.problems],
            metadata=found.metadata,
        ) from error


def with_position(problem: Problem, workflow: JsonFile | None, given: JsonFile | None = None) -> Problem:
    """Say where in its file a problem is."""
    path = problem.path.removeprefix("retry.")
    root = path.replace("[", ".", 1).partition(".")[0]
    document = {"definition": workflow, "input": given}.get(root)
    if document is None or problem.position:
        return problem
    place = position_of(document.text, path.removeprefix(root))
    position = f"{document.name}:{place[0]}:{place[1]}" if place else document.name
    return Problem(path=problem.path, reason=problem.reason, message=problem.message, position=position)


def _count(problems: Sequence[Problem]) -> str:
    return problems[0].message if len(problems) == 1 else f"{len(problems)} problems"


def _read(name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if name == "-" else Path(name).read_bytes()
    except OSError as error:
        raise usage_error(f"cannot read {name}: {(error.strerror or str(error)).lower()}") from error


def _parse(name: str, data: bytes) -> JsonFile:
    from execsvc.definition import load_file_text
    from execsvc.errors import InvalidRequest

    try:
        value = load_file_text(data, filename=name)
    except InvalidRequest as error:
        raise CliError(error.message, problems=[_in_file(found) for found in error.problems]) from error
    return JsonFile(name=name, text=data.decode().removeprefix("\ufeff"), value=value)


def _in_file(found: FieldProblem) -> Problem:
    """Take a problem whose path is a position; its message need not say it again."""
    _, line, column = found.path.rsplit(":", 2)
    message = found.message.removesuffix(f" (line {line}, column {column})")
    return Problem(path="", reason=found.reason, message=message, position=found.path)


def _with_model(document: JsonFile, model: str) -> JsonFile:
    nodes = document.value.get("nodes")
    if not isinstance(nodes, list):
        return document
    value = {**document.value, "nodes": [_node_with_model(node, model) for node in nodes]}
    return JsonFile(name=document.name, text=document.text, value=value)


def _node_with_model(node: Any, model: str) -> Any:
    if not isinstance(node, Mapping) or node.get("type") != "llm":
        return node
    key = "data" if isinstance(node.get("data"), Mapping) else "config"
    config = node.get(key)
    if not isinstance(config, Mapping) or not str(config.get("model", "")).startswith("echo:"):
        return node
    config = {**config, "model": model}
    if isinstance(config.get("parameters"), Mapping):
        # A parameter of the offline model alone.
        config["parameters"] = {name: value for name, value in config["parameters"].items() if name != "delay"}
    return {**node, key: config}
