"""The Store on a Postgres database, for one server or many."""

from execsvc.store.postgres.condition import PostgresCondition, postgres_condition
from execsvc.store.postgres.moving import Moved, NotMoved, move
from execsvc.store.postgres.store import PostgresStore, migrated, opened_tokens, opened_trail

__all__ = [
    "Moved",
    "NotMoved",
    "PostgresCondition",
    "PostgresStore",
    "migrated",
    "move",
    "opened_tokens",
    "opened_trail",
    "postgres_condition",
]
