"""The Store on one SQLite file."""

from execsvc.store.sqlite.store import SqliteStore

__all__ = ["SqliteStore"]
