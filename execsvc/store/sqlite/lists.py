"""Reads of many: executions by condition and order, workflows, and what retention may remove."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Any, Final

import orjson

from execsvc.errors import WorkflowNotFound
from execsvc.model import Execution, StoredWorkflow
from execsvc.model.filters import All, AnyOf, Comparison, Condition, Field, Not, Operator, Order, OrderField
from execsvc.store.protocol import Listed
from execsvc.store.rows import STATUS_COLUMNS, error_of, status_of

_COLUMNS: Final = ", ".join(f"e.{column}" for column in STATUS_COLUMNS.split(", ")) + (
    ", e.pk, e.definition_digest, e.labels, e.priority, e.timeout, e.concurrency_key, e.retry, e.error"
)
_EXPIRED: Final = """
SELECT json_group_array(json_array(namespace, execution_id, uid)) FROM (
    SELECT namespace, execution_id, uid FROM executions WHERE end_time < ? ORDER BY end_time LIMIT ?
)
"""
_WORKFLOW: Final = """
SELECT w.version, w.create_time, d.definition
FROM workflows AS w JOIN definitions AS d ON d.digest = w.version
WHERE w.namespace = ? AND w.workflow_id = ?
"""


def list_executions(
    db: sqlite3.Connection,
    namespace: str,
    condition: Condition,
    order: Order,
    after: tuple[int, int] | None,
    limit: int,
) -> Sequence[Listed]:
    """See ``Store.list_executions``. Seeks along an index of the order; under a state, workflow or label if given."""
    sql, arguments = select_executions(namespace, condition, order, after, limit)
    (text,) = db.execute(f"SELECT json_group_array(json_array({_names()})) FROM ({sql})", arguments).fetchone()
    return [_listed(row, order) for row in orjson.loads(text)]


def select_executions(
    namespace: str, condition: Condition, order: Order, after: tuple[int, int] | None, limit: int
) -> tuple[str, list[Any]]:
    """Write the statement that lists executions, and its arguments."""
    arguments: list[Any] = []
    time, pk, tables, where = f"e.{order.field}", "e.pk", "executions AS e", "e.namespace = ?"
    label = _leading_label(condition)
    if label is not None and order.field is OrderField.CREATE_TIME:
        # The labels are kept in the order of creation, so the list is read off them.
        time, pk = "l.create_time", "l.execution"
        tables = "execution_labels AS l CROSS JOIN executions AS e ON e.pk = l.execution"
        where = "l.namespace = ? AND l.key = ? AND l.value = ?"
        arguments += [namespace, label.label, label.value]
    else:
        arguments.append(namespace)
    if order.field is OrderField.END_TIME:
        where += " AND e.end_time IS NOT NULL"
    direction, compare = ("DESC", "<") if order.descending else ("ASC", ">")
    if after is not None:
        where += f" AND ({time}, {pk}) {compare} (?, ?)"
        arguments += after
    where += f" AND {_where(condition, arguments)}"
    sql = f"SELECT {_COLUMNS} FROM {tables} WHERE {where} ORDER BY {time} {direction}, {pk} {direction} LIMIT ?"
    arguments.append(limit)
    return sql, arguments


def _leading_label(condition: Condition) -> Comparison | None:
    parts = condition.parts if isinstance(condition, All) else (condition,)
    for part in parts:
        if isinstance(part, Comparison) and part.field is Field.LABEL and part.operator is Operator.EQUAL:
            return part
    return None


def _where(condition: Condition, arguments: list[Any]) -> str:
    if isinstance(condition, All):
        return " AND ".join(f"({_where(part, arguments)})" for part in condition.parts) or "1"
    if isinstance(condition, AnyOf):
        return "(" + " OR ".join(f"({_where(part, arguments)})" for part in condition.parts) + ")"
    if isinstance(condition, Not):
        # A comparison with a time that is not there is neither true nor false, and so is its negation.
        return f"NOT coalesce({_where(condition.part, arguments)}, 0)"
    if condition.field is Field.LABEL:
        # Keys hold no quotes or backslashes, so this is the whole of a path.
        arguments.append(f'$."{condition.label}"')
        if condition.operator is Operator.HAS:
            return "json_type(e.labels, ?) IS NOT NULL"
        arguments.append(condition.value)
        return f"json_extract(e.labels, ?) {condition.operator} ?"
    arguments.append(condition.value)
    return f"e.{condition.field} {condition.operator} ?"


def _names() -> str:
    return ", ".join(column.removeprefix("e.") for column in _COLUMNS.split(", "))


def _listed(row: Sequence[Any], order: Order) -> Listed:
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


def list_expired(db: sqlite3.Connection, before: int, limit: int) -> Sequence[tuple[str, str, str]]:
    """See ``Store.expired``."""
    (text,) = db.execute(_EXPIRED, (before, limit)).fetchone()
    return [(namespace, execution_id, uid) for namespace, execution_id, uid in orjson.loads(text)]


def find_workflow(db: sqlite3.Connection, namespace: str, workflow_id: str, version: str) -> StoredWorkflow:
    """See ``Store.workflow``."""
    which, arguments = (" AND w.version = ?", (version,)) if version else (" AND w.newest", ())
    row = db.execute(_WORKFLOW + which, (namespace, workflow_id, *arguments)).fetchone()
    if row is None:
        raise WorkflowNotFound(workflow_id, version)
    return StoredWorkflow(workflow_id=workflow_id, version=row[0], create_time=row[1], definition=row[2].encode())


def list_workflows(
    db: sqlite3.Connection, namespace: str, workflow_id: str, after: tuple[int, str] | None, limit: int
) -> Sequence[StoredWorkflow]:
    """See ``Store.list_workflows``."""
    sql, arguments = select_workflows(namespace, workflow_id, after, limit)
    rows = db.execute(sql, arguments).fetchall()
    return [StoredWorkflow(workflow_id=row[0], version=row[1], create_time=row[2], definition=None) for row in rows]


def select_workflows(
    namespace: str, workflow_id: str, after: tuple[int, str] | None, limit: int
) -> tuple[str, list[Any]]:
    """Write the statement that lists workflows or the versions of one, and its arguments."""
    which, last = ("workflow_id = ?", "version") if workflow_id else ("newest", "workflow_id")
    arguments: list[Any] = [namespace, *([workflow_id] if workflow_id else [])]
    where = f"namespace = ? AND {which}"
    if after is not None:
        where += f" AND (create_time, {last}) < (?, ?)"
        arguments += after
    arguments.append(limit)
    sql = (
        f"SELECT workflow_id, version, create_time FROM workflows WHERE {where} "
        f"ORDER BY create_time DESC, {last} DESC LIMIT ?"
    )
    return sql, arguments
