"""The Store on one SQLite file."""

from execsvc.store.sqlite.backup import BackupUnusable, Copied, back_up, restore
from execsvc.store.sqlite.check import Finding, check_database
from execsvc.store.sqlite.store import SqliteStore

__all__ = ["BackupUnusable", "Copied", "Finding", "SqliteStore", "back_up", "check_database", "restore"]
