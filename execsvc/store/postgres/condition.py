"""How a Postgres database does for a server of ours: version, rights, settings, room, clock, and how quick it is."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from execsvc.store.address import PostgresDatabase
from execsvc.store.postgres.connections import Connection, Connections
from execsvc.store.postgres.failures import Failure, told
from execsvc.store.postgres.migrations import check_server, missing_steps

#: Round trips and commits that are timed; the middle one counts.
_TRIES: Final = 7

_FACTS: Final = """
SELECT current_setting('max_connections')::int,
    current_setting('superuser_reserved_connections')::int
        + coalesce(current_setting('reserved_connections', true), '0')::int,
    (SELECT datconnlimit FROM pg_database WHERE datname = current_database()),
    (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
    (SELECT rolsuper FROM pg_roles WHERE rolname = current_user),
    (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')::int,
    (SELECT count(DISTINCT application_name) FROM pg_stat_activity
        WHERE datname = current_database() AND application_name LIKE 'execsvc %' AND pid <> pg_backend_pid()
        AND application_name <> current_setting('application_name'))::int,
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false),
    pg_is_in_recovery(),
    to_regnamespace('execsvc') IS NOT NULL,
    has_database_privilege(current_database(), 'CREATE')
"""
_SETTINGS: Final = """
SELECT name, setting FROM pg_settings
WHERE name IN ('fsync', 'full_page_writes', 'synchronous_commit', 'default_transaction_read_only')
"""
_LACKING: Final = """
SELECT tablename FROM pg_tables WHERE schemaname = 'execsvc'
AND NOT has_table_privilege(quote_ident(schemaname) || '.' || quote_ident(tablename), %s) ORDER BY tablename
"""
_NEWEST: Final = """
SELECT greatest(coalesce((SELECT create_time FROM execsvc.executions ORDER BY pk DESC LIMIT 1), 0),
    coalesce((SELECT max(end_time + 0) FROM execsvc.executions WHERE end_time IS NOT NULL), 0))
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresCondition:
    """What was found."""

    #: As in 16.4.
    version: str
    #: Connections in all, those kept for administrators, and those of this database and this role; -1: no limit.
    max_connections: int
    reserved: int
    database_limit: int
    role_limit: int
    #: Connections that are open, of whomever, and other processes of ours among them.
    used: int
    servers: int
    #: Whether this role may do everything.
    superuser: bool
    #: Whether the connection is encrypted.
    encrypted: bool
    #: Whether it only follows another server.
    standby: bool
    #: Steps of the schema that the next start of a server takes, and whether this role may take them.
    missing: Sequence[str]
    may_migrate: bool
    #: Tables that this role may not write, or read.
    lacking: Sequence[str]
    #: ``fsync``, ``full_page_writes``, ``synchronous_commit``, ``default_transaction_read_only``.
    settings: Mapping[str, str]
    #: Seconds by which the database's clock is ahead of ours, give or take half a round trip.
    ahead: float
    #: Seconds of a round trip; of a commit, None: it could not be timed.
    round_trip: float
    commit: float | None
    #: Newest time on record, microseconds since 1970; 0: none.
    newest: int


async def postgres_condition(database: PostgresDatabase) -> tuple[str, PostgresCondition]:
    """Look at a database, also while servers use it; answers where it is, too. Nothing of it is changed.

    Raises:
        StorageUnavailable: it cannot be reached or used at all.
    """
    connections = Connections(database)
    with told(connections.shown):
        db = await connections.connect()
        try:
            await check_server(db)
            found = await _condition(db)
        finally:
            await db.close()
        # Servers need both ways.
        await (await connections.connect_directly()).close()
    return connections.shown, found


async def _condition(db: Connection) -> PostgresCondition:
    (
        (total, reserved, of_database, of_role, superuser, used, servers, encrypted, standby, schema, may_create),
    ) = await _all(db, _FACTS)
    missing = await missing_steps(db)
    lacking = [str(name) for (name,) in await _all(db, _LACKING, ("SELECT",))]
    if not standby:
        for right in ("INSERT", "UPDATE", "DELETE"):
            lacking += [str(name) for (name,) in await _all(db, _LACKING, (right,))]
    newest = 0
    if schema and not lacking and len(missing) == 0:
        ((newest,),) = await _all(db, _NEWEST)
    round_trip, ahead = await _clock(db)
    return PostgresCondition(
        version=".".join(map(str, divmod(db.info.server_version, 10_000))),
        max_connections=total,
        reserved=reserved,
        database_limit=of_database,
        role_limit=of_role,
        used=used,
        servers=servers,
        superuser=superuser,
        encrypted=encrypted,
        standby=standby,
        missing=missing,
        may_migrate=superuser or (await _owns(db) if schema else may_create),
        lacking=sorted(set(lacking)),
        settings={str(name): str(value) for name, value in await _all(db, _SETTINGS)},
        ahead=ahead,
        round_trip=round_trip,
        commit=None if standby else await _commit(db),
        newest=int(newest),
    )


async def _owns(db: Connection) -> bool:
    ((owns,),) = await _all(db, "SELECT has_schema_privilege('execsvc', 'CREATE')")
    return bool(owns)


async def _clock(db: Connection) -> tuple[float, float]:
    """Answer the seconds of a round trip, and by how many the database's clock is ahead."""
    tries: list[tuple[float, float]] = []
    for _ in range(_TRIES):
        wall, begun = time.time(), time.perf_counter()
        ((theirs,),) = await _all(db, "SELECT extract(epoch FROM clock_timestamp())::float8")
        taken = time.perf_counter() - begun
        tries.append((taken, theirs - (wall + taken / 2)))
    # The quickest tells the difference best.
    return sorted(taken for taken, _ in tries)[_TRIES // 2], min(tries)[1]


async def _commit(db: Connection) -> float | None:
    """Answer the seconds of a commit that has to be flushed: of a message in the log of writes, and in no table."""
    taken: list[float] = []
    with contextlib.suppress(Failure):
        for _ in range(_TRIES):
            begun = time.perf_counter()
            await db.execute(b"SELECT pg_logical_emit_message(true, 'execsvc', '')")
            taken.append(time.perf_counter() - begun)
    return sorted(taken)[len(taken) // 2] if taken else None


async def _all(db: Connection, statement: str, arguments: tuple[str, ...] | None = None) -> list[tuple[Any, ...]]:
    return await (await db.execute(statement.encode(), arguments)).fetchall()
