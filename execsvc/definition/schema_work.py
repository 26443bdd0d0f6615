"""The validator of JSON Schemas whose work is counted: each check has so many steps, and no more.

The stock validator can be made to run for ever: Python's regular expressions backtrack, ``uniqueItems`` compares each
pair, references multiply, and one keyword may look at all of a long list or name thousands of fields. Here patterns are
matched by RE2, items are compared by their JSON text, and each keyword takes steps by what it looks at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

import orjson
from jsonschema import Draft202012Validator, ValidationError
from jsonschema.validators import extend

from execsvc.definition.cost import units
from execsvc.definition.patterns import compile_pattern
from execsvc.definition.problems import shorten

#: Steps of the dearer keywords; all others take one, and what they look at.
_WEIGHTS: Final = {"$ref": 10, "$dynamicRef": 10, "allOf": 5, "anyOf": 5, "oneOf": 5, "if": 5, "not": 5, "pattern": 3}
#: Steps of an error: each is an object of its own, and all of one alternative are kept until the next was tried.
_ERROR: Final = 10
#: Keywords that look at each item or field of the value.
_OVER_VALUE: Final = frozenset(
    {"items", "prefixItems", "contains", "propertyNames", "additionalProperties", "unevaluatedItems"}
    | {"unevaluatedProperties"}
)
#: Keywords that look at each entry of their own.
_OVER_ENTRIES: Final = frozenset({"required", "properties", "dependentRequired", "dependentSchemas"})


class TooMuchWork(Exception):
    """A check has used up its steps."""


class _Budget:
    __slots__ = ("left", "sizes")

    def __init__(self, steps: int) -> None:
        self.left = steps
        #: By id of a value inside of the schema, which outlives the check.
        self.sizes: dict[int, int] = {}

    def take(self, steps: int) -> None:
        self.left -= steps
        if self.left < 0:
            raise TooMuchWork

    def size(self, value: Any) -> int:
        found = self.sizes.get(id(value))
        if found is None:
            found = self.sizes[id(value)] = units(value)
        return found


_budget: ContextVar[_Budget | None] = ContextVar("schema_budget", default=None)


@contextmanager
def budget(steps: int) -> Iterator[None]:
    """Count the steps of what is checked meanwhile, about 3 µs each. TooMuchWork is raised past them."""
    token = _budget.set(_Budget(steps))
    try:
        yield
    finally:
        _budget.reset(token)


def _looked_at(name: str) -> Callable[[_Budget, Any, Any], int]:
    """Give how many steps a keyword takes for what it looks at."""
    if name in _OVER_VALUE:
        return lambda budget, value, instance: (
            (2 * len(instance) if isinstance(value, (list, dict)) else len(instance) // 2)
            if isinstance(instance, (list, dict))
            else 0
        )
    if name in _OVER_ENTRIES:
        return lambda budget, value, instance: len(value) // 8 if isinstance(instance, dict) else 0
    if name == "enum":
        return lambda budget, value, instance: (
            len(value) // 4 + (budget.size(value) // 4 if isinstance(instance, (list, dict, str)) else 0)
        )
    if name == "const":
        return lambda budget, value, instance: budget.size(value) // 4 if isinstance(instance, (list, dict, str)) else 0
    return lambda budget, value, instance: 0


def _counted(name: str, keyword: Callable[..., Any]) -> Callable[..., Any]:
    weight, looked_at = _WEIGHTS.get(name, 1), _looked_at(name)

    def evaluate(validator: Any, value: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
        counted = _budget.get()
        if counted is not None:
            counted.take(weight + looked_at(counted, value, instance))
        for error in keyword(validator, value, instance, schema) or ():
            if counted is not None:
                counted.take(_ERROR)
            yield error

    return evaluate


def _pattern(validator: Any, pattern: str, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if not isinstance(instance, str):
        return
    kept = compile_pattern.cache_info().misses
    compiled = compile_pattern(pattern)
    counted = _budget.get()
    if counted is not None:
        made = compile_pattern.cache_info().misses > kept
        counted.take(len(instance) // 256 + (10 + compiled.size // 8 if made else 0))
    if not compiled.found_in(instance):
        yield ValidationError(f"{shorten(instance)!r} does not match {shorten(pattern)!r}")


def _unique_items(validator: Any, unique: Any, instance: Any, schema: Any) -> Iterator[ValidationError]:
    if unique is not True or not isinstance(instance, list):
        return
    seen = [orjson.dumps(item, option=orjson.OPT_SORT_KEYS) for item in instance]
    counted = _budget.get()
    if counted is not None:
        counted.take(2 * len(seen) + sum(map(len, seen)) // 512)
    if len(set(seen)) < len(seen):
        yield ValidationError("the list holds the same item more than once")


_KEYWORDS: Final[Mapping[str, Callable[..., Any]]] = {
    **{name: keyword for name, keyword in Draft202012Validator.VALIDATORS.items() if name != "patternProperties"},
    "pattern": _pattern,
    "uniqueItems": _unique_items,
}

#: Draft 2020-12 without ``patternProperties``, whose patterns nothing bounds.
CountedValidator: Any = extend(  # type: ignore[no-untyped-call]
    Draft202012Validator, {name: _counted(name, keyword) for name, keyword in _KEYWORDS.items()}
)
