"""The Store on one SQLite file."""

from execsvc.store.sqlite.backup import BackupUnusable, Copied, back_up, restore
from execsvc.store.sqlite.check import Finding, check_database
from execsvc.store.sqlite.condition import FileCondition, file_condition, sqlite_version
from execsvc.store.sqlite.store import SqliteStore, bring_up_to_date, opened_tokens, opened_trail

__all__ = [
    "BackupUnusable",
    "Copied",
    "FileCondition",
    "Finding",
    "SqliteStore",
    "back_up",
    "bring_up_to_date",
    "check_database",
    "file_condition",
    "opened_tokens",
    "opened_trail",
    "restore",
    "sqlite_version",
]
