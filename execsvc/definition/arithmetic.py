"""Rewrite compiled CEL so that integers and doubles mix in + - * /, as JSON data needs.

CEL refuses ``int * double``. Overloads written in Python would cost a leak of about 130 bytes a call in cel-expr-python
0.1.3 (argument tuples are never released), so the checker only gets their declarations and the operation itself is
spelled out in CEL: ``a * b`` becomes ``type(a) == int && type(b) == double ? double(a) * b : …``.
"""

from __future__ import annotations

from collections.abc import Sequence

from cel_expr_python import cel

from execsvc.definition.cel_ast import DOUBLE, INT, Checked, Expr, children

_OPERATORS = {"_+_": "add", "_-_": "subtract", "_*_": "multiply", "_/_": "divide"}
#: Operations of one expression that may need rewriting; each takes up to 0.3 ms, once.
MAX_OPERATIONS = 64
# These mix at run time already; only the checker has to be told.
_COMPARISONS = {
    "_==_": "equals",
    "_!=_": "not_equals",
    "_<_": "less",
    "_<=_": "less_equals",
    "_>_": "greater",
    "_>=_": "greater_equals",
}


def mixed_declarations() -> cel.CelExtension:
    """Declare the mixed overloads, for the checker only."""
    double, truth = cel.Type.DOUBLE, cel.Type.BOOL
    return cel.CelExtension(
        "execsvc.mixed",
        [_declare(operator, name, double) for operator, name in _OPERATORS.items()]
        + [_declare(operator, name, truth) for operator, name in _COMPARISONS.items()],
    )


def _declare(operator: str, name: str, result: cel.Type) -> cel.FunctionDecl:
    int_, double = cel.Type.INT, cel.Type.DOUBLE
    return cel.FunctionDecl(
        operator,
        [
            cel.Overload(f"{name}_int64_double", result, [int_, double]),
            cel.Overload(f"{name}_double_int64", result, [double, int_]),
        ],
    )


class TooManyOperations(Exception):
    """The expression has more operations than are rewritten."""


def check_operations(checked: Checked, nodes: Sequence[Expr]) -> None:
    """Raise TooManyOperations where ``allow_mixed`` would have too much to do with these nodes."""
    candidates = sum(node.call_expr.function in _OPERATORS for node in nodes)
    if candidates > MAX_OPERATIONS and _Rewriter(checked).count(nodes) > MAX_OPERATIONS:
        raise TooManyOperations


def allow_mixed(checked: Checked) -> bool:
    """Rewrite in place every operation whose operands may be of different kinds; tell whether there was one."""
    return _Rewriter(checked).run()


class _Rewriter:
    def __init__(self, checked: Checked) -> None:
        self._root = checked.expr
        # 0 where the type is only known at run time.
        self._types = {
            entry.key: entry.value.primitive or (-1 if entry.value.WhichOneof("kind") else 0)
            for entry in checked.type_map
        }
        self._next_id = max(self._types, default=0)
        self._changed = False

    def count(self, nodes: Sequence[Expr]) -> int:
        return sum(self._mixes(node) for node in nodes)

    def run(self) -> bool:
        self._visit(self._root)
        return self._changed

    def _visit(self, node: Expr) -> None:
        for child in children(node):
            self._visit(child)
        if self._mixes(node):
            self._changed = True
            self._replace(node)

    def _mixes(self, node: Expr) -> bool:
        if node.WhichOneof("kind") != "call_expr" or node.call_expr.function not in _OPERATORS:
            return False
        kinds = [self._kind(operand) for operand in node.call_expr.args]
        # -1 is any other type, for which there is nothing to mix.
        return -1 not in kinds and kinds not in ([INT, INT], [DOUBLE, DOUBLE])

    def _kind(self, node: Expr) -> int:
        kind = self._types.get(node.id, 0)
        return kind if kind in (0, INT, DOUBLE) else -1

    def _replace(self, node: Expr) -> None:
        original = type(node)()
        original.CopyFrom(node)
        operator = original.call_expr.function
        left, right = original.call_expr.args
        kinds = self._kind(left), self._kind(right)
        bound: list[tuple[str, Expr]] = []
        left, right = self._bind(left, bound), self._bind(right, bound)
        plain = self._call(operator, left, right)
        left_mixed = self._call(operator, self._call("double", left), right)
        right_mixed = self._call(operator, left, self._call("double", right))
        match kinds:
            case (2, 4):
                result = left_mixed
            case (4, 2):
                result = right_mixed
            case (0, 4):
                result = self._choose(self._is(left, "int"), left_mixed, plain)
            case (4, 0):
                result = self._choose(self._is(right, "int"), right_mixed, plain)
            case (0, 2):
                result = self._choose(self._is(left, "double"), right_mixed, plain)
            case (2, 0):
                result = self._choose(self._is(right, "double"), left_mixed, plain)
            case _:
                left_first = self._call("_&&_", self._is(left, "int"), self._is(right, "double"))
                right_first = self._call("_&&_", self._is(left, "double"), self._is(right, "int"))
                mixed = self._choose(left_first, left_mixed, self._choose(right_first, right_mixed, plain))
                result = self._choose(self._call("_==_", self._type(left), self._type(right)), plain, mixed)
        for name, value in reversed(bound):
            result = self._let(name, value, result)
        original_id = node.id
        node.CopyFrom(result)
        node.id = original_id

    def _bind(self, operand: Expr, bound: list[tuple[str, Expr]]) -> Expr:
        """Name an operand that is not trivially cheap, so that it is evaluated once."""
        probe = operand
        while probe.WhichOneof("kind") == "select_expr":
            probe = probe.select_expr.operand
        if probe.WhichOneof("kind") in ("ident_expr", "const_expr"):
            return operand
        name = f"@mixed{self._new_id()}"
        bound.append((name, operand))
        return self._ident(name)

    def _new_id(self) -> int:
        self._next_id += 1
        return self._next_id

    def _new(self) -> Expr:
        node = type(self._root)()
        node.id = self._new_id()
        return node

    def _ident(self, name: str) -> Expr:
        node = self._new()
        node.ident_expr.name = name
        return node

    def _call(self, function: str, *args: Expr) -> Expr:
        node = self._new()
        node.call_expr.function = function
        for arg in args:
            node.call_expr.args.add().CopyFrom(arg)
        return node

    def _type(self, node: Expr) -> Expr:
        return self._call("type", node)

    def _is(self, node: Expr, type_name: str) -> Expr:
        return self._call("_==_", self._type(node), self._ident(type_name))

    def _choose(self, condition: Expr, yes: Expr, no: Expr) -> Expr:
        return self._call("_?_:_", condition, yes, no)

    def _let(self, name: str, value: Expr, body: Expr) -> Expr:
        """A loop over nothing whose accumulator is the value: how CEL itself spells a local name."""
        node = self._new()
        loop = node.comprehension_expr
        loop.iter_var = "#unused"
        loop.iter_range.id = self._new_id()
        loop.iter_range.list_expr.SetInParent()
        loop.accu_var = name
        loop.accu_init.CopyFrom(value)
        loop.loop_condition.id = self._new_id()
        loop.loop_condition.const_expr.bool_value = False
        loop.loop_step.CopyFrom(self._ident(name))
        loop.result.CopyFrom(body)
        return node
