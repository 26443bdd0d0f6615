"""Where a Postgres database is, and how many connections a server may open to it."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True, kw_only=True)
class PostgresDatabase:
    """A database on a Postgres server. Its URLs may hold passwords, so they are never shown."""

    #: As libpq reads it: postgresql://user:password@host:port/database.
    url: str = field(repr=False)
    #: Past the transaction-pooling proxy that ``url`` names; None: ``url`` names Postgres itself.
    direct_url: str | None = field(default=None, repr=False)
    #: Connections that a server opens at most, 3 or more: its writer's, its session's, and the rest for reads.
    connections: int = 6
