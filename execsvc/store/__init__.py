"""Keeps executions, their journals and their logs. SQL stops here."""

from execsvc.store.observer import BatchDone, StoreObserver
from execsvc.store.protocol import (
    Claim,
    Commit,
    Created,
    CreateExecution,
    DeleteExecution,
    Listed,
    Listener,
    LogPage,
    PutWorkflow,
    Store,
    Unfinished,
    Updated,
    UpdateExecution,
    WorkflowPut,
)
from execsvc.store.sqlite import BackupUnusable, Copied, Finding, SqliteStore, back_up, check_database, restore

__all__ = [
    "BackupUnusable",
    "BatchDone",
    "Claim",
    "Commit",
    "Copied",
    "CreateExecution",
    "Created",
    "DeleteExecution",
    "Finding",
    "Listed",
    "Listener",
    "LogPage",
    "PutWorkflow",
    "SqliteStore",
    "Store",
    "StoreObserver",
    "Unfinished",
    "UpdateExecution",
    "Updated",
    "WorkflowPut",
    "back_up",
    "check_database",
    "restore",
]
