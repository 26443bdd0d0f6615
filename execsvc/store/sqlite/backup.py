"""Copy a database while its server runs, and put a copy back in its place."""

from __future__ import annotations

import os
import shutil
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from execsvc.store.sqlite.check import Finding, check_database
from execsvc.store.sqlite.files import BESIDE, flush_folder, opened_to_read, put_in_place, unfinished_file
from execsvc.store.sqlite.lock import DatabaseLock

#: Pages copied at once: 4 MiB, so that progress is told and Ctrl-C heeded soon.
_PAGES: Final = 1024

#: Told after each step: pages copied, pages in all.
Progress = Callable[[int, int], None]


class BackupUnusable(Exception):
    """The copy is not what the server could go on from."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = tuple(findings)
        super().__init__(f"{len(self.findings)} problems")


@dataclass(frozen=True, slots=True, kw_only=True)
class Copied:
    """A database file that was copied."""

    path: Path
    #: Its size in bytes.
    size: int
    #: Executions in it.
    executions: int
    #: Those of them that have not ended.
    unfinished: int
    #: Where the database went that it replaced; None: it replaced none.
    replaced: Path | None = None


def back_up(database: Path, file: Path, *, force: bool = False, progress: Progress | None = None) -> Copied:
    """Copy a database, as it is at this moment, whether or not a server writes to it meanwhile.

    The copy is one file that needs nothing beside it. It has its name only once all of it is on disk and readable.

    Args:
        force: replace a file of that name.

    Raises:
        StorageUnavailable: the database cannot be read, or is none of ours.
        FileExistsError: there is a file of that name.
        BackupUnusable: the database itself is damaged.
        OSError: the copy cannot be written.
    """
    if file.exists() and not force:
        raise FileExistsError(17, "File exists", str(file))
    with opened_to_read(database) as source, unfinished_file(file, mode=_mode(database)) as part:
        _copy(source, part, progress)
        copied = _described(part, file)
        put_in_place(part, file, replace=force)
    return copied


def restore(file: Path, database: Path, *, force: bool = False, progress: Progress | None = None) -> Copied:
    """Put a copy in the place of a database, which is kept beside it.

    Args:
        force: also where the copy holds contradictions; a damaged file is refused all the same.

    Raises:
        DatabaseLocked: a server uses the database.
        StorageUnavailable: the copy cannot be read, or is none of ours.
        BackupUnusable: it is damaged, or contradicts itself.
        OSError: the database cannot be written.
    """
    database = database.resolve()
    database.parent.mkdir(parents=True, exist_ok=True)
    lock = DatabaseLock(database)
    try:
        with opened_to_read(file) as source, unfinished_file(database, mode=_mode(file)) as part:
            _copy(source, part, progress)
            # The copy of the copy: what is checked is what is put in place.
            findings = [found for found in check_database(part) if found.fatal or not force]
            if findings:
                raise BackupUnusable(findings)
            copied = _described(part, database)
            kept = _kept(database) if database.exists() else None
            try:
                put_in_place(part, database, replace=True)
            except BaseException:
                _forget(kept)
                raise
    finally:
        lock.release()
    return Copied(
        path=copied.path,
        size=copied.size,
        executions=copied.executions,
        unfinished=copied.unfinished,
        replaced=kept,
    )


def _mode(path: Path) -> int:
    # As private as what it is a copy of; where that is missing, opening it says so.
    return path.stat().st_mode & 0o777 if path.exists() else 0o600


def _copy(source: sqlite3.Connection, part: Path, progress: Progress | None) -> None:
    # The snapshot that ``source`` holds is what is copied: steps in between see none of what is written meanwhile, and
    # need not begin anew for it.
    with closing(sqlite3.connect(part, isolation_level=None)) as copy:
        source.backup(
            copy,
            pages=_PAGES,
            progress=None if progress is None else lambda _, left, total: progress(total - left, total),
        )
        # Otherwise it would need a -wal beside it; a server switches back.
        copy.execute("PRAGMA journal_mode = DELETE")
        verdicts = [row[0] for row in copy.execute("PRAGMA quick_check(10)")]
    if verdicts != ["ok"]:
        raise BackupUnusable([Finding(kind="file", message=verdict) for verdict in verdicts])


def _described(part: Path, path: Path) -> Copied:
    with opened_to_read(part) as db:
        executions, unfinished = db.execute("SELECT count(*), count(*) - count(end_time) FROM executions").fetchone()
    return Copied(path=path, size=part.stat().st_size, executions=executions, unfinished=unfinished)


def _kept(database: Path) -> Path:
    """Link a database under another name; its own name stays, so that there is one whatever happens now."""
    _fold_in(database)
    stamp = f"{datetime.now().astimezone():%Y%m%d-%H%M%S}"
    names = (database.with_name(f"{database.name}.replaced-{stamp}{again}") for again in ("", "-2", "-3", "-4"))
    kept = next(name for name in names if not name.exists())
    for suffix in ("", *BESIDE):
        old = database.with_name(database.name + suffix)
        if old.exists():
            _link(old, kept.with_name(kept.name + suffix))
    flush_folder(kept)
    # What belongs to the old file must never be read with the new one.
    for suffix in BESIDE:
        database.with_name(database.name + suffix).unlink(missing_ok=True)
    flush_folder(kept)
    return kept


def _forget(kept: Path | None) -> None:
    """Take the other name back: the database was not replaced, and two names of one file are a trap."""
    for suffix in ("", *BESIDE) if kept is not None else ():
        assert kept is not None
        kept.with_name(kept.name + suffix).unlink(missing_ok=True)


def _fold_in(database: Path) -> None:
    """Bring what a crash left in the -wal into the file; where it is too damaged for that, it is kept as it is."""
    try:
        with closing(sqlite3.connect(database, isolation_level=None, timeout=5.0)) as db:
            db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    except sqlite3.Error:
        return


def _link(old: Path, new: Path) -> None:
    try:
        os.link(old, new)
    except OSError:
        # Some file systems know no links.
        shutil.copy2(old, new)
