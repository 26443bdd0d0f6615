"""Find or make a JSON value that fits a JSON Schema, for the offline model."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from execsvc.definition.problems import Problems
from execsvc.definition.schemas import check, compile_schema

#: How many opening brackets of a text are tried: each try may read the rest of it.
_MOST_TRIES = 16
#: A schema that needs deeper values gets null there, and fails its own validation.
_MOST_DEPTH = 16
#: Bound on elements and characters made for minItems and minLength.
_MOST_LENGTH = 1000

_FORMATS = {
    "date": "2000-01-01",
    "date-time": "2000-01-01T00:00:00Z",
    "email": "echo@example.com",
    "time": "00:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


class Wanted:
    """A JSON value that is asked for by its schema. Raises SchemaInvalid for a schema that cannot be used."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self._schema = dict(schema)
        self._validator = compile_schema(self._schema)

    def find(self, text: str) -> Any:
        """Answer the first JSON value in the text that fits, else a minimal value made from the schema."""
        for value in _values(text):
            problems = Problems()
            check(self._validator, value, "$", problems)
            if not problems:
                return value
        return sample(self._schema)


def sample(schema: Any) -> Any:
    """Make a small value for a schema: its const, default, first example or enum member, else built by type.

    It honours what most schemas say (types, required, bounds, local references, the first of anyOf and oneOf);
    patterns and conditionals it does not, so the value need not be valid.
    """
    return _sample(schema, schema, 0)


def _values(text: str) -> Iterator[Any]:
    decoder = json.JSONDecoder()
    position = 0
    for _ in range(_MOST_TRIES):
        starts = [start for bracket in "{[" if (start := text.find(bracket, position)) >= 0]
        if not starts:
            return
        try:
            value, position = decoder.raw_decode(text, min(starts))
        except (ValueError, RecursionError):
            position = min(starts) + 1
        else:
            yield value


def _sample(schema: Any, root: Any, depth: int) -> Any:
    if not isinstance(schema, Mapping) or depth > _MOST_DEPTH:
        return None
    reference = schema.get("$ref")
    if isinstance(reference, str):
        return _sample(_resolve(reference, root), root, depth + 1)
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    for key in ("examples", "enum"):
        if schema.get(key):
            return schema[key][0]
    for key in ("anyOf", "oneOf", "allOf"):
        if schema.get(key):
            parts = schema[key] if key == "allOf" else schema[key][:1]
            return _sample(_merge([schema, *parts], root, without=key), root, depth + 1)
    return _by_type(schema, root, depth)


def _by_type(schema: Mapping[str, Any], root: Any, depth: int) -> Any:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = kind[0] if kind else None
    if kind == "object" or (kind is None and ("properties" in schema or "required" in schema)):
        properties = schema.get("properties", {})
        return {name: _sample(properties.get(name, {}), root, depth + 1) for name in schema.get("required", [])}
    if kind == "array" or (kind is None and "items" in schema):
        count = min(int(schema.get("minItems", 0)), _MOST_LENGTH)
        return [_sample(schema.get("items", {}), root, depth + 1) for _ in range(count)]
    if kind == "string":
        text = _FORMATS.get(schema.get("format", ""), "echo")[: schema.get("maxLength", _MOST_LENGTH)]
        return text.ljust(min(int(schema.get("minLength", 0)), _MOST_LENGTH), "o")
    if kind in ("integer", "number"):
        return _number(schema, whole=kind == "integer")
    return {"boolean": False}.get(str(kind))


def _number(schema: Mapping[str, Any], *, whole: bool) -> float | int:
    step = schema.get("multipleOf", 1)
    low, high = schema.get("minimum"), schema.get("maximum")
    above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
    value: float | int = 0
    if low is not None and low > value:
        value = -(-low // step) * step
    if above is not None and above >= value:
        value = (above // step + 1) * step
    if high is not None and high < value:
        value = high // step * step
    if below is not None and below <= value:
        value = (-(-below // step) - 1) * step
    return int(value) if whole or value == int(value) else value


def _merge(schemas: list[Any], root: Any, *, without: str) -> dict[str, Any]:
    merged: dict[str, Any] = {}
    for part in schemas:
        if isinstance(part, Mapping) and isinstance(part.get("$ref"), str):
            part = _resolve(part["$ref"], root)
        if not isinstance(part, Mapping):
            continue
        for key, value in part.items():
            if key == without and part is schemas[0]:
                continue
            if key == "properties" and isinstance(value, Mapping):
                merged[key] = {**merged.get(key, {}), **value}
            elif key == "required" and isinstance(value, list):
                merged[key] = [*merged.get(key, []), *value]
            else:
                merged[key] = value
    return merged


def _resolve(reference: str, root: Any) -> Any:
    """Follow a reference inside the schema (``#/$defs/x``); anything else gives the empty schema."""
    if not reference.startswith("#"):
        return {}
    target = root
    for step in reference[1:].split("/")[1:]:
        name = step.replace("~1", "/").replace("~0", "~")
        if not isinstance(target, Mapping) or name not in target:
            return {}
        target = target[name]
    return target
