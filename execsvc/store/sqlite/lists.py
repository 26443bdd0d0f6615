"""Reads of many: executions by condition and order, workflows, and what retention may remove."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from typing import Final

import orjson

from execsvc.errors import WorkflowNotFound
from execsvc.model import StoredWorkflow
from execsvc.model.filters import Condition, Order
from execsvc.store.protocol import Listed
from execsvc.store.selection import LISTED_COLUMNS, Dialect, listed, select_executions, select_workflows

#: How the statements of lists are said to SQLite.
SQLITE: Final = Dialect(
    parameter="?",
    true="1",
    false="0",
    schema="",
    # It keeps the order in which tables are read.
    join="CROSS JOIN",
    labels="e.labels",
    has_label="json_type(e.labels, ?) IS NOT NULL",
    label="json_extract(e.labels, ?)",
    # Keys hold no quotes or backslashes, so this is the whole of a path.
    label_argument=lambda key: f'$."{key}"',
)
_EXPIRED: Final = """
SELECT json_group_array(json_array(namespace, execution_id, uid)) FROM (
    SELECT namespace, execution_id, uid FROM executions WHERE end_time < ? ORDER BY end_time LIMIT ?
)
"""
_EXPIRED_OF: Final = """
SELECT json_group_array(json_array(namespace, execution_id, uid)) FROM (
    SELECT namespace, execution_id, uid FROM executions WHERE namespace = ? AND end_time < ? ORDER BY end_time LIMIT ?
)
"""
_NAMESPACES: Final = """
WITH RECURSIVE found (namespace) AS (
    SELECT min(namespace) FROM executions
    UNION ALL
    SELECT (SELECT min(e.namespace) FROM executions AS e WHERE e.namespace > found.namespace)
    FROM found WHERE found.namespace IS NOT NULL
)
SELECT json_group_array(namespace) FROM found WHERE namespace IS NOT NULL
"""
_COUNT: Final = "SELECT count(*) FROM (SELECT 1 FROM executions WHERE namespace = ? LIMIT ?)"
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
    """See ``Store.list_executions``."""
    sql, arguments = select_executions(SQLITE, namespace, condition, order, after, limit)
    (text,) = db.execute(f"SELECT json_group_array(json_array({LISTED_COLUMNS})) FROM ({sql})", arguments).fetchone()
    return [listed(row, order) for row in orjson.loads(text)]


def list_expired(
    db: sqlite3.Connection, before: int, limit: int, namespace: str | None
) -> Sequence[tuple[str, str, str]]:
    """See ``Store.expired``."""
    sql, arguments = (_EXPIRED, (before, limit)) if namespace is None else (_EXPIRED_OF, (namespace, before, limit))
    (text,) = db.execute(sql, arguments).fetchone()
    return [(namespace, execution_id, uid) for namespace, execution_id, uid in orjson.loads(text)]


def list_namespaces(db: sqlite3.Connection) -> Sequence[str]:
    """See ``Store.namespaces``."""
    found: list[str] = orjson.loads(db.execute(_NAMESPACES).fetchone()[0])
    return found


def count_executions(db: sqlite3.Connection, namespace: str, most: int) -> int:
    """See ``Store.count``."""
    (count,) = db.execute(_COUNT, (namespace, most)).fetchone()
    return int(count)


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
    sql, arguments = select_workflows(SQLITE, namespace, workflow_id, after, limit)
    rows = db.execute(sql, arguments).fetchall()
    return [StoredWorkflow(workflow_id=row[0], version=row[1], create_time=row[2], definition=None) for row in rows]
