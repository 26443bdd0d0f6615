"""JSON Schema (draft 2020-12) for configs and inputs: checked, self-contained, and bounded in the work it makes."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple
from urllib.parse import unquote

import jsonschema_rs
from jsonschema import Draft202012Validator, ValidationError
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from execsvc.definition.json_values import kind_of
from execsvc.definition.patterns import compile_pattern
from execsvc.definition.problems import Problems, join, listed, shorten
from execsvc.definition.schema_work import CountedValidator, TooMuchWork, budget

#: Steps one check may take, about 3 µs each.
MAX_WORK = 1_000_000
#: Instructions that the patterns of one schema may compile to.
_MAX_PATTERNS = 50_000
#: Problems one check names.
_MAX_PROBLEMS = 100

#: The stock validator takes a millisecond for each part of a schema, and compares each pair of a list's items.
_META = jsonschema_rs.Draft202012Validator(Draft202012Validator.META_SCHEMA)
#: Nothing: what is referred to is inside of the schema, and nothing is ever fetched.
_NOWHERE: Registry[Any] = Registry()


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


def compile_schema(schema: Any) -> Any:
    """Build a validator for a schema from a client. Raises SchemaInvalid."""
    parts = list(_walk(schema))
    _check_parts(parts)
    try:
        _META.validate(schema)
    except jsonschema_rs.ValidationError as error:
        raise SchemaInvalid(tuple(error.instance_path), shorten(error.message, 300)) from error
    except ValueError as error:
        raise SchemaInvalid((), f"the schema cannot be read: {shorten(str(error), 300)}") from error
    _check_references(schema, parts)
    registry = _NOWHERE
    if isinstance(schema, dict) and any("$anchor" in part.schema or "$dynamicAnchor" in part.schema for part in parts):
        # Else it would look for them in all of the schema whenever one is referred to.
        root = DRAFT202012.create_resource(schema)
        registry = registry.with_resource(root.id() or "", root).crawl()
    return CountedValidator(schema, registry=registry)


def check(validator: Any, value: Any, path: str, problems: Problems, *, work: int | None = None) -> None:
    """Note what of a value its schema does not allow, at most 100 problems.

    Can take seconds, for megabytes or for a schema whose references multiply: run it off the event loop, or say how
    many steps of ``work`` it may take at most.
    """
    work = MAX_WORK if work is None else work
    try:
        with budget(work):
            for error in itertools.islice(validator.iter_errors(value), _MAX_PROBLEMS):
                _note(error, path, problems)
    except TooMuchWork:
        problems.add(path, "SCHEMA_TOO_EXPENSIVE", f"the check against the schema takes more than {work} steps")
    except RecursionError:
        problems.add(path, "SCHEMA_TOO_EXPENSIVE", "the schema refers to itself without end")


def _note(error: ValidationError, path: str, problems: Problems) -> None:
    place = join(path, error.absolute_path)
    match error.validator:
        case "additionalProperties" | "unevaluatedProperties" if isinstance(error.schema, Mapping):
            known = error.schema.get("properties", {})
            extra = [key for key in error.instance if key not in known] if isinstance(error.instance, dict) else []
            for key in extra:
                expected = f"; known are {listed(known)}" if known else ""
                hint = problems.hint(key, known) or expected
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


class _Part(NamedTuple):
    """An object inside of a schema that may be a schema itself."""

    keys: tuple[str | int, ...]
    schema: dict[str, Any]
    #: Whether it is one by the keywords that lead to it; what follows an unknown keyword is none.
    certain: bool


def _check_parts(parts: list[_Part]) -> None:
    """Refuse what would reach outside of the schema, or is not bounded."""
    size = 0
    for keys, part, _ in parts:
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
                size += compile_pattern(pattern).size
            except ValueError as error:
                raise SchemaInvalid((*keys, "pattern"), str(error)) from error
            if size > _MAX_PATTERNS:
                raise SchemaInvalid((*keys, "pattern"), "the patterns of the schema are too large together")


#: Keywords whose values are data, or maps of names to schemas, or schemas, or lists of them.
_DATA = frozenset({"const", "enum", "default", "examples"})
_NAMED = frozenset({"properties", "$defs", "definitions", "dependentSchemas"})
_SCHEMAS = frozenset(
    {"additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"}
    | {"unevaluatedItems", "unevaluatedProperties", "allOf", "anyOf", "oneOf", "prefixItems"}
)


def _walk(schema: Any) -> Iterator[_Part]:
    stack: list[tuple[tuple[str | int, ...], Any, bool, bool]] = [((), schema, False, True)]
    while stack:
        keys, part, named, certain = stack.pop()
        if isinstance(part, list):
            stack += [((*keys, i), item, False, certain) for i, item in enumerate(part)]
        elif isinstance(part, dict):
            if not named:
                yield _Part(keys, part, certain)
            stack += [
                ((*keys, key), item, not named and key in _NAMED, certain and (named or key in _NAMED | _SCHEMAS))
                for key, item in part.items()
                if named or key not in _DATA
            ]


def _check_references(schema: Any, parts: list[_Part]) -> None:
    """Refuse references to what is no schema: nothing there, or data, of which nothing was checked."""
    schemas = {id(part.schema) for part in parts if part.certain}
    anchors = {part.schema.get(name) for part in parts if part.certain for name in ("$anchor", "$dynamicAnchor")}
    for keys, part, certain in parts:
        for name in ("$ref", "$dynamicRef"):
            reference = part.get(name)
            if not certain or not isinstance(reference, str):
                continue
            place = reference[1:]
            if place and not place.startswith("/"):
                found = place in anchors
            else:
                target = _target(schema, place)
                found = isinstance(target, bool) or id(target) in schemas
            if not found:
                raise SchemaInvalid(
                    (*keys, name), f"the reference {shorten(reference)!r} leads nowhere, or to no schema"
                )


def _target(schema: Any, pointer: str) -> Any:
    """Follow a JSON pointer (RFC 6901, in a fragment); None where it leads nowhere."""
    target = schema
    for step in unquote(pointer).split("/")[1:]:
        if isinstance(target, dict):
            target = target.get(step.replace("~1", "/").replace("~0", "~"))
        elif isinstance(target, list) and step.isdecimal() and len(step) < 10 and int(step) < len(target):
            target = target[int(step)]
        else:
            return None
    return target
