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
from execsvc.store.sqlite import SqliteStore

__all__ = [
    "BatchDone",
    "Claim",
    "Commit",
    "CreateExecution",
    "Created",
    "DeleteExecution",
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
]
