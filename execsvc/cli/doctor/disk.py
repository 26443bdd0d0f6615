"""What a folder is on: the kind of its file system, room, and how long a flush takes."""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

#: File systems over a network: SQLite's locks and shared memory are not reliable there.
NETWORK: Final = frozenset(
    {
        "nfs",
        "nfs4",
        "cifs",
        "smb",
        "smb2",
        "smb3",
        "smbfs",
        "9p",
        "afs",
        "ceph",
        "glusterfs",
        "lustre",
        "ncpfs",
        "virtiofs",
    }
    | {"fuse.sshfs", "fuse.glusterfs", "fuse.s3fs", "fuse.rclone", "fuse.gcsfuse", "fuse.blobfuse", "fuse.ceph"}
)
#: Those that a restart of the machine, or of the container, empties.
FLEETING: Final = frozenset({"tmpfs", "ramfs", "overlay", "aufs"})
#: Flushes that are timed.
_TRIES: Final = 20
_BLOCK: Final = 4096


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """What a folder is on."""

    #: As in ext4; empty: the system does not tell.
    kind: str
    #: Where it is mounted; empty likewise.
    mount: str
    #: Bytes in all, and free for this user.
    total: int
    free: int


def disk_of(folder: Path, mounts: Path = Path("/proc/self/mountinfo")) -> Disk:
    """Say what a folder is on. Raises OSError."""
    room = os.statvfs(folder)
    kind, mount = _mount(folder.resolve(), mounts)
    return Disk(kind=kind, mount=mount, total=room.f_blocks * room.f_frsize, free=room.f_bavail * room.f_frsize)


def _mount(folder: Path, mounts: Path) -> tuple[str, str]:
    try:
        lines = mounts.read_text(encoding="utf-8", errors="surrogateescape").splitlines()
    except OSError:
        return "", ""
    best = ("", "")
    for line in lines:
        before, _, after = line.partition(" - ")
        fields = before.split()
        if len(fields) < 5 or not after:
            continue
        # Spaces and the like are written in octal.
        place = fields[4].encode("latin-1", "surrogateescape").decode("unicode_escape")
        # Of several mounted in one place the last is seen.
        if folder.is_relative_to(place) and len(place) >= len(best[1]):
            best = after.split()[0], place
    return best


def flush_times(folder: Path) -> list[float]:
    """Write blocks to a file of our own in a folder, and time how long each takes to be on disk; seconds.

    Raises:
        OSError: nothing can be written there.
    """
    taken: list[float] = []
    with tempfile.NamedTemporaryFile(dir=folder, prefix=".execsvc-doctor-") as file:
        block = os.urandom(_BLOCK)
        for _ in range(_TRIES):
            file.write(block)
            file.flush()
            begun = time.perf_counter()
            os.fsync(file.fileno())
            taken.append(time.perf_counter() - begun)
    return taken


def middle(times: list[float]) -> float:
    """Give the middle one, seconds."""
    return statistics.median(times)
