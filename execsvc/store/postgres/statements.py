"""The statements of a batch. Each takes one JSON array of rows, and is executed once however large the batch is."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from execsvc.store.rows import AUDIT_COLUMNS, NODE_COLUMNS, STATUS_COLUMNS

#: Of columns that are not text.
_TYPES: Final = {
    **dict.fromkeys(
        (
            "pk",
            "execution",
            "revision",
            "sequence",
            "time",
            "timeout",
            "ran_for",
            "last_sequence",
            "epoch",
            "create_time",
            "start_time",
            "end_time",
            "retry_time",
        ),
        "bigint",
    ),
    **dict.fromkeys(("nodes_done", "nodes_total", "priority", "attempt", "attempts_before"), "integer"),
    "level": "smallint",
    "labels": "jsonb",
}


def _taken(columns: str) -> str:
    """Take columns off a row ``v``, named."""
    return ", ".join(
        f"(v ->> {i})::{_TYPES[name]} AS {name}" if name in _TYPES else f"v ->> {i} AS {name}"
        for i, name in enumerate(columns.split(", "))
    )


def _rows(columns: str) -> str:
    return f"SELECT {_taken(columns)} FROM jsonb_array_elements(%s::jsonb) AS v"


def _insert(table: str, columns: str, then: str = "") -> bytes:
    return f"INSERT INTO execsvc.{table} ({columns}) {_rows(columns)} {then}".encode()


def _assignments(columns: Iterable[str], source: str) -> str:
    return ", ".join(f"{column} = {source}.{column}" for column in columns)


#: Begins a batch. A batch names its rows, so each is looked up, whatever the planner makes of tables of which it knows
#: little yet. The number of its transaction tells later whether it was committed, should the answer get lost. Who
#: stops in the middle of it, as a process that is suspended does, is not to hold anybody up.
BEGIN: Final = b"BEGIN"
PREPARE: Final = b"""
SELECT pg_current_xact_id()::text,
       set_config('idle_in_transaction_session_timeout', '5s', true),
       set_config('lock_timeout', '15s', true),
       set_config('enable_seqscan', 'off', true), set_config('enable_hashjoin', 'off', true),
       set_config('enable_mergejoin', 'off', true), set_config('jit', 'off', true),
       set_config('synchronous_commit', replace(current_setting('synchronous_commit'), 'off', 'on'), true)
"""
COMMIT: Final = b"COMMIT"
#: Whether a transaction was committed: committed, aborted, in progress; nothing where it was too long ago.
STATUS_OF_TRANSACTION: Final = b"SELECT pg_xact_status(%s::xid8)"
#: Notes the batch as its writer's last one; and whether it is.
MARK: Final = b"""
INSERT INTO execsvc.writers (writer, batch) VALUES (%s, %s)
ON CONFLICT (writer) DO UPDATE SET batch = excluded.batch, at = now()
"""
IS_LAST: Final = b"SELECT EXISTS (SELECT FROM execsvc.writers WHERE writer = %s AND batch = %s)"
NEXT_PKS: Final = b"SELECT nextval('execsvc.executions_pk')"

_EXECUTIONS: Final = "JOIN execsvc.executions AS e ON e.namespace = k.namespace AND e.execution_id = k.execution_id"
FIND: Final = f"""
SELECT e.revision, e.pk, e.namespace, e.request_digest, e.owner, e.ran_for, e.error,
       {", ".join(f"e.{column}" for column in STATUS_COLUMNS.split(", "))}
FROM ({_rows("namespace, execution_id")}) AS k {_EXECUTIONS}
""".encode()
FIND_REQUESTS: Final = f"""
SELECT r.execution, r.request_id, r.action, r.status
FROM ({_rows("namespace, execution_id, request_id")}) AS k {_EXECUTIONS}
JOIN execsvc.control_requests AS r ON r.execution = e.pk AND r.request_id = k.request_id
""".encode()
# What a stop or a failure cuts off, and a retry begins anew.
FIND_UNFINISHED: Final = f"""
SELECT n.execution, {", ".join(f"n.{column}" for column in NODE_COLUMNS.split(", "))}
FROM ({_rows("namespace, execution_id")}) AS k {_EXECUTIONS}
JOIN execsvc.node_runs AS n ON n.execution = e.pk AND n.state IN ('RUNNING', 'FAILED', 'CANCELLED', 'PENDING')
""".encode()
FIND_WORKFLOWS: Final = f"""
SELECT w.namespace, w.workflow_id, w.version, w.create_time
FROM ({_rows("namespace, workflow_id, version")}) AS k
JOIN execsvc.workflows AS w USING (namespace, workflow_id, version)
""".encode()

LOCK: Final = b"SELECT pg_advisory_xact_lock(%s)"
LOCK_SHARED: Final = b"SELECT pg_advisory_xact_lock_shared(%s)"
_UPDATED: Final = (
    "state, current_node, running_nodes, nodes_done, message, start_time, end_time, last_sequence, epoch, owner, "
    "ran_for, error"
)
#: Takes rows of the pk, what may change, and the revision that was read; then their number.
UPDATE_EXECUTIONS: Final = f"""
WITH u AS (
    UPDATE execsvc.executions AS e
    SET revision = e.revision + 1, {_assignments(_UPDATED.split(", "), "r")}
    FROM ({_rows(f"pk, {_UPDATED}, revision")}) AS r
    WHERE e.pk = r.pk AND e.revision = r.revision
    RETURNING 1
)
SELECT execsvc.expect((SELECT count(*) FROM u), %s)
""".encode()
_PKS: Final = "SELECT (v ->> 0)::bigint FROM jsonb_array_elements(%s::jsonb) AS v"
DELETE_LABELS: Final = f"""
DELETE FROM execsvc.execution_labels AS l
USING execsvc.executions AS e, jsonb_each_text(e.labels) AS label
WHERE e.pk IN ({_PKS})
  AND l.namespace = e.namespace AND l.key = label.key AND l.value = label.value AND l.create_time = e.create_time
  AND l.execution = e.pk
""".encode()
DELETE_OWNED: Final = tuple(
    f"DELETE FROM execsvc.{table} WHERE execution IN ({_PKS})".encode()
    for table in ("log_entries", "node_runs", "control_requests", "execution_data")
)
#: Takes rows of a pk and the revision that was read, then their number; answers the digests of their definitions.
DELETE_EXECUTIONS: Final = f"""
WITH d AS (
    DELETE FROM execsvc.executions AS e
    USING ({_rows("pk, revision")}) AS r
    WHERE e.pk = r.pk AND e.revision = r.revision
    RETURNING e.definition_digest
)
SELECT execsvc.expect((SELECT count(*) FROM d), %s), (SELECT array_agg(DISTINCT definition_digest) FROM d)
""".encode()
INSERT_DEFINITIONS: Final = _insert("definitions", "digest, definition", "ON CONFLICT DO NOTHING")
INSERT_EXECUTIONS: Final = _insert(
    "executions",
    f"pk, namespace, request_digest, owner, ran_for, error, {STATUS_COLUMNS}, "
    "definition_digest, labels, priority, timeout, concurrency_key, retry, labels_exact, revision",
)
INSERT_DATA: Final = _insert("execution_data", "execution, input, output")
INSERT_LABELS: Final = _insert("execution_labels", "namespace, key, value, create_time, execution")
INSERT_WORKFLOWS: Final = f"""
INSERT INTO execsvc.workflows (namespace, workflow_id, version, create_time, newest)
SELECT r.*, true FROM ({_rows("namespace, workflow_id, version, create_time")}) AS r
""".encode()
SUPERSEDE_WORKFLOWS: Final = f"""
UPDATE execsvc.workflows AS w SET newest = false
FROM ({_rows("namespace, workflow_id, version")}) AS r
WHERE w.namespace = r.namespace AND w.workflow_id = r.workflow_id AND w.version <> r.version AND w.newest
""".encode()
UPDATE_OUTPUTS: Final = f"""
UPDATE execsvc.execution_data AS d SET output = r.output
FROM ({_rows("execution, output")}) AS r WHERE d.execution = r.execution
""".encode()
UPDATE_INPUTS: Final = f"""
UPDATE execsvc.execution_data AS d SET input = r.input
FROM ({_rows("execution, input")}) AS r WHERE d.execution = r.execution
""".encode()
UPSERT_NODES: Final = _insert(
    "node_runs",
    f"execution, {NODE_COLUMNS}, output",
    "ON CONFLICT (execution, node_id) DO UPDATE SET "
    + _assignments([*NODE_COLUMNS.split(", ")[1:], "output"], "excluded"),
)
INSERT_ENTRIES: Final = _insert("log_entries", "execution, sequence, time, level, node_id, attempt, message, metadata")
INSERT_REQUESTS: Final = _insert("control_requests", "execution, request_id, action, status")
INSERT_AUDIT: Final = _insert("audit", AUDIT_COLUMNS)

_UNUSED: Final = """
NOT EXISTS (SELECT 1 FROM execsvc.executions AS e WHERE e.definition_digest = d.digest)
AND NOT EXISTS (SELECT 1 FROM execsvc.workflows AS w WHERE w.version = d.digest)
"""
#: What nobody runs, has run or has stored under a name is not kept.
FIND_UNUSED: Final = f"SELECT d.digest FROM execsvc.definitions AS d WHERE d.digest = ANY(%s) AND {_UNUSED}".encode()
DELETE_UNUSED: Final = f"DELETE FROM execsvc.definitions AS d WHERE d.digest = ANY(%s) AND {_UNUSED}".encode()
