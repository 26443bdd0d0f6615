"""The schema of the SQLite database as numbered, forward-only steps, each in one transaction with its record.

Never edit a step that was released; add one, and keep a database that has it (`make keep-database`).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from sqlite_utils import Database, Migrations

from execsvc.errors import StorageUnavailable

#: Stands in the header of each of our files: "exec" in ASCII.
APPLICATION_ID: Final = 0x65786563

Step = Callable[[Database], None]

migrations = Migrations("execsvc")
_known: set[str] = set()


def check_ours(db: Database) -> None:
    """See that a database is one this version may open; an empty one is made ours.

    Raises:
        StorageUnavailable: it is somebody else's, or was written by a later version. Nothing was changed.
    """
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID:
        (tables,) = db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        if application_id or tables:
            raise StorageUnavailable("it is the database of another application; name another file")
        # Marked before anything else, so that a first start that was cut off can be taken up.
        db.execute(f"PRAGMA application_id = {APPLICATION_ID}")
    _check_known(db)


def check_ours_and_known(db: Database) -> None:
    """See the same of a database that is only read; an empty one is none of ours.

    Raises:
        StorageUnavailable: as ``check_ours``.
    """
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    if application_id != APPLICATION_ID or "executions" not in db.table_names():
        raise StorageUnavailable("it is no database of execsvc; name another file")
    _check_known(db)


def up_to_date(db: Database) -> bool:
    """Whether a database is ours and lacks no step. Changes nothing."""
    (application_id,) = db.execute("PRAGMA application_id").fetchone()
    return application_id == APPLICATION_ID and {step.name for step in migrations.applied(db)} == _known


def missing_steps(db: Database) -> list[str]:
    """Give the steps that a database of ours lacks, in their order. Changes nothing."""
    return sorted(_known - {step.name for step in migrations.applied(db)})


def _check_known(db: Database) -> None:
    later = {step.name for step in migrations.applied(db)} - _known
    if later:
        raise StorageUnavailable(
            f"it was written by a later version of execsvc (step {max(later)}); use that version, or another file"
        )


def _step(name: str) -> Callable[[Step], Step]:
    _known.add(name)
    return migrations(name=name)


@_step("0001_first")
def _first(db: Database) -> None:
    # Row of an execution: small, since every commit rewrites it. What may be large lives in execution_data.
    db.execute(
        """
        CREATE TABLE executions (
            pk INTEGER PRIMARY KEY,
            namespace TEXT NOT NULL,
            execution_id TEXT NOT NULL,
            uid TEXT NOT NULL,
            workflow_id TEXT NOT NULL,
            state TEXT NOT NULL,
            message TEXT NOT NULL,
            current_node TEXT NOT NULL,
            running_nodes TEXT NOT NULL,
            nodes_done INTEGER NOT NULL,
            nodes_total INTEGER NOT NULL,
            last_sequence INTEGER NOT NULL,
            epoch INTEGER NOT NULL,
            owner TEXT NOT NULL,
            ran_for INTEGER NOT NULL,
            create_time INTEGER NOT NULL,
            start_time INTEGER,
            end_time INTEGER,
            request_digest TEXT NOT NULL,
            definition_digest TEXT NOT NULL,
            labels TEXT NOT NULL,
            priority INTEGER NOT NULL,
            timeout INTEGER,
            concurrency_key TEXT NOT NULL,
            retry TEXT,
            error TEXT
        )
        """
    )
    db.execute("CREATE UNIQUE INDEX executions_id ON executions (namespace, execution_id)")
    db.execute(
        "CREATE INDEX executions_unfinished ON executions (priority DESC, create_time, pk) "
        "WHERE state IN ('PENDING', 'RUNNING')"
    )
    # Lists, newest or oldest first: of everything, of a state, of a workflow, by end, of a label.
    db.execute("CREATE INDEX executions_created ON executions (namespace, create_time, pk)")
    db.execute("CREATE INDEX executions_state ON executions (namespace, state, create_time, pk)")
    db.execute("CREATE INDEX executions_workflow ON executions (namespace, workflow_id, create_time, pk)")
    db.execute("CREATE INDEX executions_ended ON executions (namespace, end_time, pk) WHERE end_time IS NOT NULL")
    # Retention looks across namespaces.
    db.execute("CREATE INDEX executions_expiry ON executions (end_time) WHERE end_time IS NOT NULL")
    db.execute("CREATE INDEX executions_definition ON executions (definition_digest)")
    db.execute(
        """
        CREATE TABLE execution_labels (
            namespace TEXT NOT NULL,
            key TEXT NOT NULL,
            value TEXT NOT NULL,
            create_time INTEGER NOT NULL,
            execution INTEGER NOT NULL,
            PRIMARY KEY (namespace, key, value, create_time, execution)
        ) WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE workflows (
            namespace TEXT NOT NULL,
            workflow_id TEXT NOT NULL,
            version TEXT NOT NULL,
            create_time INTEGER NOT NULL,
            newest INTEGER NOT NULL,
            PRIMARY KEY (namespace, workflow_id, version)
        ) WITHOUT ROWID
        """
    )
    db.execute("CREATE INDEX workflows_newest ON workflows (namespace, create_time, workflow_id) WHERE newest")
    db.execute("CREATE INDEX workflows_versions ON workflows (namespace, workflow_id, create_time, version)")
    db.execute("CREATE INDEX workflows_digest ON workflows (version)")
    db.execute("CREATE TABLE execution_data (execution INTEGER PRIMARY KEY, input TEXT NOT NULL, output TEXT)")
    # A definition is stored once, whoever runs it.
    db.execute("CREATE TABLE definitions (digest TEXT PRIMARY KEY, definition TEXT NOT NULL) WITHOUT ROWID")
    db.execute(
        """
        CREATE TABLE node_runs (
            execution INTEGER NOT NULL,
            node_id TEXT NOT NULL,
            state TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            attempts_before INTEGER NOT NULL,
            start_time INTEGER,
            end_time INTEGER,
            retry_time INTEGER,
            branch TEXT,
            usage TEXT,
            error TEXT,
            output TEXT,
            PRIMARY KEY (execution, node_id)
        ) WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE log_entries (
            execution INTEGER NOT NULL,
            sequence INTEGER NOT NULL,
            time INTEGER NOT NULL,
            level INTEGER NOT NULL,
            node_id TEXT NOT NULL,
            attempt INTEGER NOT NULL,
            message TEXT NOT NULL,
            metadata TEXT NOT NULL,
            PRIMARY KEY (execution, sequence)
        ) WITHOUT ROWID
        """
    )
    db.execute(
        """
        CREATE TABLE control_requests (
            execution INTEGER NOT NULL,
            request_id TEXT NOT NULL,
            action TEXT NOT NULL,
            status TEXT NOT NULL,
            PRIMARY KEY (execution, request_id)
        ) WITHOUT ROWID
        """
    )


@_step("0002_api_tokens")
def _api_tokens(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE api_tokens (
            token_id TEXT PRIMARY KEY,
            digest TEXT NOT NULL,
            namespace TEXT NOT NULL,
            role TEXT NOT NULL,
            name TEXT NOT NULL,
            create_time INTEGER NOT NULL,
            expire_time INTEGER,
            revoke_time INTEGER
        ) WITHOUT ROWID
        """
    )


@_step("0003_audit")
def _audit(db: Database) -> None:
    db.execute(
        """
        CREATE TABLE audit (
            number INTEGER PRIMARY KEY,
            time INTEGER NOT NULL,
            namespace TEXT NOT NULL,
            actor_kind TEXT NOT NULL,
            actor TEXT NOT NULL,
            actor_label TEXT NOT NULL,
            role TEXT NOT NULL,
            action TEXT NOT NULL,
            target TEXT NOT NULL,
            uid TEXT NOT NULL,
            outcome TEXT NOT NULL,
            request_id TEXT NOT NULL,
            address TEXT NOT NULL
        )
        """
    )
    # An expression, so that what has a filter is not read off it as well, past all that others did.
    db.execute("CREATE INDEX audit_time ON audit (time + 0, number)")
    db.execute("CREATE INDEX audit_namespace ON audit (namespace, time, number)")
    db.execute("CREATE INDEX audit_actor ON audit (actor, time, number)")
    db.execute("CREATE INDEX audit_target ON audit (target, time, number)")
    db.execute(
        "CREATE TRIGGER audit_is_append_only BEFORE UPDATE ON audit "
        "BEGIN SELECT RAISE(ABORT, 'the audit trail is append-only'); END"
    )


@_step("0004_entries_as_sent")
def _entries_as_sent(db: Database) -> None:
    # Where it is set, level and node_id repeat what filters ask for, and the other columns say nothing. What is there
    # stays as it is: to write all logs anew would take minutes.
    db.execute("ALTER TABLE log_entries ADD COLUMN entry BLOB")
