"""JSON Schema (draft 2020-12) for configs and inputs: checked, self-contained, and bounded in the work it makes.

The stock validator can be made to run for ever: Python's regular expressions backtrack, ``uniqueItems`` compares
each pair, and references can multiply. Here patterns are matched by RE2 (through CEL), items are compared by their
JSON text, and the number of keywords one check may evaluate is limited.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Mapping
from contextvars import ContextVar
from functools import lru_cache
from typing import Any

import orjson
from cel_expr_python import cel
from jsonschema import Draft202012Validator, SchemaError, ValidationError
from jsonschema.validators import extend
from referencing.exceptions import Unresolvable

from execsvc.definition.cost import regex_instructions
from execsvc.definition.json_values import kind_of
from execsvc.definition.problems import Problems, did_you_mean, join, shorten

#: Steps one check may take, about 3 µs each.
MAX_WORK = 1_000_000
#: Steps of the dearer keywords; all others take one.
_WEIGHTS = {"$ref": 10, "$dynamicRef": 10, "allOf": 5, "anyOf": 5, "oneOf": 5, "if": 5, "not": 5}
#: Size of the program a pattern may compile to.
_MAX_PATTERN = 20_000
#: Problems one check names.
_MAX_PROBLEMS = 100

_work: ContextVar[list[int]] = ContextVar("schema_work")
_PATTERN_ENV = cel.NewEnv(variables={"text": cel.Type.STRING})


class SchemaInvalid(Exception):
    """A schema cannot be used.

    Args:
        keys: where in the schema.
        message: what is wrong, for people.
    """

    def __init__(self, keys: tuple[str | int, ...], message: str) -> None:
        self.keys = keys
        self.message = message
        super().__init__(message)


class _TooMuchWork(Exception):
    pass


def compile_schema(schema: Any) -> Any:
    """Build a validator for a schema from a client. Raises SchemaInvalid."""
    _check_parts(schema)
    try:
        Draft202012Validator.check_schema(schema)
    except SchemaError as error:
        raise SchemaInvalid(tuple(error.absolute_path), shorten(error.message, 300)) from error
    except RecursionError as error:
        raise SchemaInvalid((), "the schema is nested too deeply") from error
    validator = _Validator(schema)
    for keys, reference in _references(schema):
        try:
            validator._resolver.lookup(reference)
        except (Unresolvable, ValueError, TypeError) as error:
            raise SchemaInvalid(keys, f"the reference {shorten(reference)!r} leads nowhere") from error
    return validator


def check(validator: Any, value: Any, path: str, problems: Problems, *, work: int | None = None) -> None:
    """Note what of a value its schema does not allow, at most 100 problems.

    Can take seconds, for megabytes or for a schema whose references multiply: run it off the event loop, or say how
    many steps of ``work`` it may take at most.
    """
    work = MAX_WORK if work is None else work
    token = _work.set([work])
    try:
        for error in itertools.islice(validator.iter_errors(value), _MAX_PROBLEMS):
            _note(error, path, problems)
    except _TooMuchWork:
        problems.add(path, "SCHEMA_TOO_EXPENSIVE", f"the check against the schema takes more than {work} steps")
    except RecursionError:
        problems.add(path, "SCHEMA_TOO_EXPENSIVE", "the schema refers to itself without end")
    finally:
        _work.reset(token)


def _note(error: ValidationError, path: str, problems: Problems) -> None:
    place = join(path, error.absolute_path)
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties" if isinstance(error.schema, Mapping):
            known = list(error.schema.get("properties", {}))
            extra = [key for key in error.instance if key not in known] if isinstance(error.instance, dict) else []
            for key in extra:
                expected = f"; known are {', '.join(known)}" if known else ""
                hint = did_you_mean(key, known) or expected
                problems.add(join(place, [key]), "UNKNOWN_FIELD", f"unknown field {shorten(key)!r}{hint}")
        case "required":
            # Each missing field comes as an error of its own whose message names it first.
            wanted: Any = error.validator_value
            key = next((name for name in wanted if error.message.startswith(repr(name))), "")
            problems.add(join(place, [key]), "MISSING_FIELD", f"{key!r} is required")
        case "type":
            wanted = error.validator_value
            text = " or ".join(wanted) if isinstance(wanted, list) else str(wanted)
            problems.add(place, "WRONG_TYPE", f"must be of type {text}, not {kind_of(error.instance)}")
        case _:
            problems.add(place, "INVALID_VALUE", shorten(error.message, 300))


def _check_parts(schema: Any) -> None:
    """Refuse what would reach outside of the schema, or is not bounded."""
    for keys, part in _walk(schema):
        for name in ("$ref", "$dynamicRef"):
            reference = part.get(name)
            if isinstance(reference, str) and not reference.startswith("#"):
                raise SchemaInvalid(
                    (*keys, name),
                    f"{shorten(reference)!r} is outside of the schema; only references to '#…' are allowed",
                )
        if "$id" in part and isinstance(part["$id"], str) and keys:
            raise SchemaInvalid((*keys, "$id"), "'$id' inside of a schema is not supported; refer to '#/$defs/…'")
        dialect = part.get("$schema")
        if isinstance(dialect, str) and dialect.rstrip("#") != Draft202012Validator.META_SCHEMA["$id"]:
            raise SchemaInvalid(
                (*keys, "$schema"), f"only draft 2020-12 is supported ({Draft202012Validator.META_SCHEMA['$id']})"
            )
        if isinstance(part.get("patternProperties"), dict):
            raise SchemaInvalid(
                (*keys, "patternProperties"), "'patternProperties' is not supported; use 'propertyNames'"
            )
        pattern = part.get("pattern")
        if isinstance(pattern, str):
            try:
                _matcher(pattern)
            except ValueError as error:
                raise SchemaInvalid((*keys, "pattern"), str(error)) from error


#: Keywords whose values are data, or maps of names to schemas.
_DATA = {"const", "enum", "default", "examples"}
_NAMED = {"properties", "$defs", "definitions", "dependentSchemas"}


def _walk(schema: Any) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    stack: list[tuple[tuple[str | int, ...], Any, bool]] = [((), schema, False)]
    while stack:
        keys, part, named = stack.pop()
        if isinstance(part, list):
            stack += [((*keys, i), item, False) for i, item in enumerate(part)]
        elif isinstance(part, dict):
            if not named:
                yield keys, part
            stack += [
                ((*keys, key), item, not named and key in _NAMED)
                for key, item in part.items()
                if named or key not in _DATA
            ]


def _references(schema: Any) -> Iterator[tuple[tuple[str | int, ...], str]]:
    for keys, part in _walk(schema):
        if isinstance(part.get("$ref"), str):
            yield (*keys, "$ref"), part["$ref"]


@lru_cache(maxsize=256)
def _matcher(pattern: str) -> Callable[[str], bool]:
    """Match by RE2, which takes time by the length of the text whatever the pattern. Raises ValueError."""
    if regex_instructions(pattern) > _MAX_PATTERN:
        raise ValueError("the pattern is too large; use smaller repeat counts")
    program = _PATTERN_ENV.compile(f"text.matches({json.dumps(pattern, ensure_ascii=False)})")

    def match(text: str) -> bool:
        value = program.eval(data={"text": text})
        if value.type().name() == "ERROR":
            raise ValueError(f"the pattern {shorten(pattern)!r} is not supported (RE2 syntax, no look-around)")
        return value.plain_value() is True

    match("")
    return match


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if isinstance(instance, str) and not _matcher(pattern)(instance):
        yield ValidationError(f"{shorten(instance)!r} does not match {shorten(pattern)!r}")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if unique is True and isinstance(instance, list):
        seen = {orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in instance}
        if len(seen) < len(instance):
            yield ValidationError("the list holds the same item more than once")


def _counted(keyword: Callable[..., Any], weight: int) -> Callable[..., Any]:
    def evaluate(validator: Any, value: Any, instance: Any, schema: Any) -> Any:
        left = _work.get(None)
        if left is not None:
            left[0] -= weight
            if left[0] < 0:
                raise _TooMuchWork
        return keyword(validator, value, instance, schema)

    return evaluate


_Validator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator,
    {
        name: _counted(keyword, _WEIGHTS.get(name, 1))
        for name, keyword in {
            **Draft202012Validator.VALIDATORS,
            "pattern": _pattern,
            "uniqueItems": _unique_items,
        }.items()
    },
)
