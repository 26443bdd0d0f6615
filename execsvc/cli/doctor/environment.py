"""Checks of what a server runs in: Python, system, files it may open, memory and processors, event loop."""

from __future__ import annotations

import importlib.util
import os
import platform
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from execsvc.cli.doctor.findings import Finding, ok, problem, warning
from execsvc.cli.text import size_text

#: Versions of Python that are tested.
_OLDEST, _NEWEST = (3, 11), (3, 14)
#: Files that a server has open by itself, its connections to itself included; each client takes one more.
_OWN_FILES: Final = 64
_FEW_FILES, _LEAST_FILES = 4_096, 256
#: Bytes a server takes at rest, and those with which it serves at ease.
_LEAST_MEMORY, _EASY_MEMORY = 256 << 20, 512 << 20
#: Bytes an execution in flight takes; docs/performance.md has it measured.
_EXECUTION: Final = 50 << 10


def environment(*, max_concurrent: int, beyond: bool, root: Path = Path("/")) -> Iterator[Finding]:
    """Check the machine and the process.

    Args:
        max_concurrent: executions that are to run at once.
        beyond: whether other machines are to call.
        root: where the system's own files are.
    """
    yield _python()
    yield _system()
    yield _open_files(beyond=beyond)
    yield _memory(max_concurrent, root)
    yield _processors(root)
    yield _event_loop()
    yield _protobuf()


def _python() -> Finding:
    version = sys.version_info[:2]
    name = f"{platform.python_implementation()} {platform.python_version()}"
    check = "environment.python"
    if version < _OLDEST or platform.python_implementation() != "CPython":
        return problem(
            check,
            name,
            means="execsvc is neither made for it nor tested on it",
            advice="install it into an environment of CPython 3.11 to 3.14",
        )
    if version > _NEWEST:
        return warning(
            check,
            name,
            means="execsvc was not tested on it",
            advice="take CPython 3.11 to 3.14, or test before you rely",
        )
    return ok(check, name, version=platform.python_version())


def _system() -> Finding:
    name = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform == "win32":
        return problem(
            "environment.system",
            name,
            means="a server ends on signals that this system does not have",
            advice="run it on Linux or macOS, or in a container or WSL",
        )
    return ok("environment.system", name, system=platform.system(), machine=platform.machine())


def _open_files(*, beyond: bool) -> Finding:
    check = "environment.open_files"
    if sys.platform == "win32":
        return ok(check, "the system has no limit of its own")
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    endless = soft == resource.RLIM_INFINITY
    found = (
        "no limit" if endless else f"at most {soft:,} open files, which leaves {max(0, soft - _OWN_FILES):,} to clients"
    )
    advice = "raise it: LimitNOFILE= of systemd, `ulimit -n 65536` in a shell, --ulimit nofile of containers"
    facts = {"soft": None if endless else soft, "hard": None if hard == resource.RLIM_INFINITY else hard}
    if not endless and soft < _LEAST_FILES:
        means = "with some connections the server can open nothing more, its database neither"
        return problem(check, found, means=means, advice=advice, **facts)
    if not endless and soft < _FEW_FILES and beyond:
        means = "each connection of a client takes one; with more clients than that nobody new is let in"
        return warning(check, found, means=means, advice=advice, **facts)
    return ok(check, found, **facts)


def _memory(max_concurrent: int, root: Path) -> Finding:
    check = "environment.memory"
    limit = _cgroup_bytes(root)
    total = _total_bytes()
    room = min(size for size in (limit, total) if size) if limit or total else 0
    if not room:
        return ok(check, "the system does not tell how much there is")
    whose = "this container or service may use" if limit and limit < (total or limit + 1) else "the machine has"
    found = f"{whose} {size_text(room)}"
    needed = _LEAST_MEMORY + max_concurrent * _EXECUTION
    facts = {"bytes": room, "limited": bool(limit and limit < (total or limit + 1))}
    advice = f"give it {size_text(max(_EASY_MEMORY, 2 * needed))}, or lower --max-concurrent"
    if room < _LEAST_MEMORY:
        means = "the server takes that much by itself: the system would kill it"
        return problem(check, found, means=means, advice=advice, **facts)
    if room < max(_EASY_MEMORY, needed):
        means = "with many executions, or large inputs and results, the system may kill the server"
        return warning(check, found, means=means, advice=advice, **facts)
    return ok(check, found, **facts)


def _cgroup_bytes(root: Path) -> int:
    """Bytes that the control group of this process may use; 0: no limit, or none is told."""
    found = []
    for path in (root / "sys/fs/cgroup" / _own_cgroup(root) / "memory.max", root / "sys/fs/cgroup/memory.max"):
        found.append(_number(path))
    found.append(_number(root / "sys/fs/cgroup/memory/memory.limit_in_bytes"))
    # Of version 1 no limit is a number near the largest there is.
    return min((size for size in found if 0 < size < 1 << 60), default=0)


def _own_cgroup(root: Path) -> str:
    try:
        lines = (root / "proc/self/cgroup").read_text(encoding="utf-8").splitlines()
    except OSError:
        return ""
    return next((line.removeprefix("0::").strip("/") for line in lines if line.startswith("0::")), "")


def _number(path: Path) -> int:
    try:
        return int(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        # "max": no limit.
        return 0


def _total_bytes() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):
        return 0


def _processors(root: Path) -> Finding:
    check = "environment.processors"
    affinity = getattr(os, "sched_getaffinity", None)
    count = float(len(affinity(0)) if affinity else os.cpu_count() or 1)
    for path in (root / "sys/fs/cgroup" / _own_cgroup(root) / "cpu.max", root / "sys/fs/cgroup/cpu.max"):
        try:
            quota, period = path.read_text(encoding="utf-8").split()
            count = min(count, int(quota) / int(period))
        except (OSError, ValueError):
            continue
    found = f"{count:g} processor{'' if count == 1 else 's'}"
    if count < 1:
        return warning(
            check,
            found,
            means="a server uses one; with less it stands still for parts of each second, clients see it as latency",
            advice="let the container or service have one processor or more",
            processors=count,
        )
    return ok(check, found, processors=count)


def _event_loop() -> Finding:
    if importlib.util.find_spec("uvloop") is None:
        return warning(
            "environment.event_loop",
            "asyncio's own",
            means="the server does about 0.7 of what it could",
            advice="install uvloop",
        )
    return ok("environment.event_loop", "uvloop")


def _protobuf() -> Finding:
    from google.protobuf.internal import api_implementation

    kind = api_implementation.Type()
    if kind == "python":
        return warning(
            "environment.protobuf",
            "protobuf in pure Python",
            means="messages take some ten times as long",
            advice="install a wheel of protobuf for this system, and unset PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION",
        )
    return ok("environment.protobuf", f"protobuf by {kind}")
