"""Keeps a second server off a database file."""

from __future__ import annotations

import os
from pathlib import Path

from filelock import FileLock, Timeout

from execsvc.errors import DatabaseLocked


def holder(path: Path) -> int | None:
    """Give the process that holds a database's lock, without touching it; None: nobody is known to.

    Args:
        path: of the database, resolved.
    """
    try:
        owner = int(path.with_name(path.name + ".owner").read_text())
    except (OSError, ValueError):
        return None
    try:
        # The file outlives a server that was killed.
        os.kill(owner, 0)
    except PermissionError:
        return owner
    except OSError:
        return None
    return owner


class DatabaseLock:
    """An advisory lock beside the database file, held by its server; the system frees it when the process dies.

    Raises:
        DatabaseLocked: another process holds it.
    """

    def __init__(self, path: Path) -> None:
        lock_path = path.with_name(path.name + ".lock")
        self._owner_path = path.with_name(path.name + ".owner")
        # Held by the process: whichever thread closes the store may release it.
        self._lock = FileLock(lock_path, thread_local=False)
        try:
            self._lock.acquire(timeout=0)
        except Timeout as error:
            raise DatabaseLocked(str(path), self._owner()) from error
        self._owner_path.write_text(str(os.getpid()))

    def _owner(self) -> str:
        try:
            return f" (process {int(self._owner_path.read_text())})"
        except (OSError, ValueError):
            return ""

    def release(self) -> None:
        """Let the next server in."""
        self._owner_path.unlink(missing_ok=True)
        self._lock.release()
