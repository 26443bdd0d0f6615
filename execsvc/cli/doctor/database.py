"""Checks of the SQLite file: what it is on, who may read it, whether it is whole, what its next start would do."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from execsvc.cli.doctor.clock import records
from execsvc.cli.doctor.disk import FLEETING, NETWORK, disk_of, flush_times, middle
from execsvc.cli.doctor.findings import Finding, ok, problem, warning
from execsvc.cli.text import size_text
from execsvc.errors import StorageUnavailable
from execsvc.store import FileCondition, file_condition

#: Bytes free below which a server is about to refuse work, or will be soon.
_LEAST_ROOM, _EASY_ROOM = 100 << 20, 1 << 30
#: Bytes that wait beside the file: SQLite itself begins to write them back at 4 MiB.
_LONG_WAL: Final = 256 << 20
#: Seconds of a flush: quicker than any disk, and slower than executions are glad of.
_TOO_QUICK, _SLOW = 20e-6, 0.02
#: Seconds that the check of all pages may take.
PATIENCE: Final = 30.0


def file_database(path: Path, *, within: float = PATIENCE) -> Iterator[Finding]:
    """Check a database file, also while a server runs on it."""
    folder = _nearest(path.parent)
    yield from _folder(path, folder)
    yield from _disk(path, folder)
    # Not asked of the path, which raises where a folder above may not be entered.
    if not os.path.exists(path):
        yield ok("database.file", f"{path} is not there yet: the first start makes it")
        return
    yield _rights(path)
    if path.is_file() and not path.stat().st_size:
        yield ok("database.file", f"{path} is empty: the first start fills it")
        return
    try:
        found = file_condition(path, within=within)
    except StorageUnavailable as error:
        yield problem(
            "database.file",
            error.message,
            means="no server starts on it",
            advice="name another file with --db, run as the user who owns it, or put a backup in its place with "
            "`execsvc restore`",
        )
        return
    yield from _condition(path, found, within)


def _nearest(folder: Path) -> Path:
    """Give the folder, or the one above it that is there already."""
    folder = folder.absolute()
    return next((place for place in (folder, *folder.parents) if os.path.isdir(place)), folder)


def _folder(path: Path, folder: Path) -> Iterator[Finding]:
    if not os.access(folder, os.W_OK | os.X_OK):
        yield problem(
            "database.folder",
            f"{folder} cannot be written by this user",
            means="the server keeps files beside its database (-wal, -shm, .lock), so it does not start",
            advice="run this as the server's user; else give that user the folder, or name another with --db",
        )
    else:
        yield ok("database.folder", f"{folder} can be written")


def _disk(path: Path, folder: Path) -> Iterator[Finding]:
    try:
        disk = disk_of(folder)
    except OSError as error:
        yield problem(
            "database.file_system",
            f"{folder}: {(error.strerror or str(error)).lower()}",
            means="nothing can be kept there",
            advice="name another file with --db",
        )
        return
    kind = disk.kind or "of an unknown kind"
    if disk.kind in NETWORK:
        yield problem(
            "database.file_system",
            f"{folder} is on {kind}, which is shared with another machine",
            means="SQLite's locks and shared memory are not reliable there: the file can be damaged, or served twice",
            advice="keep it on a disk of this machine, or on Postgres (--store)",
            kind=disk.kind,
            mount=disk.mount,
        )
    elif disk.kind in FLEETING:
        what = "this machine" if disk.kind in ("tmpfs", "ramfs") else "this container"
        yield warning(
            "database.file_system",
            f"{folder} is on {kind}",
            means=f"what is on it is gone once {what} is",
            advice="keep the database on a disk, or on a volume of the container",
            kind=disk.kind,
            mount=disk.mount,
        )
    else:
        yield ok("database.file_system", f"{folder} is on {kind}", kind=disk.kind, mount=disk.mount)
    yield _room(path, folder, disk.free, disk.total)
    yield _flush(folder)


def _room(path: Path, folder: Path, free: int, total: int) -> Finding:
    size = os.path.getsize(path) if os.path.exists(path) else 0
    found = f"{size_text(free)} free of {size_text(total)}; the database has {size_text(size)}"
    facts = {"free": free, "total": total, "database": size}
    advice = "make room; `execsvc prune` and --retention keep the file from growing, and free room inside of it"
    if free < _LEAST_ROOM:
        means = "with a full disk Execute is refused (STORAGE_FULL) and running executions stand still"
        return problem("database.room", found, means=means, advice=advice, **facts)
    if free < max(_EASY_ROOM, total // 20):
        return warning("database.room", found, means="the disk will be full soon", advice=advice, **facts)
    if free < size:
        means = "a backup beside it would not fit, nor would VACUUM"
        return warning("database.room", found, means=means, advice="back up to another disk, or make room", **facts)
    return ok("database.room", found, **facts)


def _flush(folder: Path) -> Finding:
    check = "database.flush"
    try:
        times = flush_times(folder)
    except OSError as error:
        return ok(check, f"not measured: {(error.strerror or str(error)).lower()}")
    typical, slowest = middle(times), max(times)
    found = f"4 KiB are on disk after {1000 * typical:.2f} ms, at most {1000 * slowest:.2f} ms"
    facts = {"median_ms": 1000 * typical, "max_ms": 1000 * slowest}
    if typical > _SLOW:
        means = "each acknowledgement waits for one, and each effect of a chain; at load they share them"
        return warning(check, found, means=means, advice="keep the database on a quicker disk", **facts)
    if typical < _TOO_QUICK:
        means = "that is quicker than disks are: a power cut may take what was acknowledged"
        advice = "a machine with a battery, or a disk of its own, may be right; else see that flushes are not ignored"
        return warning(check, found, means=means, advice=advice, **facts)
    return ok(check, found, **facts)


def _rights(path: Path) -> Finding:
    found = path.stat()
    mode = stat.S_IMODE(found.st_mode)
    if not os.access(path, os.R_OK | os.W_OK):
        return problem(
            "database.rights",
            f"{path} cannot be read and written by this user (mode {mode:04o}, owner {found.st_uid})",
            means="a server of this user does not start",
            advice="run this as the server's user; else give that user the file",
        )
    if mode & 0o006:
        return warning(
            "database.rights",
            f"{path} has the mode {mode:04o}",
            means="everybody on this machine can read all inputs, results and logs",
            advice=f"chmod 600 {path}",
            mode=f"{mode:04o}",
        )
    return ok("database.rights", f"{path} has the mode {mode:04o}", mode=f"{mode:04o}")


def _condition(path: Path, found: FileCondition, within: float) -> Iterator[Finding]:
    server = "no server is known to run on it" if found.holder is None else f"process {found.holder} serves it"
    yield ok("database.file", f"{path}, {size_text(found.size)}; {server}", size=found.size, process=found.holder)
    yield _integrity(path, found, within)
    if found.missing:
        yield warning(
            "database.schema",
            f"it lacks {', '.join(found.missing)}",
            means="the next start of this version upgrades it, and there is no way back to the one before",
            advice="make a backup first: `execsvc backup`",
            missing=list(found.missing),
        )
    else:
        yield ok("database.schema", "that of this version", missing=[])
    if found.wal > max(_LONG_WAL, found.size // 2):
        yield warning(
            "database.wal",
            f"{size_text(found.wal)} wait to be written back",
            means="somebody reads without end, as a forgotten sqlite3 or a backup that hangs, and it grows until then",
            advice="end who reads; without any, stop the server and start it again",
            bytes=found.wal,
        )
    else:
        yield ok("database.wal", f"{size_text(found.wal)} wait to be written back", bytes=found.wal)
    yield records(found.newest)


def _integrity(path: Path, found: FileCondition, within: float) -> Finding:
    check = "database.integrity"
    if found.damage is None:
        return warning(
            check,
            f"not finished within {within:g} s",
            means="the file is large; nothing wrong was found so far",
            advice=f"`execsvc check {path}` takes the time it needs; run it on a backup",
        )
    if found.damage:
        return problem(
            check,
            "; ".join(found.damage),
            means="the file is damaged: results and logs may be wrong or gone, also silently",
            advice="stop the server, keep the file and those beside it, and put a backup in its place with "
            "`execsvc restore`; then see to the disk",
        )
    return ok(check, "the quick check found nothing wrong; `execsvc check` looks at what is in it")
