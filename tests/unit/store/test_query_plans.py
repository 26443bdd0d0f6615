"""Every statement seeks: none reads through a table that grows with what is stored."""

from __future__ import annotations

import sqlite3
from types import ModuleType
from typing import Any

import pytest

from execsvc.model import AuditFilter
from execsvc.store import SqliteStore
from execsvc.store.sqlite import lists, reader, trail
from execsvc.store.sqlite import statements as batch
from execsvc.store.sqlite.entries import knows_entries
from execsvc.store.trail import select_audit

GROWING = (
    "executions",
    "execution_data",
    "definitions",
    "node_runs",
    "log_entries",
    "control_requests",
    "execution_labels",
    "audit",
)


def statements(module: ModuleType) -> dict[str, str]:
    """The SQL of a module, by the name of its constant."""
    verbs = ("SELECT", "INSERT", "UPDATE", "DELETE")
    return {
        name: value
        for name, value in vars(module).items()
        # WRITE has no plan of its own: what carries it out is made of the statements beside it.
        if isinstance(value, str) and value.split()[:1] and value.split()[0] in verbs and name != "WRITE"
    }


STATEMENTS = statements(batch) | statements(reader) | statements(lists) | statements(trail)


def plan(db: sqlite3.Connection, sql: str) -> list[str]:
    knows_entries(db)
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))]


def test_the_statements_are_found() -> None:
    assert {"FIND", "UPDATE_EXECUTIONS", "_STATUS", "_ENTRIES", "_UNFINISHED"} <= set(STATEMENTS)


@pytest.mark.parametrize("name", sorted(STATEMENTS))
async def test_no_statement_scans(store: SqliteStore, writing: sqlite3.Connection, name: str) -> None:
    lines = plan(writing, STATEMENTS[name])
    scans = {line for line in lines if line.startswith("SCAN") and line.split()[1] in (*GROWING, "e", "r")}
    if name == "_UNFINISHED":
        # The index holds what is unfinished and nothing else, in this order.
        scans.discard("SCAN executions USING INDEX executions_unfinished")
        assert not any("TEMP B-TREE" in line for line in lines)
    assert not scans, lines


@pytest.mark.parametrize(
    ("name", "index"),
    [
        ("_STATUS", "executions_id (namespace=? AND execution_id=?)"),
        ("FIND", "executions_id (namespace=? AND execution_id=?)"),
        ("UPDATE_EXECUTIONS", "INTEGER PRIMARY KEY (rowid=?)"),
        ("UPDATE_OUTPUTS", "INTEGER PRIMARY KEY (rowid=?)"),
        ("FIND_UNFINISHED", "PRIMARY KEY (execution=?)"),
        ("_ENTRIES", "PRIMARY KEY (execution=? AND sequence>?)"),
        ("_TAIL", "PRIMARY KEY (execution=?)"),
        ("_NODES", "PRIMARY KEY (execution=?)"),
    ],
)
async def test_what_is_read_most_seeks_by_its_key(
    store: SqliteStore, writing: sqlite3.Connection, name: str, index: str
) -> None:
    lines = plan(writing, STATEMENTS[name])
    assert any(line.startswith("SEARCH") and line.endswith(index) for line in lines), lines


@pytest.mark.parametrize("after", [None, (5, 5)], ids=["first page", "later page"])
@pytest.mark.parametrize(
    ("wanted", "index"),
    [
        ({}, "audit_time"),
        ({"since": 1, "until": 9}, "audit_time"),
        ({"namespace": "a"}, "audit_namespace"),
        ({"actor": "a", "since": 1}, "audit_actor"),
        ({"target": "e1", "until": 9}, "audit_target"),
    ],
)
async def test_the_audit_trail_is_read_off_an_index(
    store: SqliteStore, writing: sqlite3.Connection, wanted: dict[str, Any], index: str, after: tuple[int, int] | None
) -> None:
    sql, arguments = select_audit(lists.SQLITE, AuditFilter(**wanted), after, 51)
    lines = [row[3] for row in writing.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]
    assert len(lines) == 1, lines
    assert f"USING INDEX {index}" in lines[0] or f"USING COVERING INDEX {index}" in lines[0], lines
