"""CEL expressions: compiled once, shared, evaluated on the parts of a scope that they read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping, Sized
from typing import Any

from cel_expr_python import cel

from execsvc.definition import cel_ast
from execsvc.definition.arithmetic import (
    MAX_OPERATIONS,
    TooManyOperations,
    allow_mixed,
    check_operations,
    mixed_declarations,
)
from execsvc.definition.cel_values import EvaluationFailed, NotJson, to_json
from execsvc.definition.cost import CostModel, Size, longest, units
from execsvc.definition.patterns import compile_pattern
from execsvc.definition.references import Path, Projection, find_references
from execsvc.definition.scope import ROOTS, Scope

#: Characters of one expression.
MAX_SOURCE = 16_384
#: Nodes of its tree: each takes some 10 µs when it is first evaluated.
MAX_NODES = 2_000
#: What one evaluation may take at most by ``CostModel``, in nanoseconds; half of that is usual for the real time.
BUDGET = 30e6
#: The same for all expressions of one node: what the event loop may have to wait for it.
BUDGET_TOGETHER = 10 * BUDGET
#: Expressions of one node that need no bound together.
FEW = 10
#: An estimate from the largest value alone up to which no closer one is made.
_SMALL = BUDGET / 100

_VARIABLES = {
    "input": cel.Type.DYN,
    "nodes": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    "execution": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
}
# Two environments: declaring the mixed overloads hides the built-in ones at run time, where they are spelled out.
_CHECKER = cel.NewEnv(variables=_VARIABLES, extensions=[mixed_declarations()])
_RUNTIME = cel.NewEnv(variables=_VARIABLES)


class ExpressionError(Exception):
    """An expression failed on the data it was given.

    Args:
        type: EXPRESSION_FAILED, EXPRESSION_TOO_EXPENSIVE or EXPRESSION_RESULT_NOT_JSON.
        message: what happened, for people.
    """

    def __init__(self, type: str, message: str) -> None:
        self.type = type
        self.message = message
        super().__init__(f"{type}: {message}")


class Allowance:
    """What the expressions of one node may take together, by ``CostModel``."""

    __slots__ = ("_left",)

    def __init__(self) -> None:
        self._left = BUDGET_TOGETHER

    def take(self, nanoseconds: float) -> None:
        """Use some of it up. Raises ExpressionError where there is not so much."""
        self._left -= nanoseconds
        if self._left < 0:
            raise ExpressionError(
                "EXPRESSION_TOO_EXPENSIVE",
                f"the expressions of this node could take more than {BUDGET_TOGETHER / 1e6:.0f} ms together, by "
                "estimate on data of this size; read less data, or make several nodes of it",
            )


def allowance_for(expressions: Sized) -> Allowance | None:
    """Make the allowance of a node's expressions; None where they are so few that each may take its own."""
    return Allowance() if len(expressions) > FEW else None


class ExpressionInvalid(Exception):
    """An expression does not compile.

    Args:
        reason: CEL_SYNTAX, CEL_UNKNOWN_NAME, CEL_TYPE, CEL_TOO_LARGE or CEL_UNSUPPORTED.
        message: what is wrong, for people, with line and column where they are known.
    """

    def __init__(self, reason: str, message: str) -> None:
        self.reason = reason
        self.message = message
        super().__init__(message)


class Expression:
    """A compiled expression. Safe to share; what it caches never changes a result."""

    __slots__ = (
        "_cost",
        "_costs",
        "_path",
        "_program",
        "_projection",
        "_references",
        "_safe_size",
        "_serialized",
        "_visible",
        "node_ids",
        "reads_any_node",
        "result_type",
        "source",
    )

    def __init__(self, source: str) -> None:
        """Compile. Raises ExpressionInvalid."""
        checked, compiled = _compile(source)
        #: The text it was compiled from.
        self.source = source
        #: Type by the checker: "bool", "int", …; "dyn" if only the data decides.
        self.result_type = compiled.return_type().name().lower()
        self._references = find_references(checked.expr)
        #: Ids of the nodes it names, in order of appearance.
        self.node_ids: tuple[str, ...] = tuple(
            dict.fromkeys(r.path[1] for r in self._references if r.path[0] == "nodes" and len(r.path) > 1)
        )
        #: Whether it also computes node ids, or takes ``nodes`` as a whole.
        self.reads_any_node = any(r.path == ("nodes",) for r in self._references)
        self._serialized = compiled.serialize()
        self._projection = Projection(self._references)
        # An expression that is nothing but a path needs no CEL, which would lose the order of keys.
        self._path = next(
            (
                r.path
                for r in self._references
                if r.expr_id == checked.expr.id and not r.presence and r.path != ("nodes",)
            ),
            None,
        )
        self._visible: tuple[Mapping[str, int], int] | None = None
        self._program: Any = None
        self._cost: CostModel | None = None
        #: Estimates for values of one size each, in nanoseconds, by that size.
        self._costs: dict[int, float] = {}
        self._safe_size = 0

    def __repr__(self) -> str:
        return f"Expression({self.source!r})"

    def position(self, node_id: str) -> str:
        """Say where the expression first names a node: "line 1, column 5"."""
        positions = {p.key: p.value for p in cel_ast.read(self._serialized).source_info.positions}
        ids = (r.expr_id for r in self._references if r.path[:2] == ("nodes", node_id))
        return _position(self.source, positions.get(next(ids, 0), 0))

    @property
    def is_path(self) -> bool:
        """Whether it only picks a part of the data, which then is JSON as the data is."""
        return self._path is not None

    def limit_to(self, bits: Mapping[str, int], mask: int) -> None:
        """Let ``nodes`` as a whole hold only those nodes whose bit is set, so that a result depends on nothing else."""
        if self.reads_any_node:
            self._visible = (bits, mask)

    def evaluate(self, scope: Scope, allowance: Allowance | None = None) -> Any:
        """Compute the value as JSON: None, bool, int, float, str, list or dict. Raises ExpressionError.

        Args:
            allowance: what it may take with others; None: what one may.
        """
        nodes: Mapping[str, Any] = scope.nodes
        if self._path is not None:
            found, value = _follow({"input": scope.input, "nodes": nodes, "execution": scope.execution}, self._path)
            if found:
                return value
        if self.reads_any_node:
            nodes = self._visible_nodes(nodes)
        roots = {"input": scope.input, "nodes": nodes, "execution": scope.execution}
        leaves: list[Any] = []
        data = self._projection.apply(roots, leaves)
        try:
            size = max(map(units, leaves), default=1)
        except TypeError as error:
            raise ExpressionError("EXPRESSION_FAILED", f"{self!s} reads a value that is no JSON: {error}") from error
        program = self._program or self._build()
        if allowance is not None:
            allowance.take(self._needed(size, roots, closely=True))
        elif size > self._safe_size:
            self._needed(size, roots)
        try:
            value = program.eval(data=data)
        except (RuntimeError, ValueError) as error:
            raise self._translate(str(error)) from error
        try:
            return to_json(value)
        except NotJson as error:
            raise ExpressionError("EXPRESSION_RESULT_NOT_JSON", f"{self!s}: {error}") from error
        except EvaluationFailed as error:
            raise self._translate(str(error)) from error

    def __str__(self) -> str:
        source = self.source if len(self.source) <= 200 else self.source[:200] + "…"
        return f"expression {source!r}"

    def _visible_nodes(self, nodes: Mapping[str, Any]) -> Mapping[str, Any]:
        if self._visible is None:
            return dict(nodes)
        bits, mask = self._visible
        return {key: value for key, value in nodes.items() if mask >> bits[key] & 1}

    def _build(self) -> Any:
        self._cost = CostModel(cel_ast.read(self._serialized), self._references)
        checked = cel_ast.read(self._serialized)
        if allow_mixed(checked):
            self._program = _RUNTIME.deserialize(cel_ast.write(checked))
        else:
            self._program = _RUNTIME.deserialize(self._serialized)
        return self._program

    def _needed(self, size: int, roots: Mapping[str, Any], *, closely: bool = False) -> float:
        """Estimate the nanoseconds; refuse what could take too long. Remembers sizes at which nothing can.

        Args:
            closely: whether what is far from too long is looked at as well.
        """
        assert self._cost is not None
        uniform = max(64, 1 << (size - 1).bit_length())
        needed = self._costs.get(uniform)
        if needed is None:
            needed = self._costs[uniform] = self._cost.nanoseconds(lambda path: Size(uniform, uniform, uniform))
        if needed <= BUDGET:
            self._safe_size = max(self._safe_size, uniform)
            if needed <= _SMALL or not closely:
                return needed
        # A first guess at the lengths is quick and refuses what is hopeless; the real ones take a walk over the data.
        needed = self._cost.nanoseconds(lambda path: _measure(roots, path, deep=False))
        if needed <= BUDGET:
            needed = self._cost.nanoseconds(lambda path: _measure(roots, path, deep=True))
        if needed > BUDGET:
            raise ExpressionError(
                "EXPRESSION_TOO_EXPENSIVE",
                f"{self!s} could take {needed / 1e6:.0f} ms by estimate on data of this size, "
                f"more than {BUDGET / 1e6:.0f} ms; read less data, or use a simpler expression",
            )
        return needed

    def _translate(self, text: str) -> ExpressionError:
        if "Iteration budget" in text:
            return ExpressionError("EXPRESSION_TOO_EXPENSIVE", f"{self!s} went past 10,000 iterations of its loops")
        message = re.sub(r"^[A-Z_]+: |\s*\[[A-Z_]+\]$", "", text)
        missing = re.fullmatch(r'Key not found in map : "(.*)"', message, re.DOTALL)
        if missing:
            key = missing[1]
            hint = "; that node was skipped or has no result, use has(…)" if key in self.node_ids else ""
            message = f"there is no key {key!r}{hint}"
        return ExpressionError("EXPRESSION_FAILED", f"{self!s} failed: {message}")


def _follow(roots: Mapping[str, Any], path: Path) -> tuple[bool, Any]:
    value: Any = roots
    for key in path:
        if not isinstance(value, Mapping) or key not in value:
            return False, None
        value = value[key]
    return True, value


def _measure(roots: Mapping[str, Any], path: Path, *, deep: bool) -> Size:
    found, value = _follow(roots, path)
    if not found:
        return Size(1, 1, 1)
    size = units(value)
    length = longest(value) if deep else len(value) if isinstance(value, (list, dict)) else size
    return Size(length, size, size)


def _compile(source: str) -> tuple[cel_ast.Checked, Any]:
    if not source.strip():
        raise ExpressionInvalid("CEL_SYNTAX", "the expression is empty")
    if len(source) > MAX_SOURCE:
        raise ExpressionInvalid(
            "CEL_TOO_LARGE", f"the expression has {len(source)} characters; at most {MAX_SOURCE} are allowed"
        )
    try:
        source.encode()
    except UnicodeEncodeError as error:
        raise ExpressionInvalid("CEL_SYNTAX", f"the expression is no valid Unicode: {error.reason}") from error
    try:
        compiled = _CHECKER.compile(source)
        checked = cel_ast.read(compiled.serialize())
        nodes = list(itertools.islice(cel_ast.walk(checked.expr), MAX_NODES + 1))
        if len(nodes) > MAX_NODES:
            raise ExpressionInvalid("CEL_TOO_LARGE", f"the expression has more than {MAX_NODES} parts")
        check_operations(checked, nodes)
    except TooManyOperations as error:
        raise ExpressionInvalid(
            "CEL_TOO_LARGE", f"the expression has more than {MAX_OPERATIONS} additions, subtractions and the like"
        ) from error
    except cel_ast.TooDeep as error:
        raise ExpressionInvalid("CEL_TOO_LARGE", "the expression is nested too deeply") from error
    except (RuntimeError, ValueError) as error:
        raise _invalid(source, str(error)) from error
    for node in nodes:
        _refuse_unsupported(source, node, checked)
    return checked, compiled


def _refuse_unsupported(source: str, node: cel_ast.Expr, checked: cel_ast.Checked) -> None:
    problem, reason = "", "CEL_UNSUPPORTED"
    if node.WhichOneof("kind") == "struct_expr" and node.struct_expr.message_name:
        problem = "protobuf messages cannot be made here; use a map such as {'key': value}"
    elif node.WhichOneof("kind") == "call_expr" and node.call_expr.function == "matches":
        pattern = node.call_expr.args[-1]
        if pattern.const_expr.WhichOneof("kind") != "string_value":
            problem = "the pattern of matches() must be a literal text, so that its cost is known"
        else:
            try:
                compile_pattern(pattern.const_expr.string_value)
            except ValueError as error:
                problem = str(error)
                reason = "CEL_TOO_LARGE" if "too large" in problem else "CEL_SYNTAX"
    if problem:
        offset = next((p.value for p in checked.source_info.positions if p.key == node.id), 0)
        raise ExpressionInvalid(reason, f"{problem} ({_position(source, offset)})")


_ERROR = re.compile(r"ERROR: <input>:(-?\d+):(-?\d+): (.*?)(?=\n \||\nERROR: |\s*\[[A-Z_]+\]$|\Z)", re.DOTALL)


def _invalid(source: str, text: str) -> ExpressionInvalid:
    if "recursion" in text:
        return ExpressionInvalid(
            "CEL_TOO_LARGE", "the expression is nested deeper than 32 levels; a sum of many terms counts one for each"
        )
    found = [(int(line), int(column), message) for line, column, message in _ERROR.findall(text)]
    line, column, message = next((item for item in found if item[0] > 0), (1, 1, text))
    where = f"line {line}, column {column}"
    undeclared = re.match(r"undeclared reference to '([^']*)'", message)
    if undeclared:
        name = undeclared[1].split(".")[0]
        lines = source.split("\n")
        at = lines[line - 1][column - 1 : column] if line <= len(lines) else ""
        if at == "(":
            return ExpressionInvalid("CEL_UNKNOWN_NAME", f"there is no function {undeclared[1]!r} ({where})")
        return ExpressionInvalid(
            "CEL_UNKNOWN_NAME", f"unknown variable {name!r}; expressions see {', '.join(ROOTS)} ({where})"
        )
    if message.startswith("Syntax error"):
        return ExpressionInvalid("CEL_SYNTAX", f"{message.removeprefix('Syntax error: ')} ({where})")
    reason = "CEL_TYPE" if "overload" in message else "CEL_SYNTAX"
    return ExpressionInvalid(reason, f"{message} ({where})")


def _position(source: str, offset: int) -> str:
    before = source[:offset]
    return f"line {before.count(chr(10)) + 1}, column {offset - (before.rfind(chr(10)) + 1) + 1}"
