"""The Store on a Postgres database, for one server or many."""

from execsvc.store.postgres.store import PostgresStore, opened_tokens

__all__ = ["PostgresStore", "opened_tokens"]
