"""Writes the statements that list executions and workflows, for whichever database is to run them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from execsvc.model import Execution
from execsvc.model.filters import All, AnyOf, Comparison, Condition, Field, Not, Operator, Order, OrderField
from execsvc.store.protocol import Listed
from execsvc.store.rows import STATUS_COLUMNS, error_of, status_of

#: What ``select_executions`` selects.
LISTED_COLUMNS: Final = (
    f"{STATUS_COLUMNS}, pk, definition_digest, labels, priority, timeout, concurrency_key, retry, error"
)
_COLUMNS: Final = ", ".join(f"e.{column}" for column in LISTED_COLUMNS.split(", "))


@dataclass(frozen=True, slots=True, kw_only=True)
class Dialect:
    """How a database says it."""

    #: Stands for an argument.
    parameter: str
    true: str
    false: str
    #: Before the name of a table.
    schema: str
    #: Joins executions to their labels, read in the order of the labels.
    join: str
    #: The labels of an execution ``e`` as JSON text.
    labels: str
    #: Says that an execution ``e`` has a label, and what its value is; both take one argument.
    has_label: str
    label: str
    #: Makes the argument of a label's key.
    label_argument: Callable[[str], str]


def select_executions(
    say: Dialect, namespace: str, condition: Condition, order: Order, after: tuple[int, int] | None, limit: int
) -> tuple[str, list[Any]]:
    """Write the statement that lists executions, and its arguments.

    It seeks along an index of the order; under a state, workflow or label if given.
    """
    arguments: list[Any] = []
    one = say.parameter
    time, pk, tables, where = f"e.{order.field}", "e.pk", f"{say.schema}executions AS e", f"e.namespace = {one}"
    label = _leading_label(condition)
    if label is not None and order.field is OrderField.CREATE_TIME:
        # The labels are kept in the order of creation, so the list is read off them.
        time, pk = "l.create_time", "l.execution"
        tables = f"{say.schema}execution_labels AS l {say.join} {say.schema}executions AS e ON e.pk = l.execution"
        where = f"l.namespace = {one} AND l.key = {one} AND l.value = {one}"
        arguments += [namespace, label.label, label.value]
    else:
        arguments.append(namespace)
    if order.field is OrderField.END_TIME:
        where += " AND e.end_time IS NOT NULL"
    direction, compare = ("DESC", "<") if order.descending else ("ASC", ">")
    if after is not None:
        where += f" AND ({time}, {pk}) {compare} ({one}, {one})"
        arguments += after
    where += f" AND {_where(say, condition, arguments)}"
    columns = _COLUMNS.replace("e.labels", say.labels)
    sql = f"SELECT {columns} FROM {tables} WHERE {where} ORDER BY {time} {direction}, {pk} {direction} LIMIT {one}"
    arguments.append(limit)
    return sql, arguments


def _leading_label(condition: Condition) -> Comparison | None:
    parts = condition.parts if isinstance(condition, All) else (condition,)
    for part in parts:
        if isinstance(part, Comparison) and part.field is Field.LABEL and part.operator is Operator.EQUAL:
            return part
    return None


def _where(say: Dialect, condition: Condition, arguments: list[Any]) -> str:
    if isinstance(condition, All):
        return " AND ".join(f"({_where(say, part, arguments)})" for part in condition.parts) or say.true
    if isinstance(condition, AnyOf):
        return "(" + " OR ".join(f"({_where(say, part, arguments)})" for part in condition.parts) + ")"
    if isinstance(condition, Not):
        # A comparison with a time that is not there is neither true nor false, and so is its negation.
        return f"NOT coalesce({_where(say, condition.part, arguments)}, {say.false})"
    if condition.field is Field.LABEL:
        arguments.append(say.label_argument(condition.label))
        if condition.operator is Operator.HAS:
            return say.has_label
        arguments.append(condition.value)
        return f"{say.label} {condition.operator} {say.parameter}"
    arguments.append(condition.value)
    return f"e.{condition.field} {condition.operator} {say.parameter}"


def listed(row: Sequence[Any], order: Order) -> Listed:
    """Make an execution in a list of LISTED_COLUMNS."""
    *columns, pk, digest, labels, priority, timeout, concurrency_key, retry, error = row
    status = status_of(columns)
    time = status.create_time if order.field is OrderField.CREATE_TIME else status.end_time
    return Listed(
        execution=Execution(
            status=status,
            definition_digest=digest,
            definition=b"",
            labels=orjson.loads(labels),
            priority=priority,
            timeout=timeout,
            concurrency_key=concurrency_key,
            input=None,
            output=None,
            error=error_of(error),
            nodes={},
            retry=None if retry is None else retry.encode(),
        ),
        position=(time or 0, pk),
    )


def select_workflows(
    say: Dialect, namespace: str, workflow_id: str, after: tuple[int, str] | None, limit: int
) -> tuple[str, list[Any]]:
    """Write the statement that lists workflows or the versions of one, and its arguments."""
    one = say.parameter
    which, last = (f"workflow_id = {one}", "version") if workflow_id else ("newest", "workflow_id")
    arguments: list[Any] = [namespace, *([workflow_id] if workflow_id else [])]
    where = f"namespace = {one} AND {which}"
    if after is not None:
        where += f" AND (create_time, {last}) < ({one}, {one})"
        arguments += after
    arguments.append(limit)
    sql = (
        f"SELECT workflow_id, version, create_time FROM {say.schema}workflows WHERE {where} "
        f"ORDER BY create_time DESC, {last} DESC LIMIT {one}"
    )
    return sql, arguments
