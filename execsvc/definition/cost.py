"""Bound the time an expression can take on data of given sizes, before it runs.

CEL cannot be interrupted and holds the interpreter. It stops after 10,000 loop iterations, but one iteration may copy
or compare as much as the data allows, and ``map`` and ``filter`` copy their result at each step. So the tree is walked
once with sizes in place of values; each operation adds how often it can run times what it can cost. The result is an
upper bound, given the constants below: measured on one core at 2 to 3 GHz, then rounded up by half or more.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from execsvc.definition.cel_ast import Checked, Expr
from execsvc.definition.references import Reference

#: Bytes of text that count as much as one number.
_UNIT = 64
#: Iterations after which CEL gives up, over all loops of an evaluation.
_ITERATIONS = 10_000

# Nanoseconds.
_STEP = 60  # evaluating one node of the tree
_ARITHMETIC = 400  # + - * / with the mixed-number rules spelled out
_CONVERT_IN = 400  # handing one unit to CEL
_CONVERT_OUT = 250  # taking one unit back
_COPY = 50  # copying one element of a list
_COMPARE = 150  # comparing two units
_SCAN = 70  # counting the characters of a unit of text
_SEARCH = 450  # looking for a unit of text in another
_OTHER = 800  # any other function, a unit of its arguments
_CALL = 2_000  # the same, at least
_REGEX_COMPILE = 1_500  # one instruction; patterns are compiled at each call
_REGEX_BYTE = 2.0  # matching one byte
_REGEX_STATE = 0.05  # matching one byte, more for each instruction

_COMPARISONS = {"_==_", "_!=_", "_<_", "_<=_", "_>_", "_>=_"}
_ARITHMETIC_OPERATORS = {"_-_", "_*_", "_/_", "_%_", "-_"}
_LOGIC = {"_&&_", "_||_", "!_", "@not_strictly_false", "type"}
_KEEP_SIZE = {"string", "bytes"}


@dataclass(frozen=True, slots=True)
class Size:
    """How large a value can be, in units: one number, key with value, or 64 bytes of text each."""

    #: Elements of the longest list or map in it, or units of the longest text.
    length: float
    #: Average over all the times it is computed.
    mean: float
    #: The largest it can be any one time.
    peak: float


_SCALAR = Size(1, 1, 1)


def units(value: Any) -> int:
    """Measure a JSON value in units, from above. Raises TypeError where it is nested deeper than 254 levels."""
    kind = type(value)
    if kind is str:
        return 1 + (len(value) >> 6 if value.isascii() else len(value) >> 4)
    if kind is int or kind is float or kind is bool or value is None:
        return 1
    data = orjson.dumps(value)
    # Commas and brackets inside texts count too, which errs on the safe side.
    return 1 + data.count(b",") + data.count(b"[") + data.count(b"{") + len(data) // _UNIT


def longest(value: Any) -> int:
    """Measure the longest list, map or text in a JSON value."""
    result = 1
    stack = [value]
    while stack:
        item = stack.pop()
        kind = type(item)
        if kind is dict or kind is list:
            result = max(result, len(item))
            stack += [part for part in (item.values() if kind is dict else item) if type(part) in _LONG]
        elif kind is str and len(item) > _UNIT:
            result = max(result, units(item))
    return result


_LONG = frozenset({dict, list, str})


class CostModel:
    """The cost of one expression as a function of the sizes of what it reads."""

    __slots__ = ("_paths", "_root")

    def __init__(self, checked: Checked, references: tuple[Reference, ...]) -> None:
        self._root = checked.expr
        self._paths = {r.expr_id: None if r.presence else r.path for r in references}

    def nanoseconds(self, size_of: Callable[[tuple[str, ...]], Size]) -> float:
        """Bound the time of one evaluation."""
        sizes = {path: size_of(path) for path in set(self._paths.values()) if path is not None}
        walk = _Walk({i: _SCALAR if path is None else sizes[path] for i, path in self._paths.items()})
        result = walk.visit(self._root, 1, {})
        read = sum(size.peak for size in sizes.values())
        return walk.total + read * _CONVERT_IN + result.peak * _CONVERT_OUT


class _Walk:
    def __init__(self, leaves: Mapping[int, Size]) -> None:
        self._leaves = leaves
        self.total = 0.0
        # Size of what the innermost loop appends to its result.
        self._appended = _SCALAR

    def visit(self, node: Expr, times: float, names: Mapping[str, Size]) -> Size:
        """Add the cost of a node that runs ``times`` times, and bound its value."""
        self.total += times * _STEP
        if node.id in self._leaves:
            return self._leaves[node.id]
        match node.WhichOneof("kind"):
            case "const_expr":
                text = node.const_expr.string_value
                length = 1 + len(text) * 4 // _UNIT
                return Size(length, length, length)
            case "ident_expr":
                return names.get(node.ident_expr.name, _SCALAR)
            case "select_expr":
                size = self.visit(node.select_expr.operand, times, names)
                return _SCALAR if node.select_expr.test_only else size
            case "list_expr":
                return self._literal([self.visit(item, times, names) for item in node.list_expr.elements], times)
            case "struct_expr":
                parts = []
                for entry in node.struct_expr.entries:
                    parts += [self.visit(entry.map_key, times, names), self.visit(entry.value, times, names)]
                return self._literal(parts, times)
            case "call_expr":
                return self._call(node.call_expr, times, names)
            case "comprehension_expr":
                return self._loop(node.comprehension_expr, times, names)
            case _:
                return _SCALAR

    def _literal(self, parts: list[Size], times: float) -> Size:
        self.total += times * len(parts) * _STEP
        count = len(parts) + 1
        return Size(
            max([count, *(p.length for p in parts)]),
            count + sum(p.mean for p in parts),
            count + sum(p.peak for p in parts),
        )

    def _call(self, call: Any, times: float, names: Mapping[str, Size]) -> Size:
        function = call.function
        if function == "_+_" and call.args[0].ident_expr.name == "@result" and "@result" in names:
            return self._append(call.args[1], times, names)
        nodes = [call.target, *call.args] if call.HasField("target") else list(call.args)
        args = [self.visit(arg, times, names) for arg in nodes]
        cost: float
        result = _SCALAR
        if function in _LOGIC:
            cost = 0
        elif function == "_?_:_":
            cost = 0
            result = _larger(args[1], args[2])
        elif function in ("_[_]", "dyn"):
            cost = _SCAN * (args[1].mean if len(args) > 1 else 0)
            result = args[0]
        elif function in _COMPARISONS:
            cost = _COMPARE * min(arg.mean for arg in args)
        elif function == "@in":
            cost = _COMPARE * args[1].mean
        elif function in _ARITHMETIC_OPERATORS:
            cost = _ARITHMETIC
        elif function == "_+_":
            cost = _ARITHMETIC + _COPY * sum(min(arg.length, arg.mean) for arg in args)
            result = Size(sum(arg.length for arg in args), sum(arg.mean for arg in args), sum(arg.peak for arg in args))
        elif function == "size":
            cost = _SCAN * args[0].mean
        elif function in ("contains", "startsWith", "endsWith"):
            cost = _SEARCH * min(args[0].mean * args[1].peak, args[0].peak * args[1].mean)
        elif function == "matches":
            program = regex_instructions(nodes[1].const_expr.string_value)
            cost = program * _REGEX_COMPILE + args[0].mean * _UNIT * (_REGEX_BYTE + _REGEX_STATE * program)
        else:
            cost = _CALL + _OTHER * sum(arg.mean for arg in args)
            result = args[0] if function in _KEEP_SIZE else _SCALAR
        self.total += times * cost
        return result

    def _append(self, item: Expr, times: float, names: Mapping[str, Size]) -> Size:
        # The whole result is copied for each element that joins it, half of it on average.
        self.total += times * _COPY * names["@result"].length / 2
        self._appended = self.visit(item, times, names)
        return _SCALAR

    def _loop(self, loop: Any, times: float, names: Mapping[str, Size]) -> Size:
        over = self.visit(loop.iter_range, times, names)
        self.visit(loop.accu_init, times, names)
        rounds = max(1.0, min(over.length, _ITERATIONS))
        inner_times = max(times, min(times * rounds, _ITERATIONS))
        # All elements together are no larger than the list; but values of outer loops may meet the longest inner one.
        element = Size(over.length, 1 + over.mean * times / inner_times, over.peak)
        inner = {name: Size(size.length, size.peak, size.peak) for name, size in names.items()}
        inner[loop.iter_var] = element
        appends = loop.accu_init.WhichOneof("kind") == "list_expr"
        inner[loop.accu_var] = Size(rounds, rounds, rounds) if appends else _SCALAR
        outer_appended, self._appended = self._appended, _SCALAR
        self.visit(loop.loop_condition, inner_times, inner)
        self.visit(loop.loop_step, inner_times, inner)
        appended, self._appended = self._appended, outer_appended
        self.visit(loop.result, times, inner)
        if not appends:
            return _SCALAR
        mean = rounds + appended.mean * inner_times / times
        # What runs once is its own average.
        peak = mean if times == 1 else rounds + rounds * appended.peak
        return Size(max(rounds, appended.length), mean, peak)


def _larger(a: Size, b: Size) -> Size:
    return Size(max(a.length, b.length), max(a.mean, b.mean), max(a.peak, b.peak))


_REPEAT = re.compile(r"(.)\{(\d+)(?:,(\d*))?\}", re.DOTALL)


def regex_instructions(pattern: str) -> float:
    """Bound the size of the program RE2 makes of a pattern."""
    # Classes of Unicode characters become hundreds of byte ranges, and so does folding of case.
    wide = re.search(r"\\[pPC]|\[\^|\[:\^|\(\?[a-zA-Z-]*i|[^\x00-\x7f]", pattern) is not None
    atom = 2_000 if "\\p" in pattern or "\\P" in pattern or "[:^" in pattern else 100 if wide else 12
    size: float = (len(pattern) + 1) * 4 + (atom if wide else 0) * (pattern.count("\\") + pattern.count("[") + 1)
    factor = 1.0
    for before, low, high in _REPEAT.findall(pattern):
        # RE2 takes no count beyond 1,000; what looks like one is a text.
        times = max(int(low[:4]), int((high or "0")[:4]), 1)
        if before == ")":
            factor *= times
        else:
            size += times * max(atom, 12)
    return size * factor
