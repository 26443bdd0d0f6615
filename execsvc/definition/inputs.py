"""The execution's input: its schema, its defaults, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from execsvc.definition.json_values import check_json
from execsvc.definition.node_types import Builder
from execsvc.definition.plan import InputConfig
from execsvc.definition.problems import Problems
from execsvc.definition.schemas import SchemaInvalid, check, compile_schema
from execsvc.errors import FieldProblem


def compile_input(config: Mapping[str, Any], builder: Builder) -> InputConfig | None:
    """Compile the config of an input node."""
    validator = None
    if config.get("schema"):
        try:
            validator = compile_schema(config["schema"])
        except SchemaInvalid as error:
            builder.problem(["schema", *error.keys], "INVALID_SCHEMA", error.message)
            return None
    return InputConfig(validator=validator, defaults=MappingProxyType(dict(config.get("defaults", {}))))


def check_input(
    config: InputConfig, value: Any, *, path: str = "input", work: int | None = None
) -> tuple[Any, tuple[FieldProblem, ...]]:
    """Fill in defaults, then check an input; give the filled copy and all problems, with paths such as ``input.age``.

    The node's ``defaults`` go before those that the schema's properties name. Can take some seconds:
    run it off the event loop, or say how many steps of ``work`` the schema may take, about 3 µs each.
    """
    problems = Problems()
    check_json(value, path, problems)
    if not len(problems):
        value = fill_input(config, value)
        if config.validator is not None:
            check(config.validator, value, path, problems, work=work)
    return value, problems.in_order()


def fill_input(config: InputConfig, value: Any) -> Any:
    """Give a copy of an input with the node's defaults and its schema's filled in, unchecked."""
    if isinstance(value, dict) and config.defaults:
        value = {**config.defaults, **value}
    return value if config.validator is None else _fill(config.validator.schema, value)


def _fill(schema: Any, value: Any) -> Any:
    """Add what the schema's properties name as "default", at every level that is reached through properties."""
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(value, dict) or not isinstance(properties, dict):
        return value
    filled = dict(value)
    for name, part in properties.items():
        if name in filled:
            filled[name] = _fill(part, filled[name])
        elif isinstance(part, dict) and "default" in part:
            filled[name] = part["default"]
    return filled
