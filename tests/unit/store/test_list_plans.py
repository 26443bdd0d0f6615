"""The lists that users look at are read off an index in their order: no sort, no scan, from any position on."""

from __future__ import annotations

import sqlite3

import pytest

from execsvc.model.filters import All, AnyOf, Comparison, Condition, Field, Not, Operator, Order, OrderField
from execsvc.store import SqliteStore
from execsvc.store.selection import select_executions
from execsvc.store.sqlite.lists import SQLITE


def equal(field: Field, value: str | int, label: str = "") -> Comparison:
    return Comparison(field=field, operator=Operator.EQUAL, value=value, label=label)


EVERYTHING = All(parts=())
FAILED = equal(Field.STATE, "FAILED")
TRIAGE = equal(Field.WORKFLOW_ID, "triage")
TEAM = equal(Field.LABEL, "a", "team")
SINCE = Comparison(field=Field.CREATE_TIME, operator=Operator.GREATER, value=7)
URGENT = Comparison(field=Field.PRIORITY, operator=Operator.GREATER, value=7)
#: What stands for every row of a table: only the seeks along these indexes are bounded by what is answered.
INDEXES = {
    "all": (EVERYTHING, "executions_created"),
    "state": (FAILED, "executions_state"),
    "workflow": (TRIAGE, "executions_workflow"),
    "label": (TEAM, "PRIMARY KEY"),
    "since": (SINCE, "executions_created"),
    "state since": (All(parts=(FAILED, SINCE)), "executions_state"),
    "label and state": (All(parts=(FAILED, TEAM)), "PRIMARY KEY"),
    "label and priority": (All(parts=(URGENT, TEAM)), "PRIMARY KEY"),
    # What no index has is looked for along the order.
    "priority": (URGENT, "executions_created"),
    "one of two states": (AnyOf(parts=(FAILED, equal(Field.STATE, "STOPPED"))), "executions_created"),
    "not a state": (Not(part=FAILED), "executions_created"),
}


def plan(db: sqlite3.Connection, condition: Condition, order: Order, after: tuple[int, int] | None) -> list[str]:
    sql, arguments = select_executions(SQLITE, "default", condition, order, after, 51)
    return [row[3] for row in db.execute(f"EXPLAIN QUERY PLAN {sql}", arguments)]


@pytest.mark.parametrize("after", [None, (1, 1)], ids=["first page", "later page"])
@pytest.mark.parametrize("descending", [True, False], ids=["desc", "asc"])
@pytest.mark.parametrize("name", INDEXES)
async def test_lists_by_creation_seek_along_an_index(
    store: SqliteStore, writing: sqlite3.Connection, name: str, descending: bool, after: tuple[int, int] | None
) -> None:
    condition, index = INDEXES[name]
    lines = plan(writing, condition, Order(descending=descending), after)
    assert not [line for line in lines if "TEMP B-TREE" in line or line.startswith("SCAN")], lines
    assert index in lines[0], lines
    if after is not None:
        # It begins at the position and does not count up to it.
        assert "create_time" in lines[0], lines


@pytest.mark.parametrize("after", [None, (1, 1)], ids=["first page", "later page"])
@pytest.mark.parametrize("descending", [True, False], ids=["desc", "asc"])
@pytest.mark.parametrize("name", ["all", "state", "workflow", "label", "priority"])
async def test_lists_by_end_seek_along_the_index_of_ends(
    store: SqliteStore, writing: sqlite3.Connection, name: str, descending: bool, after: tuple[int, int] | None
) -> None:
    order = Order(field=OrderField.END_TIME, descending=descending)
    (line,) = plan(writing, INDEXES[name][0], order, after)
    assert "USING INDEX executions_ended (namespace=? AND end_time" in line, line


async def test_a_list_of_one_execution_finds_it_by_its_id(store: SqliteStore, writing: sqlite3.Connection) -> None:
    lines = plan(writing, equal(Field.EXECUTION_ID, "e"), Order(), None)
    assert "executions_id (namespace=? AND execution_id=?)" in lines[0], lines
