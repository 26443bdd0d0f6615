"""Which parts of a scope an expression reads, found in its syntax tree.

Only those parts are handed to CEL: converting Python values costs far more than evaluating on them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from execsvc.definition.cel_ast import Expr, children
from execsvc.definition.scope import ROOTS

#: A place in a scope: root, then literal keys. ``nodes.a["x"]`` is ("nodes", "a", "x").
Path = tuple[str, ...]

WHOLE, PRESENCE = "whole", "presence"


@dataclass(frozen=True, slots=True, kw_only=True)
class Reference:
    """One place in the text that reads from the scope."""

    path: Path
    #: Whether only the presence of the last key is asked for, as ``has(nodes.a)`` does.
    presence: bool
    #: ``Expr.id`` of the tree's node that stands for the value.
    expr_id: int


def find_references(root: Expr) -> tuple[Reference, ...]:
    """List what a tree reads, in source order. Names bound by macros hide the scope's."""
    return tuple(_find(root, frozenset()))


def _find(node: Expr, bound: frozenset[str]) -> Iterator[Reference]:
    path = _literal_path(node, bound)
    if path is not None:
        presence = node.WhichOneof("kind") == "select_expr" and node.select_expr.test_only
        yield Reference(path=path, presence=presence, expr_id=node.id)
    elif node.WhichOneof("kind") == "comprehension_expr":
        loop = node.comprehension_expr
        inner = bound | {loop.iter_var, loop.accu_var}
        yield from _find(loop.iter_range, bound)
        yield from _find(loop.accu_init, bound)
        for part in (loop.loop_condition, loop.loop_step, loop.result):
            yield from _find(part, inner)
    else:
        for child in children(node):
            yield from _find(child, bound)


def _literal_path(node: Expr, bound: frozenset[str]) -> Path | None:
    keys: list[str] = []
    while True:
        match node.WhichOneof("kind"):
            case "ident_expr":
                name = node.ident_expr.name.removeprefix(".")
                if name not in ROOTS or name in bound:
                    return None
                return (name, *reversed(keys))
            case "select_expr":
                if node.select_expr.test_only and keys:
                    return None
                keys.append(node.select_expr.field)
                node = node.select_expr.operand
            case "call_expr" if node.call_expr.function == "_[_]":
                operand, key = node.call_expr.args
                if key.WhichOneof("kind") != "const_expr" or key.const_expr.WhichOneof("kind") != "string_value":
                    return None
                keys.append(key.const_expr.string_value)
                node = operand
            case _:
                return None


class Projection:
    """Cuts a scope down to what a set of references reads."""

    __slots__ = ("_tree",)

    def __init__(self, references: tuple[Reference, ...]) -> None:
        tree: dict[str, Any] = {}
        for reference in references:
            branch: Any = tree
            for key in reference.path[:-1]:
                below = branch.get(key)
                if below is WHOLE:
                    break
                if below is None or below is PRESENCE:
                    below = branch[key] = {}
                branch = below
            else:
                last = reference.path[-1]
                if not reference.presence:
                    branch[last] = WHOLE
                else:
                    branch.setdefault(last, PRESENCE)
        self._tree = tree

    def apply(self, values: Mapping[str, Any], leaves: list[Any]) -> dict[str, Any]:
        """Build the smaller scope, and append each value taken over whole to ``leaves``."""
        return _cut(self._tree, values, leaves)


def _cut(tree: Mapping[str, Any], value: Mapping[str, Any], leaves: list[Any]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, below in tree.items():
        if key not in value:
            continue
        item = value[key]
        if below is WHOLE:
            leaves.append(item)
        elif below is PRESENCE:
            item = True
        elif isinstance(item, Mapping):
            item = _cut(below, item, leaves)
        elif isinstance(item, list):
            # No key can be selected from a list: an empty one fails in the same way and costs nothing.
            item = []
        elif isinstance(item, str):
            item = ""
        result[key] = item
    return result
