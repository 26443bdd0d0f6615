"""The schema of the Postgres database as numbered, forward-only steps, each in one transaction with its record.

Never edit a step that was released; add one, and keep a database that has it (`make keep-database`). Everything lives
in a schema of its own, named in each statement: a search path would be session state.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from execsvc.errors import StorageUnavailable
from execsvc.store.postgres.connections import Connection
from execsvc.store.postgres.jobs_schema import jobs_step
from execsvc.store.postgres.line_schema import LINE

#: Of advisory locks, "exec" in ASCII and a number: migrations, the one server of a database, versions of workflows,
#: definitions that are used or removed; more in ``jobs_schema``. They are a database's own.
MIGRATION_LOCK, SERVER_LOCK, WORKFLOW_LOCK, DEFINITION_LOCK = (0x65786563_00000000 + number for number in range(1, 5))
#: Seconds that a migration waits for another server's.
PATIENCE: Final = 60
#: Needed for pg_current_xact_id and pg_xact_status.
LEAST_VERSION: Final = 13

_FIRST = """
-- Written with every commit, so small; what may be large lives in execution_data. Text is compared byte by byte, in
-- whatever locale the database is.
CREATE TABLE execsvc.executions (
    pk bigint PRIMARY KEY,
    -- Grows with every change: a batch that was decided on an older one is refused.
    revision bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    execution_id text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    message text COLLATE "C" NOT NULL,
    current_node text COLLATE "C" NOT NULL,
    running_nodes text COLLATE "C" NOT NULL,
    nodes_done integer NOT NULL,
    nodes_total integer NOT NULL,
    last_sequence bigint NOT NULL,
    epoch bigint NOT NULL,
    owner text COLLATE "C" NOT NULL,
    ran_for bigint NOT NULL,
    create_time bigint NOT NULL,
    start_time bigint,
    end_time bigint,
    request_digest text COLLATE "C" NOT NULL,
    definition_digest text COLLATE "C" NOT NULL,
    labels jsonb NOT NULL,
    -- Labels as they were given, where jsonb cannot hold them: it has no U+0000.
    labels_exact text COLLATE "C",
    priority integer NOT NULL,
    timeout bigint,
    concurrency_key text COLLATE "C" NOT NULL,
    retry text COLLATE "C",
    error text COLLATE "C"
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.02, autovacuum_analyze_scale_factor = 0.02);
-- Numbers are taken a thousand at a time, by each server for itself.
CREATE SEQUENCE execsvc.executions_pk INCREMENT BY 1000;
CREATE UNIQUE INDEX executions_id ON execsvc.executions (namespace, execution_id);
CREATE INDEX executions_unfinished ON execsvc.executions (priority DESC, create_time, pk)
    WHERE state IN ('PENDING', 'RUNNING');
-- Lists, newest or oldest first: of everything, of a state, of a workflow, by end.
CREATE INDEX executions_created ON execsvc.executions (namespace, create_time, pk);
CREATE INDEX executions_state ON execsvc.executions (namespace, state, create_time, pk);
CREATE INDEX executions_workflow ON execsvc.executions (namespace, workflow_id, create_time, pk);
CREATE INDEX executions_ended ON execsvc.executions (namespace, end_time, pk) WHERE end_time IS NOT NULL;
-- Retention looks across namespaces. An expression, or else lists of one namespace would be read off it too, past
-- whatever ended in the others.
CREATE INDEX executions_expiry ON execsvc.executions ((end_time + 0)) WHERE end_time IS NOT NULL;
CREATE INDEX executions_definition ON execsvc.executions (definition_digest);
CREATE TABLE execsvc.execution_labels (
    namespace text COLLATE "C" NOT NULL,
    key text COLLATE "C" NOT NULL,
    value text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    execution bigint NOT NULL,
    PRIMARY KEY (namespace, key, value, create_time, execution)
);
CREATE TABLE execsvc.workflows (
    namespace text COLLATE "C" NOT NULL,
    workflow_id text COLLATE "C" NOT NULL,
    version text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    newest boolean NOT NULL,
    PRIMARY KEY (namespace, workflow_id, version)
);
CREATE INDEX workflows_newest ON execsvc.workflows (namespace, create_time, workflow_id) WHERE newest;
CREATE INDEX workflows_versions ON execsvc.workflows (namespace, workflow_id, create_time, version);
CREATE INDEX workflows_digest ON execsvc.workflows (version);
CREATE TABLE execsvc.execution_data (
    execution bigint PRIMARY KEY,
    input text COLLATE "C" NOT NULL,
    output text COLLATE "C"
);
-- A definition is stored once, whoever runs it.
CREATE TABLE execsvc.definitions (digest text COLLATE "C" PRIMARY KEY, definition text COLLATE "C" NOT NULL);
CREATE TABLE execsvc.node_runs (
    execution bigint NOT NULL,
    node_id text COLLATE "C" NOT NULL,
    state text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    attempts_before integer NOT NULL,
    start_time bigint,
    end_time bigint,
    retry_time bigint,
    branch text COLLATE "C",
    usage text COLLATE "C",
    error text COLLATE "C",
    output text COLLATE "C",
    PRIMARY KEY (execution, node_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05);
CREATE TABLE execsvc.log_entries (
    execution bigint NOT NULL,
    sequence bigint NOT NULL,
    time bigint NOT NULL,
    level smallint NOT NULL,
    node_id text COLLATE "C" NOT NULL,
    attempt integer NOT NULL,
    message text COLLATE "C" NOT NULL,
    metadata text COLLATE "C" NOT NULL,
    PRIMARY KEY (execution, sequence)
);
CREATE TABLE execsvc.control_requests (
    execution bigint NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    status text COLLATE "C" NOT NULL,
    PRIMARY KEY (execution, request_id)
);
-- Ends a transaction whose rows were changed by another one since they were read.
CREATE FUNCTION execsvc.expect(written bigint, wanted bigint) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF written <> wanted THEN
        RAISE EXCEPTION USING ERRCODE = 'serialization_failure', MESSAGE = 'an execution was changed meanwhile';
    END IF;
END
$$;
"""

_API_TOKENS = """
CREATE TABLE execsvc.api_tokens (
    token_id text COLLATE "C" PRIMARY KEY,
    digest text COLLATE "C" NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    name text COLLATE "C" NOT NULL,
    create_time bigint NOT NULL,
    expire_time bigint,
    revoke_time bigint
);
"""

_AUDIT = """
CREATE TABLE execsvc.audit (
    number bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    time bigint NOT NULL,
    namespace text COLLATE "C" NOT NULL,
    actor_kind text COLLATE "C" NOT NULL,
    actor text COLLATE "C" NOT NULL,
    actor_label text COLLATE "C" NOT NULL,
    role text COLLATE "C" NOT NULL,
    action text COLLATE "C" NOT NULL,
    target text COLLATE "C" NOT NULL,
    uid text COLLATE "C" NOT NULL,
    outcome text COLLATE "C" NOT NULL,
    request_id text COLLATE "C" NOT NULL,
    address text COLLATE "C" NOT NULL
);
-- An expression, so that what has a filter is not read off it as well, past all that others did.
CREATE INDEX audit_time ON execsvc.audit ((time + 0), number);
CREATE INDEX audit_namespace ON execsvc.audit (namespace, time, number);
CREATE INDEX audit_actor ON execsvc.audit (actor, time, number);
CREATE INDEX audit_target ON execsvc.audit (target, time, number);
CREATE FUNCTION execsvc.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the audit trail is append-only';
END
$$;
CREATE TRIGGER audit_is_append_only BEFORE UPDATE OR TRUNCATE ON execsvc.audit
    FOR EACH STATEMENT EXECUTE FUNCTION execsvc.refuse_change();
"""

#: Names and statements, or what makes them, oldest first.
STEPS: Final[Mapping[str, str | Callable[[], str]]] = {
    "0001_first": _FIRST,
    "0002_api_tokens": _API_TOKENS,
    "0003_jobs": jobs_step,
    "0004_audit": _AUDIT,
    "0005_lines_of_namespaces": LINE,
}

_RECORDS = """
CREATE SCHEMA IF NOT EXISTS execsvc;
CREATE TABLE IF NOT EXISTS execsvc.migrations (
    name text COLLATE "C" PRIMARY KEY,
    applied_at timestamptz NOT NULL DEFAULT now()
);
"""


async def check_server(db: Connection) -> None:
    """See that a server can hold what is to be stored.

    Raises:
        StorageUnavailable: it is too old, or the database has another encoding than UTF-8.
    """
    if db.info.server_version < LEAST_VERSION * 10_000:
        raise StorageUnavailable(f"it is Postgres {db.info.server_version // 10_000}; take {LEAST_VERSION} or later")
    encoding = (await _all(db, "SELECT current_setting('server_encoding')"))[0][0]
    if encoding != "UTF8":
        raise StorageUnavailable(f"its encoding is {encoding}; make the database with ENCODING 'UTF8'")


async def migrate(db: Connection) -> Sequence[str]:
    """Bring the schema up to date; answers the names of the steps that were applied.

    Several servers may do so at once: the others wait for the first.

    Raises:
        StorageUnavailable: the database was written by a later version. Nothing was changed.
        psycopg.Error: a step failed, by which nothing was changed, or may not be done by this role.
    """
    done: list[str] = []
    for name in await missing_steps(db):
        async with db.transaction():
            await db.execute(f"SET LOCAL lock_timeout = '{PATIENCE}s'".encode())
            await db.execute("SELECT pg_advisory_xact_lock(%s)", (MIGRATION_LOCK,))
            await db.execute(_RECORDS.encode())
            if name not in await _applied(db):
                step = STEPS[name]
                await db.execute((step if isinstance(step, str) else step()).encode())
                await db.execute("INSERT INTO execsvc.migrations (name) VALUES (%s)", (name,))
                done.append(name)
    return done


async def missing_steps(db: Connection) -> Sequence[str]:
    """Give the steps that a database lacks, in their order. Changes nothing.

    Raises:
        StorageUnavailable: it was written by a later version.
        psycopg.Error: this role may not look.
    """
    ((there,),) = await _all(db, "SELECT to_regclass('execsvc.migrations') IS NOT NULL")
    applied = await _applied(db) if there else set[str]()
    later = applied - set(STEPS)
    if later:
        raise StorageUnavailable(
            f"it was written by a later version of execsvc (step {max(later)}); use that version, or another database"
        )
    return [name for name in STEPS if name not in applied]


async def _applied(db: Connection) -> set[str]:
    return {str(name) for (name,) in await _all(db, "SELECT name FROM execsvc.migrations")}


async def _all(db: Connection, statement: str) -> list[tuple[object, ...]]:
    return await (await db.execute(statement.encode())).fetchall()
