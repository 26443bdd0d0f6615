"""The statements of a batch. Each is executed once and gives one row at most.

Those that find and delete take one JSON array. What writes is one statement, which takes an array for each kind of row:
a trigger on a view that nothing is ever stored in carries it out.
"""

from __future__ import annotations

from execsvc.store.rows import AUDIT_COLUMNS, NODE_COLUMNS, STATUS_COLUMNS

_STATUS_WIDTH = STATUS_COLUMNS.count(",") + 1
_NODE_WIDTH = NODE_COLUMNS.count(",") + 1


def _columns(width: int) -> str:
    return ", ".join(f"json_extract(value, '$[{i}]')" for i in range(width))


FIND = f"""
SELECT json_group_array(json_array(e.pk, e.namespace, e.request_digest, e.owner, e.ran_for, e.error,
                                   {", ".join("e." + c for c in STATUS_COLUMNS.split(", "))}))
FROM json_each(?) AS k
CROSS JOIN executions AS e
    ON e.namespace = json_extract(k.value, '$[0]') AND e.execution_id = json_extract(k.value, '$[1]')
"""
FIND_REQUESTS = """
SELECT json_group_array(json_array(r.execution, r.request_id, r.action, r.status))
FROM json_each(?) AS k
CROSS JOIN control_requests AS r
    ON r.execution = json_extract(k.value, '$[0]') AND r.request_id = json_extract(k.value, '$[1]')
"""
INSERT_DEFINITIONS = f"INSERT OR IGNORE INTO definitions SELECT {_columns(2)} FROM json_each(?)"
INSERT_EXECUTIONS = f"""
INSERT INTO executions (pk, namespace, request_digest, owner, ran_for, error, {STATUS_COLUMNS},
                        definition_digest, labels, priority, timeout, concurrency_key, retry)
SELECT {_columns(6 + _STATUS_WIDTH + 6)} FROM json_each(?)
"""
INSERT_LABELS = f"""
INSERT INTO execution_labels (namespace, key, value, create_time, execution) SELECT {_columns(5)} FROM json_each(?)
"""
INSERT_DATA = f"INSERT INTO execution_data (execution, input) SELECT {_columns(2)} FROM json_each(?)"
UPDATE_EXECUTIONS = f"""
UPDATE executions SET (state, current_node, running_nodes, nodes_done, message, start_time, end_time, last_sequence,
                       epoch, owner, ran_for, error)
    = (v.c1, v.c2, v.c3, v.c4, v.c5, v.c6, v.c7, v.c8, v.c9, v.c10, v.c11, v.c12)
FROM (SELECT {", ".join(f"json_extract(value, '$[{i}]') AS c{i}" for i in range(13))} FROM json_each(?)) AS v
WHERE executions.pk = v.c0
"""
UPDATE_OUTPUTS = """
UPDATE execution_data SET output = v.output
FROM (SELECT json_extract(value, '$[0]') AS pk, json_extract(value, '$[1]') AS output FROM json_each(?)) AS v
WHERE execution_data.execution = v.pk
"""
UPDATE_INPUTS = """
UPDATE execution_data SET input = v.input
FROM (SELECT json_extract(value, '$[0]') AS pk, json_extract(value, '$[1]') AS input FROM json_each(?)) AS v
WHERE execution_data.execution = v.pk
"""
# What a stop or a failure cuts off, and a retry begins anew.
FIND_UNFINISHED = f"""
SELECT json_group_array(json_array(execution, {NODE_COLUMNS}))
FROM node_runs
WHERE execution IN (SELECT value FROM json_each(?)) AND state IN ('RUNNING', 'FAILED', 'CANCELLED', 'PENDING')
"""
DELETE = tuple(
    f"DELETE FROM {table} WHERE {column} IN (SELECT value FROM json_each(?))"
    for table, column in (
        ("log_entries", "execution"),
        ("node_runs", "execution"),
        ("control_requests", "execution"),
        ("execution_data", "execution"),
        ("executions", "pk"),
    )
)
DELETE_LABELS = """
DELETE FROM execution_labels WHERE (namespace, key, value, create_time, execution) IN (
    SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), json_extract(value, '$[2]'),
           json_extract(value, '$[3]'), json_extract(value, '$[4]') FROM json_each(?)
)
"""
# What nobody runs, has run or has stored under a name is not kept.
DELETE_DEFINITIONS = """
DELETE FROM definitions
WHERE digest IN (SELECT value FROM json_each(?))
  AND NOT EXISTS (SELECT 1 FROM executions WHERE definition_digest = digest)
  AND NOT EXISTS (SELECT 1 FROM workflows WHERE version = digest)
"""
OWNED = """
SELECT json_group_array(json_array(pk, definition_digest, labels))
FROM executions WHERE pk IN (SELECT value FROM json_each(?))
"""
FIND_WORKFLOWS = """
SELECT json_group_array(json_array(w.namespace, w.workflow_id, w.version, w.create_time))
FROM json_each(?) AS k
CROSS JOIN workflows AS w
    ON w.namespace = json_extract(k.value, '$[0]') AND w.workflow_id = json_extract(k.value, '$[1]')
    AND w.version = json_extract(k.value, '$[2]')
"""
INSERT_WORKFLOWS = f"""
INSERT INTO workflows (namespace, workflow_id, version, create_time, newest) SELECT {_columns(4)}, 1 FROM json_each(?)
"""
SUPERSEDE_WORKFLOWS = """
UPDATE workflows SET newest = 0
FROM (
    SELECT json_extract(value, '$[0]') AS namespace, json_extract(value, '$[1]') AS id,
           json_extract(value, '$[2]') AS version
    FROM json_each(?)
) AS v
WHERE workflows.namespace = v.namespace AND workflows.workflow_id = v.id AND workflows.version <> v.version
  AND workflows.newest
"""
UPSERT_NODES = f"""
INSERT INTO node_runs (execution, {NODE_COLUMNS}, output)
SELECT {_columns(1 + _NODE_WIDTH + 1)} FROM json_each(?) WHERE true
ON CONFLICT DO UPDATE SET state = excluded.state, attempt = excluded.attempt,
    attempts_before = excluded.attempts_before, start_time = excluded.start_time, end_time = excluded.end_time,
    retry_time = excluded.retry_time, branch = excluded.branch, usage = excluded.usage, error = excluded.error,
    output = excluded.output
"""
# Their bytes come in one piece, since JSON holds none: each says where its own begin and how many there are.
INSERT_ENTRIES = """
INSERT INTO log_entries (execution, sequence, time, level, node_id, attempt, message, metadata, entry)
SELECT json_extract(value, '$[0]'), json_extract(value, '$[1]'), 0, json_extract(value, '$[2]'),
       json_extract(value, '$[3]'), 0, '', '',
       substr(?, json_extract(value, '$[4]'), json_extract(value, '$[5]'))
FROM json_each(?)
"""
INSERT_REQUESTS = f"INSERT INTO control_requests SELECT {_columns(4)} FROM json_each(?)"
INSERT_AUDIT = f"""
INSERT INTO audit ({AUDIT_COLUMNS}) SELECT {_columns(AUDIT_COLUMNS.count(",") + 1)} FROM json_each(?)
"""
#: What a batch writes, in order: the name of its rows, and the statement for them.
_WRITES = {
    "definitions": INSERT_DEFINITIONS,
    "executions": INSERT_EXECUTIONS,
    "data": INSERT_DATA,
    "labels": INSERT_LABELS,
    "workflows": INSERT_WORKFLOWS,
    "superseded": SUPERSEDE_WORKFLOWS,
    "updates": UPDATE_EXECUTIONS,
    "outputs": UPDATE_OUTPUTS,
    "inputs": UPDATE_INPUTS,
    "nodes": UPSERT_NODES,
    "entries": INSERT_ENTRIES.replace("?", "NEW.entry_bytes", 1),
    "requests": INSERT_REQUESTS,
    "audit": INSERT_AUDIT,
    "unused": DELETE_DEFINITIONS,
}
#: Makes a connection ready for ``WRITE``.
PREPARE_WRITE = (
    f"CREATE TEMP VIEW batch AS SELECT {', '.join(f'NULL AS {name}' for name in (*_WRITES, 'entry_bytes'))}",
    "CREATE TEMP TRIGGER write_batch INSTEAD OF INSERT ON batch BEGIN "
    + " ".join(f"{statement.replace('?', f'NEW.{name}')};" for name, statement in _WRITES.items())
    + " END",
)
#: Takes an array for each of ``_WRITES``; NULL: no such rows. And the bytes of all log entries.
WRITE = f"INSERT INTO batch VALUES ({', '.join(f':{name}' for name in (*_WRITES, 'entry_bytes'))})"
