"""A check finds each kind of damage, names the execution, and says nothing of a database that is sound."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from execsvc.encoding.log_entries import encoded_entry
from execsvc.model import ErrorInfo, ExecutionState, LogLevel, NewLogEntry, NodeRun, NodeState
from execsvc.store import SqliteStore, check_database
from execsvc.store.sqlite.check import MOST
from tests.support.changes import NOW, claim, create, entries, move, update

DEFINITION = json.dumps({"nodes": [{"id": "a", "type": "input"}, {"id": "b", "type": "output"}]}).encode()


def event(name: str) -> tuple[NewLogEntry, ...]:
    """An entry that tells of a change of state."""
    return (NewLogEntry(time=NOW, level=LogLevel.INFO, message=name, metadata={"event": f"execution_{name}"}),)


@pytest.fixture
async def sound(tmp_path: Path) -> AsyncIterator[Path]:
    """A database with an execution in each state, written as the engine writes."""
    path = tmp_path / "test.db"
    store = await SqliteStore.open(path)
    names = ("pending", "running", "paused", "completed", "failed", "stopped")
    common: dict[str, Any] = {"definition": DEFINITION, "nodes_total": 2, "log": event("queued")}
    await asyncio.gather(*(store.create(create(name, **common)) for name in names))
    for name in names[1:]:
        await store.update(claim(name, entries=event("running")))
    run = NodeRun(node_id="a", state=NodeState.RUNNING, attempt=1, start_time=NOW)
    for name in ("running", "failed", "stopped"):
        await store.update(update(name, nodes=(run,), running_nodes=("a",), entries=entries("a started")))
    done = [NodeRun(node_id=node, state=NodeState.COMPLETED, attempt=1, output=b"1") for node in "ab"]
    moves = {
        "paused": {},
        "stopped": {},
        "failed": {"error": ErrorInfo(type="X", message="no")},
        "completed": {"nodes": done, "nodes_done": 2, "output": b"1"},
    }
    for name, fields in moves.items():
        await store.update(move(name, ExecutionState(name.upper()), **{"entries": event(name), **fields}))
    yield path
    await store.close()


def plant(path: Path, *statements: str) -> None:
    """Change a database behind its back."""
    db = sqlite3.connect(path)
    try:
        for statement in statements:
            db.execute(statement)
        db.commit()
    finally:
        db.close()


def pk(name: str) -> str:
    """The number of an execution, in SQL."""
    return f"(SELECT pk FROM executions WHERE execution_id = '{name}')"


def told(sequence: int, event: str) -> str:
    """The bytes of an entry that tells of something, in SQL."""
    facts = {"event": event}
    return f"x'{encoded_entry(sequence, NOW, LogLevel.INFO.rank, '', 0, 'm', facts).hex()}'"


async def test_a_sound_database_is_clean_also_while_it_is_used(sound: Path) -> None:
    steps: list[tuple[int, int]] = []

    assert check_database(sound, step=lambda done, total: steps.append((done, total))) == []

    assert [done for done, _ in steps] == list(range(1, steps[0][1] + 1))


COMPLETED = pk("completed")
DAMAGE: dict[str, tuple[str, str, str, str]] = {
    "an input without an execution": (
        "INSERT INTO execution_data VALUES (999, '{}', NULL)",
        "orphan",
        "",
        "execution_data holds 1 rows of execution number 999, which is not there",
    ),
    "a node without an execution": (
        "INSERT INTO node_runs (execution, node_id, state, attempt, attempts_before) "
        "VALUES (999, 'a', 'PENDING', 0, 0)",
        "orphan",
        "",
        "node_runs holds 1 rows of execution number 999",
    ),
    "an entry without an execution": (
        "INSERT INTO log_entries VALUES (999, 1, 1, 1, '', 0, 'x', '{}', NULL)",
        "orphan",
        "",
        "log_entries holds 1 rows of execution number 999",
    ),
    "a label without an execution": (
        "INSERT INTO execution_labels VALUES ('', 'k', 'v', 1, 999)",
        "orphan",
        "",
        "execution_labels holds 1 rows of execution number 999",
    ),
    "a control request without an execution": (
        "INSERT INTO control_requests VALUES (999, 'r', 'stop', '[]')",
        "orphan",
        "",
        "control_requests holds 1 rows of execution number 999",
    ),
    "a definition that nobody uses": (
        "INSERT INTO definitions VALUES ('unused-digest', '{}')",
        "orphan",
        "",
        "definition unused-diges is of no execution and no stored workflow",
    ),
    "no input": (
        f"DELETE FROM execution_data WHERE execution = {pk('pending')}",
        "missing",
        "pending",
        "has no input on record",
    ),
    "no definition": (
        "UPDATE executions SET definition_digest = 'gone' WHERE execution_id = 'pending'",
        "missing",
        "pending",
        "its definition is not there",
    ),
    "a workflow without a definition": (
        "INSERT INTO workflows VALUES ('', 'w', 'gone', 1, 1)",
        "missing",
        "",
        "the definition of workflow w is not there",
    ),
    "a gap in a log": (
        f"DELETE FROM log_entries WHERE execution = {pk('running')} AND sequence = 2",
        "log",
        "running",
        "the log holds 2 entries, from 1 to 3, and should hold 1 to 3",
    ),
    "a log that is cut off": (
        f"DELETE FROM log_entries WHERE execution = {pk('running')} AND sequence = 3",
        "log",
        "running",
        "the log holds 2 entries, from 1 to 2, and should hold 1 to 3",
    ),
    "a log that says otherwise": (
        f"UPDATE log_entries SET entry = {told(3, 'execution_failed')} WHERE execution = {COMPLETED} AND sequence = 3",
        "log",
        "completed",
        "is COMPLETED, and the log ends its story with execution_failed",
    ),
    "no such state": (
        "UPDATE executions SET state = 'LOST' WHERE execution_id = 'pending'",
        "state",
        "pending",
        "is LOST, which is no state",
    ),
    "an end without a time": (
        "UPDATE executions SET end_time = NULL WHERE execution_id = 'stopped'",
        "state",
        "stopped",
        "is STOPPED, and has no end time",
    ),
    "a time without an end": (
        "UPDATE executions SET end_time = 1 WHERE execution_id = 'paused'",
        "state",
        "paused",
        "is PAUSED, and has an end time",
    ),
    "an end with running nodes": (
        "UPDATE executions SET running_nodes = '[\"a\"]' WHERE execution_id = 'failed'",
        "state",
        "failed",
        "is FAILED, and names running nodes",
    ),
    "a run without a start": (
        "UPDATE executions SET start_time = NULL WHERE execution_id = 'running'",
        "state",
        "running",
        "is RUNNING, and has no start time",
    ),
    "a count that is too low": (
        "UPDATE executions SET nodes_done = 1 WHERE execution_id = 'completed'",
        "state",
        "completed",
        "is COMPLETED, and counts nodes that are not done",
    ),
    "a count that is too high": (
        "UPDATE executions SET nodes_done = 3 WHERE execution_id = 'running'",
        "state",
        "running",
        "is RUNNING, and counts more nodes done than it has",
    ),
    "a failure without an error": (
        "UPDATE executions SET error = NULL WHERE execution_id = 'failed'",
        "state",
        "failed",
        "is FAILED, and has no error",
    ),
    "a success without an output": (
        f"UPDATE execution_data SET output = NULL WHERE execution = {COMPLETED}",
        "state",
        "completed",
        "is COMPLETED, and has no output",
    ),
    "a node that runs after the end": (
        f"UPDATE node_runs SET state = 'RUNNING' WHERE execution = {pk('stopped')}",
        "journal",
        "stopped",
        "is STOPPED, and its node a is RUNNING",
    ),
    "a node that failed in a success": (
        f"UPDATE node_runs SET state = 'FAILED' WHERE execution = {COMPLETED} AND node_id = 'b'",
        "journal",
        "completed",
        "is COMPLETED, and its node b is FAILED",
    ),
    "a node that is missing in a success": (
        f"DELETE FROM node_runs WHERE execution = {COMPLETED} AND node_id = 'b'",
        "journal",
        "completed",
        "is COMPLETED, and its journal holds 1 of 2 nodes",
    ),
    "a node of another workflow": (
        f"UPDATE node_runs SET node_id = 'z' WHERE execution = {pk('running')}",
        "journal",
        "running",
        "its journal holds node z, which its definition does not have",
    ),
    "a label that does not find it": (
        f"DELETE FROM execution_labels WHERE execution = {pk('paused')}",
        "index",
        "paused",
        "cannot be found by its label team",
    ),
    "a label it does not have": (
        f"INSERT INTO execution_labels VALUES ('', 'k', 'v', 1, {pk('paused')})",
        "index",
        "paused",
        "is found by label k, which it does not have",
    ),
    "two newest versions": (
        "INSERT INTO workflows SELECT '', 'w', digest, 1, 0 FROM definitions",
        "index",
        "",
        "workflow w has 0 newest versions",
    ),
    "what is no JSON": (
        f"UPDATE node_runs SET output = '{{' WHERE execution = {COMPLETED} AND node_id = 'a'",
        "unreadable",
        "completed",
        "output in node_runs is no JSON",
    ),
    "an entry that is none": (
        f"UPDATE log_entries SET entry = x'0aff' WHERE execution = {COMPLETED} AND sequence = 2",
        "unreadable",
        "completed",
        "entry in log_entries is not the one of its columns",
    ),
    "an entry in the place of another": (
        f"UPDATE log_entries SET entry = {told(1, 'execution_running')} WHERE execution = {COMPLETED} AND sequence = 2",
        "unreadable",
        "completed",
        "entry in log_entries is not the one of its columns",
    ),
    "an entry of before entries were kept as bytes": (
        f"UPDATE log_entries SET entry = NULL, metadata = '{{' WHERE execution = {COMPLETED} AND sequence = 2",
        "unreadable",
        "completed",
        "metadata in log_entries is no JSON",
    ),
}


@pytest.mark.parametrize("what", DAMAGE)
async def test_planted_damage_is_found_and_named(sound: Path, what: str) -> None:
    statement, kind, execution_id, message = DAMAGE[what]
    plant(sound, statement)

    found = check_database(sound)

    assert [(one.kind, one.execution_id) for one in found] == [(kind, execution_id)]
    assert found[0].message.startswith(message)


async def test_labels_that_are_no_json_do_not_keep_the_rest_from_being_checked(sound: Path) -> None:
    plant(sound, "UPDATE executions SET labels = '{' WHERE execution_id = 'paused'", DAMAGE["no input"][0])

    kinds = [one.kind for one in check_database(sound)]

    assert kinds[0] == "unreadable"
    assert "missing" in kinds


async def test_of_much_damage_of_one_kind_the_first_is_told_and_the_rest_counted(sound: Path) -> None:
    numbers = ", ".join(f"({number}, '{{}}', NULL)" for number in range(900, 900 + MOST + 5))
    plant(sound, f"INSERT INTO execution_data VALUES {numbers}")

    found = check_database(sound)

    assert len(found) == MOST + 1
    assert found[-1].message == "and 5 more like the one before"


async def test_a_file_with_a_damaged_page_is_told_as_that_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "test.db"
    store = await SqliteStore.open(path)
    await asyncio.gather(*(store.create(create(str(number), log=entries("x" * 500))) for number in range(200)))
    await store.close()
    data = bytearray(path.read_bytes())
    for page in range(len(data) - 4096 * 4, len(data), 4096):
        data[page : page + 64] = b"\xff" * 64
    path.write_bytes(data)

    found = check_database(path)

    assert {one.kind for one in found} == {"file"}
    assert found[0].fatal
