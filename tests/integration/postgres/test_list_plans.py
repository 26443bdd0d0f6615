"""Lists and the hot statements are read off an index, from any position on: no scan of a table, no sort."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from execsvc.model import AuditFilter
from execsvc.model.filters import All, Comparison, Condition, Field, Operator, Order, OrderField
from execsvc.store.postgres import lists, reader, trail
from execsvc.store.postgres import statements as batch
from execsvc.store.postgres.lists import POSTGRES
from execsvc.store.selection import select_executions, select_workflows
from execsvc.store.trail import select_audit
from tests.servers.postgres import shared_server

Db = psycopg.Connection[Any]

#: Executions, enough for the planner to prefer an index; a 50th of them FAILED, a 20th of a workflow.
COUNT = 20_000
_FILL = """
INSERT INTO execsvc.executions
SELECT i, 1, 'default', 'e' || i, 'u' || i, 'w' || i % 20,
       CASE WHEN i % 50 = 0 THEN 'FAILED' WHEN i % 1000 = 1 THEN 'PENDING' ELSE 'COMPLETED' END, 'done', '', '[]', 3, 3,
       8, 1, 'host/1', 0, 1700000000000000 + i, 1700000000000000 + i,
       CASE WHEN i % 1000 <> 1 THEN 1700000000000000 + i * 2 END,
       'r', 'd' || i % 100, jsonb_build_object('team', (i % 10)::text), NULL, 0, NULL, '', NULL, NULL
FROM generate_series(1, {count}) AS i;
INSERT INTO execsvc.execution_labels
SELECT namespace, 'team', labels ->> 'team', create_time, pk FROM execsvc.executions;
INSERT INTO execsvc.execution_data SELECT pk, '{{}}', '{{}}' FROM execsvc.executions;
INSERT INTO execsvc.node_runs
SELECT pk, 'n' || n, 'COMPLETED', 1, 0, 1, 2 FROM execsvc.executions, generate_series(1, 3) AS n;
INSERT INTO execsvc.log_entries
SELECT pk, s, 1, 2, '', 0, 'message', '{{}}' FROM execsvc.executions, generate_series(1, 8) AS s;
INSERT INTO execsvc.definitions SELECT 'd' || i, '{{}}' FROM generate_series(0, 4999) AS i;
INSERT INTO execsvc.workflows
SELECT 'default', 'w' || i % 1000, 'd' || i, i, i >= 4000 FROM generate_series(0, 4999) AS i;
INSERT INTO execsvc.audit
SELECT i, 1700000000000000 + i, 'n' || i % 3, 'token', 'exs_' || i % 20, '', 'operator', 'execute', 'e' || i, 'u' || i,
       'PENDING', '', ''
FROM generate_series(1, {count}) AS i;
ANALYZE;
"""


@pytest.fixture(scope="module")
def db() -> Iterator[Db]:
    """A connection to a database that holds much."""
    url = shared_server().migrated()
    with psycopg.connect(url, autocommit=True) as db:
        db.execute(_FILL.format(count=COUNT).encode())
        yield db
    shared_server().drop(url)


def plan(db: Db, sql: str | bytes, arguments: Any, *, before: bytes = b"SELECT 1") -> list[str]:
    """The lines of a statement's plan, in a transaction that something else comes first in."""
    statement = sql.encode() if isinstance(sql, str) else sql
    with db.transaction():
        db.execute(before)
        return [line for (line,) in db.execute(b"EXPLAIN (COSTS OFF) " + statement, arguments).fetchall()]


def equal(field: Field, value: str, label: str = "") -> Comparison:
    return Comparison(field=field, operator=Operator.EQUAL, value=value, label=label)


CONDITIONS: dict[str, Condition] = {
    "all": All(parts=()),
    "state": equal(Field.STATE, "FAILED"),
    "a state that hardly any has": equal(Field.STATE, "PAUSED"),
    "workflow": equal(Field.WORKFLOW_ID, "w7"),
    "label": equal(Field.LABEL, "3", "team"),
    "label and state": All(parts=(equal(Field.LABEL, "3", "team"), equal(Field.STATE, "COMPLETED"))),
}


@pytest.mark.parametrize("after", [None, (1_700_000_000_010_000, 10_000)], ids=["first page", "later page"])
@pytest.mark.parametrize("field", OrderField)
@pytest.mark.parametrize("descending", [True, False], ids=["desc", "asc"])
@pytest.mark.parametrize("name", CONDITIONS)
def test_lists_are_read_off_an_index(
    db: Db, name: str, descending: bool, field: OrderField, after: tuple[int, int] | None
) -> None:
    order = Order(field=field, descending=descending)
    lines = plan(
        db, *select_executions(POSTGRES, "default", CONDITIONS[name], order, after, 51), before=reader.ALONG_INDEX
    )
    assert not [line for line in lines if "Seq Scan" in line or "Bitmap" in line], lines
    assert not [line for line in lines if "Sort" in line or "Gather" in line], lines


@pytest.mark.parametrize("workflow_id", ["", "w7"])
def test_workflows_are_read_off_an_index(db: Db, workflow_id: str) -> None:
    lines = plan(
        db, *select_workflows(POSTGRES, "default", workflow_id, (4_500, "w500"), 51), before=reader.ALONG_INDEX
    )
    assert not [line for line in lines if "Seq Scan" in line], lines


@pytest.mark.parametrize("after", [None, (1_700_000_000_010_000, 10_000)], ids=["first page", "later page"])
@pytest.mark.parametrize(
    "wanted",
    [{}, {"namespace": "n1"}, {"actor": "exs_7"}, {"target": "e7"}, {"since": 1_700_000_000_001_000, "actor": "exs_7"}],
    ids=str,
)
def test_the_audit_trail_is_read_off_an_index(db: Db, wanted: dict[str, Any], after: tuple[int, int] | None) -> None:
    lines = plan(db, *select_audit(POSTGRES, AuditFilter(**wanted), after, 51), before=reader.ALONG_INDEX)
    assert not [line for line in lines if "Seq Scan" in line or "Sort" in line or "Bitmap" in line], lines
    column = next((name for name in ("target", "actor", "namespace") if name in wanted), "time")
    assert any(f"using audit_{column}" in line for line in lines), lines


KEY = '[["default","e77"]]'
STATEMENTS: dict[str, tuple[bytes, Any]] = {
    "status": (reader._STATUS, ("default", "e77")),
    "record": (reader._RECORD, (True, True, "default", "e77")),
    "nodes": (reader._NODES, (True, "default", "e77")),
    "log": (reader._ENTRIES, (3, 1, "", "", 100, "default", "e77")),
    "tail": (reader._TAIL, (1, "", "", 10, "default", "e77")),
    "unfinished": (reader._UNFINISHED, ()),
    "expired": (lists._EXPIRED, (1_700_000_000_001_000, 50)),
    "prune the audit trail": (trail._REMOVE, (1_700_000_000_001_000, 50)),
    "find": (batch.FIND, (KEY,)),
    "find requests": (batch.FIND_REQUESTS, ('[["default","e77","r"]]',)),
    "find unfinished": (batch.FIND_UNFINISHED, (KEY,)),
    "delete labels": (batch.DELETE_LABELS, ("[[77]]",)),
    "delete log": (batch.DELETE_OWNED[0], ("[[77]]",)),
    "delete executions": (batch.DELETE_EXECUTIONS, ("[[77,1]]", 1)),
    "find unused": (batch.FIND_UNUSED, (["d1", "d4000"],)),
}
IN_BATCH = {sql for sql in (*vars(batch).values(), *batch.DELETE_OWNED) if isinstance(sql, bytes)}


@pytest.mark.parametrize("name", STATEMENTS)
def test_no_statement_scans_a_table(db: Db, name: str) -> None:
    before = batch.PREPARE if STATEMENTS[name][0] in IN_BATCH else b"SELECT 1"
    lines = plan(db, *STATEMENTS[name], before=before)
    assert not [line for line in lines if "Seq Scan on" in line and "control_requests" not in line], lines
