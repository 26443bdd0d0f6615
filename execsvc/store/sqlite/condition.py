"""How a database file does: its size, its schema, whether it is whole; looked at beside a server, and never changed."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sqlite_utils import Database

from execsvc.store.sqlite.files import opened_to_read
from execsvc.store.sqlite.lock import holder
from execsvc.store.sqlite.migrations import missing_steps

#: Findings of the quick check that are told.
MOST: Final = 5
#: Steps of SQLite's machine between two looks at the clock: some milliseconds.
_STEPS: Final = 20_000


@dataclass(frozen=True, slots=True, kw_only=True)
class FileCondition:
    """What was found."""

    #: Bytes of the file, and of what was committed and is not in it yet.
    size: int
    wal: int
    #: Steps of the schema that the next start of a server takes.
    missing: Sequence[str]
    #: What the quick check found; None: it was not done within its time.
    damage: Sequence[str] | None
    #: Newest time on record, microseconds since 1970; 0: none.
    newest: int
    #: The process that serves it, where the system tells; None: nobody is known to.
    holder: int | None


def file_condition(path: Path, *, within: float) -> FileCondition:
    """Look at a database file, also while its server runs.

    Args:
        within: seconds that the check of its pages may take.

    Raises:
        StorageUnavailable: there is no such file, it cannot be read, or it is none of ours.
    """
    with opened_to_read(path) as db:
        damage = _damage(db, within)
        return FileCondition(
            size=path.stat().st_size,
            wal=_size(path.with_name(path.name + "-wal")),
            missing=missing_steps(Database(db)),
            damage=damage,
            newest=0 if damage else _newest(db),
            holder=holder(path.resolve()),
        )


def sqlite_version() -> tuple[int, ...]:
    """Give the version of the SQLite in use."""
    return sqlite3.sqlite_version_info


def _damage(db: sqlite3.Connection, within: float) -> Sequence[str] | None:
    end = time.monotonic() + within
    db.set_progress_handler(lambda: time.monotonic() > end, _STEPS)
    try:
        return [str(verdict) for (verdict,) in db.execute(f"PRAGMA quick_check({MOST})") if verdict != "ok"]
    except sqlite3.OperationalError as error:
        if time.monotonic() > end:
            return None
        return [str(error)]
    except sqlite3.DatabaseError as error:
        return [str(error)]
    finally:
        db.set_progress_handler(None, 0)


def _newest(db: sqlite3.Connection) -> int:
    ((newest,),) = db.execute(
        "SELECT max(coalesce((SELECT create_time FROM executions ORDER BY pk DESC LIMIT 1), 0), "
        "coalesce((SELECT max(end_time) FROM executions WHERE end_time IS NOT NULL), 0))"
    ).fetchall()
    return int(newest)


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
