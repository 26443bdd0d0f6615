"""The Store on a Postgres database, for one server or many."""

from execsvc.store.postgres.store import PostgresStore

__all__ = ["PostgresStore"]
