"""Reads the filter and the order of ListExecutions (AIP-160, AIP-132)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any, Final

from lark import Lark, Token, Transformer, Tree, v_args
from lark.exceptions import UnexpectedInput, UnexpectedToken, VisitError

from execsvc.errors import FieldProblem, InvalidRequest
from execsvc.model import ExecutionState
from execsvc.model.filters import All, AnyOf, Comparison, Condition, Field, Not, Operator, Order, OrderField
from execsvc.service.checks import LABEL_KEY

#: Characters of a filter, comparisons in it, and parentheses within parentheses.
MAX_FILTER: Final = 4_096
MAX_COMPARISONS: Final = 50
MAX_NESTING: Final = 20

# OR binds tighter than AND, and two terms side by side mean AND: so it stands in AIP-160.
_GRAMMAR: Final = r"""
    start: expression?
    expression: factor ("AND"? factor)*
    factor: term ("OR" term)*
    ?term: NEGATION simple -> negated
         | simple
    ?simple: "(" expression ")"
           | comparison
    comparison: (TEXT | LABEL) OPERATOR (TEXT | STRING | SIGNED | TIME)
    NEGATION.2: /NOT(?=[\s(])/ | "-"
    OPERATOR: "!=" | "<=" | ">=" | "=" | "<" | ">" | ":"
    TEXT: /(?!(?:AND|OR|NOT)\b)[A-Za-z0-9_][A-Za-z0-9_.\/-]*/
    LABEL.2: /labels\.(?:"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*')/
    SIGNED: /-[0-9]+/
    TIME.2: /[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+(?:Z|[+-][0-9]{2}:[0-9]{2})?/
    STRING: /"(?:[^"\\]|\\.)*"/ | /'(?:[^'\\]|\\.)*'/
    %ignore /\s+/
"""
_PARSER: Final = Lark(_GRAMMAR, parser="lalr")
_TIMES: Final = frozenset({Field.CREATE_TIME, Field.START_TIME, Field.END_TIME})
_NUMBER: Final = re.compile("-?[0-9]{1,9}")
_STATE_PREFIX: Final = "EXECUTION_STATE_"


class _Wrong(Exception):
    """A comparison makes no sense."""


@v_args(inline=True)
class _Build(Transformer[Token, Condition]):
    def start(self, expression: Condition | None = None) -> Condition:
        return All(parts=()) if expression is None else expression

    def expression(self, *parts: Condition) -> Condition:
        return parts[0] if len(parts) == 1 else All(parts=parts)

    def factor(self, *parts: Condition) -> Condition:
        return parts[0] if len(parts) == 1 else AnyOf(parts=parts)

    def negated(self, _: Token, part: Condition) -> Condition:
        return Not(part=part)

    def comparison(self, name: Token, operator: Token, value: Token) -> Condition:
        text = _unquoted(value)
        where = f"column {(name.start_pos or 0) + 1}"
        if name == "labels":
            if operator != ":":
                raise _Wrong(f'{where}: write labels.KEY = "value", or labels:KEY for whether there is one')
            return Comparison(field=Field.LABEL, operator=Operator.HAS, value="", label=_key(text, where))
        if name.startswith("labels."):
            if operator not in ("=", "!=", ":"):
                raise _Wrong(f"{where}: a label can be compared with = and !=")
            key = name.removeprefix("labels.")
            key = _key(_plain(key) if name.type == "LABEL" else key, where)
            equal = Operator.NOT_EQUAL if operator == "!=" else Operator.EQUAL
            return Comparison(field=Field.LABEL, operator=equal, value=text, label=key)
        try:
            field = Field(name)
        except ValueError:
            known = ", ".join(field.value for field in Field if field is not Field.LABEL)
            raise _Wrong(f"{where}: there is no field {str(name)!r}; there are {known} and labels.KEY") from None
        return Comparison(field=field, operator=_operator(field, operator, where), value=_value(field, text, where))


def _unquoted(token: Token) -> str:
    return _plain(token) if token.type == "STRING" else str(token)


def _key(text: str, where: str) -> str:
    if not LABEL_KEY.fullmatch(text):
        raise _Wrong(f"{where}: no label has the key {text!r}; keys are made of A-Z a-z 0-9 _ . : / -")
    return text


def _plain(quoted: str) -> str:
    body, plain, escaped = quoted[1:-1], [], False
    for character in body:
        if character == "\\" and not escaped:
            escaped = True
        else:
            plain.append(character)
            escaped = False
    return "".join(plain)


def _operator(field: Field, operator: Token, where: str) -> Operator:
    if operator == ":":
        return Operator.EQUAL
    if field in (Field.STATE, Field.WORKFLOW_ID, Field.EXECUTION_ID) and operator not in ("=", "!="):
        raise _Wrong(f"{where}: {field} can be compared with = and !=")
    return Operator(operator)


def _value(field: Field, text: str, where: str) -> str | int:
    if field is Field.STATE:
        try:
            return ExecutionState(text.upper().removeprefix(_STATE_PREFIX)).value
        except ValueError:
            raise _Wrong(f"{where}: there is no state {text!r}; there are {', '.join(ExecutionState)}") from None
    if field is Field.PRIORITY:
        if not _NUMBER.fullmatch(text):
            raise _Wrong(f"{where}: priority is compared with a whole number of up to 9 digits, not {text!r}")
        return int(text)
    if field in _TIMES:
        try:
            time = datetime.fromisoformat(text)
        except ValueError:
            raise _Wrong(f'{where}: {text!r} is no time; write it as "2026-01-31T12:00:00Z"') from None
        time = time if time.tzinfo else time.replace(tzinfo=UTC)
        # Through integers: a float of today's microseconds has no digit to spare.
        since = time - datetime(1970, 1, 1, tzinfo=UTC)
        return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds
    return text


def parse_filter(text: str) -> Condition:
    """Read a filter.

    Raises:
        InvalidRequest: naming the column and what would be right.
    """
    if len(text) > MAX_FILTER:
        raise _invalid("filter", f"has {len(text)} characters; at most {MAX_FILTER} are allowed")
    try:
        tree = _PARSER.parse(text)
        if sum(1 for _ in tree.find_data("comparison")) > MAX_COMPARISONS:
            raise _invalid("filter", f"has more than {MAX_COMPARISONS} comparisons")
        if _nesting(tree) > MAX_NESTING:
            raise _invalid("filter", f"has more than {MAX_NESTING} parentheses within each other")
        condition: Any = _Build().transform(tree)
    except UnexpectedInput as error:
        ended = isinstance(error, UnexpectedToken) and error.token.type == "$END"
        # Lark declares it None in the base class.
        position: Any = error.pos_in_stream
        column = "its end" if ended else f"column {position + 1}"
        example = 'state = FAILED AND labels.team = "billing"'
        raise _invalid("filter", f"cannot be read at {column}; write it like {example}") from error
    except VisitError as error:
        if isinstance(error.orig_exc, _Wrong):
            raise _invalid("filter", str(error.orig_exc)) from error
        raise
    found: Condition = condition
    return found


def _nesting(tree: Tree[Token]) -> int:
    deepest, stack = 0, [(tree, -1)]
    while stack:
        node, depth = stack.pop()
        depth += node.data == "expression"
        deepest = max(deepest, depth)
        stack += [(child, depth) for child in node.children if isinstance(child, Tree)]
    return deepest


def parse_order(text: str) -> Order:
    """Read an order. Raises InvalidRequest."""
    words = text.split()
    if not words:
        return Order()
    fields = {field.value: field for field in OrderField}
    if words[0] not in fields or words[1:] not in ([], ["desc"], ["asc"]):
        raise _invalid("order_by", f"must be one of {', '.join(fields)}, with ' desc' for the newest first")
    return Order(field=fields[words[0]], descending=words[1:] == ["desc"])


def _invalid(path: str, message: str) -> InvalidRequest:
    reason = {"filter": "INVALID_FILTER", "order_by": "INVALID_ORDER_BY"}[path]
    return InvalidRequest([FieldProblem(path=path, reason=reason, message=message)])
