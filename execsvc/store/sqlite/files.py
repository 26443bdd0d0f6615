"""Read database files beside a server, and put files in their place so that a crash leaves one of them whole."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlite_utils import Database

from execsvc.errors import StorageUnavailable
from execsvc.store.sqlite.migrations import check_ours_and_known

#: What SQLite keeps beside a database while it is open.
BESIDE = ("-wal", "-shm", "-journal")


@contextmanager
def opened_to_read(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a database of ours without changing it, in one snapshot for as long as the context lasts.

    A server may go on writing meanwhile: in WAL mode neither waits for the other.

    Raises:
        StorageUnavailable: there is no such file, it cannot be read, or it is none of ours.
    """
    try:
        # Not resolved by SQLite: its own message names no file.
        if not path.is_file():
            raise StorageUnavailable("there is no such file")
        db = sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=5.0)
        try:
            check_ours_and_known(Database(db))
            db.execute("BEGIN")
            db.execute("SELECT count(*) FROM sqlite_master").fetchone()
        except BaseException:
            db.close()
            raise
    except (sqlite3.Error, StorageUnavailable) as error:
        raise StorageUnavailable(f"cannot open {path}: {error}") from error
    try:
        yield db
    finally:
        db.close()


@contextmanager
def unfinished_file(beside: Path, *, mode: int) -> Iterator[Path]:
    """Make an empty file in the folder of another; what is still there at the end of the context is removed.

    Args:
        beside: the file it is to become.
        mode: permissions.

    Raises:
        OSError: it cannot be made.
    """
    path = beside.with_name(f".{beside.name}.{os.getpid()}.part")
    os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, mode))
    try:
        yield path
    finally:
        for leftover in (path, *(path.with_name(path.name + suffix) for suffix in BESIDE)):
            leftover.unlink(missing_ok=True)


def put_in_place(part: Path, path: Path, *, replace: bool) -> None:
    """Give a finished file its name, once all of it is on disk.

    Raises:
        FileExistsError: there is one of that name, and it is not to be replaced.
        OSError: it cannot be written.
    """
    _flush(part)
    if replace:
        os.replace(part, path)
    else:
        _put_where_none_is(part, path)
    flush_folder(path)


def _put_where_none_is(part: Path, path: Path) -> None:
    try:
        # Unlike a rename it fails if somebody has made the file meanwhile.
        os.link(part, path)
    except FileExistsError:
        raise
    except OSError:
        # Some file systems know no links.
        os.replace(part, path)


def flush_folder(path: Path) -> None:
    """Put the names in a file's folder on disk."""
    _flush(path.parent)


def _flush(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
