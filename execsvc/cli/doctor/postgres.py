"""Checks of the Postgres database: whether it lets a server in, keeps what it acknowledges, and has room for more."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING, Final

from execsvc.cli.doctor.clock import beside_database, records
from execsvc.cli.doctor.findings import Finding, ok, problem, warning
from execsvc.errors import StorageUnavailable

if TYPE_CHECKING:
    from execsvc.store import PostgresDatabase
    from execsvc.store.postgres import PostgresCondition

#: Seconds of a round trip, and of a commit, that executions still are glad of.
_FAR, _SLOW = 0.005, 0.02
#: Seconds after which a database that answers nothing is given up.
_PATIENCE: Final = 20.0
#: What loses acknowledged work, or pages, where it is off.
_DURABLE: Final = {
    "fsync": "a crash of the machine may damage the database beyond repair",
    "full_page_writes": "a crash of the machine may leave pages half written",
}


def postgres_database(database: PostgresDatabase) -> Iterator[Finding]:
    """Check a database, also while servers use it."""
    try:
        from execsvc.store.postgres import postgres_condition
    except ModuleNotFoundError:
        yield problem(
            "database.reached",
            "the packages for Postgres are not installed",
            means="no server starts",
            advice="pip install 'execsvc[postgres]'",
        )
        return
    try:
        place, found = asyncio.run(asyncio.wait_for(postgres_condition(database), _PATIENCE))
    except TimeoutError:
        yield _unreached(f"it has not answered for {_PATIENCE:g} s")
        return
    except StorageUnavailable as error:
        yield _unreached(error.message)
        return
    yield ok("database.reached", f"{place}, Postgres {found.version}", version=found.version)
    if found.standby:
        yield problem(
            "database.primary",
            "it only follows another server",
            means="nothing can be written",
            advice="let the URL name the primary; target_session_attrs=read-write in it finds that among several hosts",
        )
    yield _encryption(place, found)
    yield from _rights(found)
    yield from _settings(found)
    yield _connections(found, database.connections)
    yield _speed(found)
    yield beside_database(found.ahead, found.round_trip)
    yield records(found.newest)


def _unreached(why: str) -> Finding:
    return problem(
        "database.reached",
        why,
        means="no server starts, and those that run refuse work until it is there",
        advice="see that it runs, that the URL is right and that its pg_hba.conf lets this machine and role in",
    )


def _encryption(place: str, found: PostgresCondition) -> Finding:
    host = place.removeprefix("postgresql://").partition("/")[0].rpartition(":")[0] or place
    near = found.encrypted or host.startswith(("127.", "[::1]", "localhost", "/")) or host == place
    if not near:
        return warning(
            "database.encryption",
            "the connection is not encrypted",
            means="whoever sees the traffic reads inputs, results and logs, and may see the password",
            advice="sslmode=verify-full in the URL, and TLS of the database",
        )
    return ok(
        "database.encryption", "encrypted" if found.encrypted else "not encrypted, on this machine", tls=found.encrypted
    )


def _rights(found: PostgresCondition) -> Iterator[Finding]:
    if found.missing and not found.may_migrate:
        yield problem(
            "database.schema",
            f"it lacks {', '.join(found.missing)}, and this role may not make them",
            means="no server starts",
            advice="run `execsvc migrate` once with a role that may, then give this one its rights (docs/postgres.md)",
            missing=list(found.missing),
        )
    elif found.missing:
        yield warning(
            "database.schema",
            f"it lacks {', '.join(found.missing)}",
            means="the next start of this version makes them, and there is no way back to the one before",
            advice="make a backup first: pg_dump",
            missing=list(found.missing),
        )
    else:
        yield ok("database.schema", "that of this version", missing=[])
    if found.lacking:
        yield problem(
            "database.rights",
            f"this role may not read and write {', '.join(found.lacking)}",
            means="calls fail with STORAGE_UNAVAILABLE",
            advice="GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA execsvc TO it, by the tables' owner",
            lacking=list(found.lacking),
        )
    elif found.superuser:
        yield warning(
            "database.rights",
            "this role may do everything, in all databases",
            means="who gets hold of the URL has all of them",
            advice="give the server a role of its own that owns the schema execsvc and nothing else",
        )
    else:
        yield ok("database.rights", "this role may do what a server does")


def _settings(found: PostgresCondition) -> Iterator[Finding]:
    for name, means in _DURABLE.items():
        if found.settings.get(name) == "off":
            yield problem(f"database.{name}", f"{name} is off", means=means, advice=f"set {name} = on, for all of it")
    commit = found.settings.get("synchronous_commit", "")
    if commit == "off":
        yield problem(
            "database.synchronous_commit",
            "synchronous_commit is off",
            means="a crash of the database loses executions that were acknowledged",
            advice="set it to on for this role or database: ALTER ROLE … SET synchronous_commit = on",
        )
    elif commit == "local":
        yield warning(
            "database.synchronous_commit",
            "synchronous_commit is local",
            means="what was acknowledged is lost with this machine, whatever standbys there are",
            advice="set it to on where a standby takes over",
        )
    else:
        yield ok("database.synchronous_commit", f"synchronous_commit is {commit}, fsync {found.settings.get('fsync')}")
    if found.settings.get("default_transaction_read_only") == "on":
        yield problem(
            "database.read_only",
            "default_transaction_read_only is on",
            means="nothing can be written",
            advice="set it to off for this role and database",
        )


def _connections(found: PostgresCondition, wanted: int) -> Finding:
    limits = [found.max_connections - found.reserved, found.database_limit, found.role_limit]
    most = min(limit for limit in limits if limit >= 0)
    free = most - found.used
    others = (
        f", {found.servers} other execsvc process{'' if found.servers == 1 else 'es'} among them"
        if found.servers
        else ""
    )
    told = f"{found.used} of {most} are open{others}; a server takes up to {wanted}"
    facts = {"most": most, "used": found.used, "servers": found.servers, "wanted": wanted}
    if free < wanted:
        return warning(
            "database.connections",
            told,
            means="one more server may find none free, and its calls then fail with STORAGE_UNAVAILABLE",
            advice="raise max_connections, lower --store-connections, or put a pooler before it (docs/postgres.md)",
            **facts,
        )
    return ok("database.connections", told, **facts)


def _speed(found: PostgresCondition) -> Finding:
    commit = "" if found.commit is None else f", a commit {1000 * found.commit:.2f} ms"
    told = f"a round trip takes {1000 * found.round_trip:.2f} ms{commit}"
    facts = {
        "round_trip_ms": 1000 * found.round_trip,
        "commit_ms": None if found.commit is None else 1000 * found.commit,
    }
    if found.round_trip > _FAR or (found.commit or 0) > _SLOW:
        return warning(
            "database.speed",
            told,
            means="each acknowledgement waits for that, and each effect of a chain; at load they share commits",
            advice="run servers near the database, and the database on quick disks",
            **facts,
        )
    return ok("database.speed", told, **facts)
