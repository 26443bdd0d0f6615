"""Reads of many: executions by condition and order, workflows, and what retention may remove."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from execsvc.errors import WorkflowNotFound
from execsvc.model import StoredWorkflow
from execsvc.model.filters import Condition, Order
from execsvc.store.postgres.labels import LABELS
from execsvc.store.postgres.reader import Reader
from execsvc.store.protocol import Listed
from execsvc.store.selection import Dialect, listed, select_executions, select_workflows

#: How the statements of lists are said to Postgres.
POSTGRES: Final = Dialect(
    parameter="%s",
    true="true",
    false="false",
    schema="execsvc.",
    join="JOIN",
    labels=LABELS,
    has_label="jsonb_exists(e.labels, %s)",
    label='((e.labels ->> %s::text) COLLATE "C")',
    label_argument=str,
)
_EXPIRED: Final = b"""
SELECT namespace, execution_id, uid FROM execsvc.executions
WHERE end_time IS NOT NULL AND end_time + 0 < %s ORDER BY end_time + 0 LIMIT %s
"""
_EXPIRED_OF: Final = b"""
SELECT namespace, execution_id, uid FROM execsvc.executions
WHERE namespace = %s AND end_time IS NOT NULL AND end_time < %s ORDER BY end_time LIMIT %s
"""
_NAMESPACES: Final = b"""
WITH RECURSIVE found AS (
    SELECT (SELECT e.namespace FROM execsvc.executions AS e ORDER BY e.namespace LIMIT 1) AS namespace
    UNION ALL
    SELECT (SELECT e.namespace FROM execsvc.executions AS e WHERE e.namespace > found.namespace
            ORDER BY e.namespace LIMIT 1)
    FROM found WHERE found.namespace IS NOT NULL
)
SELECT namespace FROM found WHERE namespace IS NOT NULL
"""
_COUNT: Final = b"SELECT count(*) FROM (SELECT FROM execsvc.executions WHERE namespace = %s LIMIT %s) AS found"
_WORKFLOW: Final = """
SELECT w.version, w.create_time, d.definition
FROM execsvc.workflows AS w JOIN execsvc.definitions AS d ON d.digest = w.version
WHERE w.namespace = %s AND w.workflow_id = %s
"""


async def list_executions(
    reader: Reader, namespace: str, condition: Condition, order: Order, after: tuple[int, int] | None, limit: int
) -> Sequence[Listed]:
    """See ``Store.list_executions``."""
    sql, arguments = select_executions(POSTGRES, namespace, condition, order, after, limit)
    rows = await reader.listed((sql.encode(), arguments))
    return [listed(row, order) for row in rows]


async def list_expired(
    reader: Reader, before: int, limit: int, namespace: str | None
) -> Sequence[tuple[str, str, str]]:
    """See ``Store.expired``."""
    query = (_EXPIRED, (before, limit)) if namespace is None else (_EXPIRED_OF, (namespace, before, limit))
    rows = await reader.listed(query)
    return [(namespace, execution_id, uid) for namespace, execution_id, uid in rows]


async def list_namespaces(reader: Reader) -> Sequence[str]:
    """See ``Store.namespaces``."""
    return [namespace for (namespace,) in await reader.listed((_NAMESPACES, ()))]


async def count_executions(reader: Reader, namespace: str, most: int) -> int:
    """See ``Store.count``."""
    ((count,),) = await reader.listed((_COUNT, (namespace, most)))
    return int(count)


async def find_workflow(reader: Reader, namespace: str, workflow_id: str, version: str) -> StoredWorkflow:
    """See ``Store.workflow``."""
    which, arguments = (" AND w.version = %s", (version,)) if version else (" AND w.newest", ())
    (rows,) = await reader.rows(((_WORKFLOW + which).encode(), (namespace, workflow_id, *arguments)))
    if not rows:
        raise WorkflowNotFound(workflow_id, version)
    ((found, create_time, definition),) = rows
    return StoredWorkflow(
        workflow_id=workflow_id, version=found, create_time=create_time, definition=definition.encode()
    )


async def list_workflows(
    reader: Reader, namespace: str, workflow_id: str, after: tuple[int, str] | None, limit: int
) -> Sequence[StoredWorkflow]:
    """See ``Store.list_workflows``."""
    sql, arguments = select_workflows(POSTGRES, namespace, workflow_id, after, limit)
    rows = await reader.listed((sql.encode(), arguments))
    return [StoredWorkflow(workflow_id=row[0], version=row[1], create_time=row[2], definition=None) for row in rows]
