"""Look a database over: the file itself, rows without an owner, gaps in logs, executions that contradict themselves."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

from execsvc.encoding.log_entries import decoded_entries
from execsvc.model import TERMINAL, ExecutionState
from execsvc.store.sqlite.files import opened_to_read

#: Findings of one kind in one place that are told; the rest is counted.
MOST: Final = 20

_STATES: Final = ", ".join(f"'{state}'" for state in ExecutionState)
_ENDED: Final = ", ".join(f"'{state}'" for state in sorted(TERMINAL))
_OWNED: Final = ("execution_labels", "execution_data", "node_runs", "log_entries", "control_requests")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that is wrong with a database."""

    #: ``file``, ``orphan``, ``missing``, ``log``, ``state``, ``journal``, ``index`` or ``unreadable``.
    kind: str
    #: What is wrong.
    message: str
    #: Of which execution; empty where it is about none.
    execution_id: str = ""

    @property
    def fatal(self) -> bool:
        """Whether the file itself is damaged, so that nothing in it can be trusted."""
        return self.kind == "file"

    def __str__(self) -> str:
        where = f"{self.execution_id}: " if self.execution_id else ""
        return f"{self.kind:<10} {where}{self.message}"


@dataclass(frozen=True, slots=True)
class _Rule:
    """A query that gives a row for whatever is wrong: an execution's id or '', and what is wrong."""

    kind: str
    sql: str


def _orphans() -> Iterator[_Rule]:
    for table in _OWNED:
        yield _Rule(
            "orphan",
            f"SELECT '', '{table} holds ' || count(*) || ' rows of execution number ' || execution || ', which is not "
            f"there' FROM {table} WHERE execution NOT IN (SELECT pk FROM executions) GROUP BY execution",
        )
    yield _Rule(
        "orphan",
        "SELECT '', 'definition ' || substr(digest, 1, 12) || ' is of no execution and no stored workflow' "
        "FROM definitions WHERE digest NOT IN (SELECT definition_digest FROM executions) "
        "AND digest NOT IN (SELECT version FROM workflows)",
    )


def _missing() -> Iterator[_Rule]:
    yield _Rule(
        "missing",
        "SELECT execution_id, 'has no input on record' FROM executions "
        "WHERE pk NOT IN (SELECT execution FROM execution_data)",
    )
    yield _Rule(
        "missing",
        "SELECT execution_id, 'its definition is not there' FROM executions "
        "WHERE definition_digest NOT IN (SELECT digest FROM definitions)",
    )
    yield _Rule(
        "missing",
        "SELECT '', 'the definition of workflow ' || workflow_id || ' is not there' FROM workflows "
        "WHERE version NOT IN (SELECT digest FROM definitions)",
    )


def _logs() -> Iterator[_Rule]:
    yield _Rule(
        "log",
        "SELECT execution_id, 'the log holds ' || coalesce(held, 0) || ' entries, from ' || coalesce(first, 0) || "
        "' to ' || coalesce(last, 0) || ', and should hold 1 to ' || last_sequence "
        "FROM executions LEFT JOIN (SELECT execution, count(*) AS held, min(sequence) AS first, max(sequence) AS last "
        "FROM log_entries GROUP BY execution) ON execution = pk "
        "WHERE coalesce(held, 0) <> last_sequence OR coalesce(last, 0) <> last_sequence OR coalesce(first, 1) <> 1",
    )
    yield _Rule(
        "log",
        "SELECT execution_id, 'is ' || state || ', and the log ends its story with ' || coalesce(said, 'nothing') "
        "FROM (SELECT execution_id, state, (SELECT log_event(entry, metadata) FROM log "
        "WHERE execution = pk AND node_id = '' AND log_event(entry, metadata) LIKE 'execution~_%' ESCAPE '~' "
        f"ORDER BY sequence DESC LIMIT 1) AS said FROM executions WHERE state IN ({_ENDED})) "
        "WHERE said IS NOT 'execution_' || lower(state)",
    )


def _states() -> Iterator[_Rule]:
    for wrong, what in (
        (f"state NOT IN ({_STATES})", "which is no state"),
        (f"state IN ({_ENDED}) AND end_time IS NULL", "and has no end time"),
        (f"state NOT IN ({_ENDED}) AND end_time IS NOT NULL", "and has an end time"),
        (f"state IN ({_ENDED}) AND running_nodes <> '[]'", "and names running nodes"),
        ("state IN ('RUNNING', 'COMPLETED') AND start_time IS NULL", "and has no start time"),
        ("state = 'COMPLETED' AND nodes_done <> nodes_total", "and counts nodes that are not done"),
        ("nodes_done NOT BETWEEN 0 AND nodes_total", "and counts more nodes done than it has"),
        ("state = 'FAILED' AND error IS NULL", "and has no error"),
    ):
        yield _Rule("state", f"SELECT execution_id, 'is ' || state || ', {what}' FROM executions WHERE {wrong}")
    yield _Rule(
        "state",
        "SELECT execution_id, 'is COMPLETED, and has no output' FROM executions JOIN execution_data ON execution = pk "
        "WHERE state = 'COMPLETED' AND output IS NULL",
    )


def _journals() -> Iterator[_Rule]:
    yield _Rule(
        "journal",
        "SELECT execution_id, 'is ' || e.state || ', and its node ' || node_id || ' is ' || n.state "
        "FROM node_runs AS n JOIN executions AS e ON pk = execution "
        f"WHERE (e.state IN ({_ENDED}) AND n.state = 'RUNNING') "
        "OR (e.state = 'COMPLETED' AND n.state NOT IN ('COMPLETED', 'SKIPPED'))",
    )
    yield _Rule(
        "journal",
        "SELECT execution_id, 'is COMPLETED, and its journal holds ' || count(node_id) || ' of ' || nodes_total || "
        "' nodes' FROM executions AS e LEFT JOIN node_runs ON execution = pk WHERE e.state = 'COMPLETED' "
        "GROUP BY pk HAVING count(node_id) <> nodes_total",
    )
    yield _Rule(
        "journal",
        "SELECT execution_id, 'its journal holds node ' || node_id || ', which its definition does not have' "
        "FROM executions JOIN node_runs ON execution = pk JOIN definitions ON digest = definition_digest "
        "WHERE node_id NOT IN (SELECT json_extract(value, '$.id') FROM json_each(definition, '$.nodes'))",
    )


def _indexes() -> Iterator[_Rule]:
    yield _Rule(
        "index",
        "SELECT execution_id, 'cannot be found by its label ' || j.key FROM executions AS e, json_each(e.labels) AS j "
        "WHERE NOT EXISTS (SELECT 1 FROM execution_labels AS l WHERE l.namespace = e.namespace AND l.key = j.key "
        "AND l.execution = e.pk AND l.create_time = e.create_time)",
    )
    yield _Rule(
        "index",
        "SELECT execution_id, 'is found by label ' || l.key || ', which it does not have' "
        "FROM execution_labels AS l JOIN executions AS e ON e.pk = l.execution "
        "WHERE l.key NOT IN (SELECT key FROM json_each(e.labels))",
    )
    yield _Rule(
        "index",
        "SELECT '', 'workflow ' || workflow_id || ' has ' || sum(newest) || ' newest versions' FROM workflows "
        "GROUP BY namespace, workflow_id HAVING sum(newest) <> 1",
    )


def _readable() -> Iterator[_Rule]:
    for table, key, columns in (
        ("executions", "pk", ("running_nodes", "labels", "retry", "error")),
        ("execution_data", "execution", ("input", "output")),
        ("node_runs", "execution", ("usage", "error", "output")),
    ):
        for column in columns:
            yield _Rule(
                "unreadable",
                f"SELECT coalesce((SELECT execution_id FROM executions AS e WHERE e.pk = t.{key}), ''), "
                f"'{column} in {table} is no JSON' FROM {table} AS t "
                f"WHERE {column} IS NOT NULL AND NOT json_valid({column})",
            )
    is_wrong = "entry IS NOT NULL AND NOT is_log_entry(entry, sequence, level, node_id)"
    for what, wrong in (
        ("metadata in log_entries is no JSON", "entry IS NULL AND NOT json_valid(metadata)"),
        ("entry in log_entries is not the one of its columns", is_wrong),
    ):
        yield _Rule(
            "unreadable",
            "SELECT coalesce((SELECT execution_id FROM executions AS e WHERE e.pk = execution), ''), "
            f"'{what}' FROM log WHERE {wrong}",
        )
    yield _Rule(
        "unreadable",
        "SELECT '', 'definition ' || substr(digest, 1, 12) || ' is no JSON' FROM definitions "
        "WHERE NOT json_valid(definition)",
    )


#: What is read as JSON is looked at first: where it is none, rules that read it could not go on.
_RULES: Final = (
    *_readable(),
    *_orphans(),
    *_missing(),
    *_logs(),
    *_states(),
    *_journals(),
    *_indexes(),
)


def check_database(path: Path, *, step: Callable[[int, int], None] | None = None) -> list[Finding]:
    """Look over a database, also while its server runs: it is seen as it is at this moment.

    Reads all of it; a server's -wal grows meanwhile by what is written.

    Args:
        step: told after each step: steps done, steps in all.

    Raises:
        StorageUnavailable: it cannot be opened, or is none of ours.
    """
    with opened_to_read(path) as db:
        found = list(_file(db))
        if found:
            return found
        _prepare(db)
        for done, rule in enumerate(_RULES, start=1):
            found += _broken(db, rule)
            if step is not None:
                step(done, len(_RULES))
    return found


def _prepare(db: sqlite3.Connection) -> None:
    """Let rules read logs, also of a database that lacks the newest steps."""
    db.create_function("log_event", 2, _event, deterministic=True)
    db.create_function("is_log_entry", 4, _is_entry, deterministic=True)
    has_entry = any(column[1] == "entry" for column in db.execute("PRAGMA table_info(log_entries)"))
    db.execute(f"CREATE TEMP VIEW log AS SELECT *{'' if has_entry else ', NULL AS entry'} FROM log_entries")


def _event(entry: bytes | None, metadata: str) -> str | None:
    """Give what an entry tells of; None: nothing, or it cannot be read, which another rule tells."""
    try:
        facts = orjson.loads(metadata) if entry is None else decoded_entries(entry)[0].metadata
        event = facts.get("event")
    except (ValueError, LookupError, AttributeError):
        return None
    return event if isinstance(event, str) else None


def _is_entry(entry: bytes, *columns: object) -> bool:
    try:
        (found,) = decoded_entries(entry)
    except (TypeError, ValueError):
        return False
    return (found.sequence, found.level.rank, found.node_id) == columns


def _file(db: sqlite3.Connection) -> Iterator[Finding]:
    try:
        for (verdict,) in db.execute(f"PRAGMA integrity_check({MOST})"):
            if verdict != "ok":
                yield Finding(kind="file", message=verdict)
        for table, row, parent, _ in db.execute("PRAGMA foreign_key_check"):
            yield Finding(kind="file", message=f"row {row} of {table} refers to a row of {parent} that is not there")
    except sqlite3.DatabaseError as error:
        yield Finding(kind="file", message=str(error))


def _broken(db: sqlite3.Connection, rule: _Rule) -> Iterator[Finding]:
    try:
        cursor = db.execute(rule.sql)
        for execution_id, message in cursor.fetchmany(MOST):
            yield Finding(kind=rule.kind, message=message, execution_id=execution_id)
        more = sum(1 for _ in cursor)
    except sqlite3.DatabaseError as error:
        yield Finding(kind="unreadable", message=f"a check for kind {rule.kind} cannot be made: {error}")
        return
    if more:
        yield Finding(kind=rule.kind, message=f"and {more} more like the one before")
