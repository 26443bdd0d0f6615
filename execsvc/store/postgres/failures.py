"""What goes wrong with Postgres, as errors of ours: the seam that psycopg's exceptions do not pass."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout, TooManyRequests

from execsvc.errors import StorageFull, StorageUnavailable

#: Everything that the driver and its pool raise.
Failure = psycopg.Error
#: What another transaction was quicker at, so that a batch is to be decided anew: serialization_failure,
#: deadlock_detected, unique_violation, foreign_key_violation (of a server that was given up meanwhile).
_CONFLICTS: Final = frozenset({"40001", "40P01", "23505", "23503"})
#: Classes of SQLSTATE that say nothing against the change itself: the connection, transactions, resources, objects in
#: use, an operator's intervention, the system.
_OUTSIDE: Final = frozenset({"08", "25", "40", "53", "55", "57", "58"})
_DISK_FULL: Final = "53100"


def is_conflict(error: Failure) -> bool:
    """Whether the same again may succeed, since only somebody else stood in the way."""
    return error.sqlstate in _CONFLICTS


def is_refusal(error: Exception) -> bool:
    """Whether the database says that it did not carry a transaction out, and the connection lives on.

    A server process that has to end may have committed before it says so.
    """
    return isinstance(error, Failure) and error.diag.severity_nonlocalized == "ERROR"


def is_outside(error: Failure) -> bool:
    """Whether it has nothing to do with what was asked for."""
    if error.sqlstate is not None:
        return error.sqlstate[:2] in _OUTSIDE
    return isinstance(error, psycopg.OperationalError | psycopg.InterfaceError)


def translated(error: Failure, doing: str) -> StorageUnavailable:
    """Make an error of ours. It names neither hosts nor users: clients see it.

    Args:
        doing: what could not be done, as in "written".
    """
    failure: StorageUnavailable
    if error.sqlstate == _DISK_FULL:
        failure = StorageFull()
    else:
        failure = StorageUnavailable(f"the database cannot be {doing}: {_why(error)}")
    failure.__cause__ = error
    return failure


@contextmanager
def told(shown: str) -> Iterator[None]:
    """Name the database in what is said of one that cannot be opened.

    Args:
        shown: where it is, without anything secret.
    """
    try:
        yield
    except (Failure, StorageUnavailable) as error:
        why = str(error).partition("\n")[0] or type(error).__name__
        raise StorageUnavailable(f"cannot open {shown}: {why}") from error


def _why(error: Failure) -> str:
    if error.sqlstate is not None:
        return (error.diag.message_primary or type(error).__name__).lower()
    if isinstance(error, PoolTimeout | TooManyRequests):
        return "no connection is free"
    if isinstance(error, PoolClosed):
        return "it is closed"
    return "there is no connection"
