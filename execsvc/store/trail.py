"""Writes the statements that read the audit trail and cut off its end, for whichever database is to run them."""

from __future__ import annotations

from typing import Any, Final

from execsvc.model import AuditFilter
from execsvc.store.rows import AUDIT_COLUMNS
from execsvc.store.selection import Dialect

#: Columns of filters that ask for one value, of those that have an index, and of the others.
_INDEXED: Final = ("namespace", "actor", "target")
_EXACT: Final = (*_INDEXED, "action")
#: The time as the index has it that is of nothing but the time.
_ANY_TIME: Final = "time + 0"


def select_audit(say: Dialect, wanted: AuditFilter, after: tuple[int, int] | None, limit: int) -> tuple[str, list[Any]]:
    """Write the statement that reads records, newest first, and its arguments.

    It seeks along an index of the target, actor or namespace that is asked for, or else of the time.
    """
    one = say.parameter
    moment = "time" if any(getattr(wanted, column) for column in _INDEXED) else _ANY_TIME
    where: list[str] = []
    arguments: list[Any] = []
    for column in _EXACT:
        if value := getattr(wanted, column):
            where.append(f"{column} = {one}")
            arguments.append(value)
    for compare, time in ((">=", wanted.since), ("<", wanted.until)):
        if time is not None:
            where.append(f"{moment} {compare} {one}")
            arguments.append(time)
    if after is not None:
        where.append(f"({moment}, number) < ({one}, {one})")
        arguments += after
    arguments.append(limit)
    return (
        f"SELECT number, {AUDIT_COLUMNS} FROM {say.schema}audit WHERE {' AND '.join(where) or say.true} "
        f"ORDER BY {moment} DESC, number DESC LIMIT {one}",
        arguments,
    )


def delete_audit(say: Dialect) -> str:
    """Write the statement that removes the oldest records from before a time, up to a number of them."""
    table, one = f"{say.schema}audit", say.parameter
    return (
        f"DELETE FROM {table} WHERE number IN "
        f"(SELECT number FROM {table} WHERE {_ANY_TIME} < {one} ORDER BY {_ANY_TIME}, number LIMIT {one})"
    )
