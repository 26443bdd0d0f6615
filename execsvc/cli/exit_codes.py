"""What the process's exit code says; the same for every command."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum
from types import MappingProxyType


class ExitCode(IntEnum):
    """Exit codes. Programs may rely on them; new ones may be added."""

    OK = 0
    FAILED = 1
    USAGE = 2
    INVALID = 3
    NOT_FOUND = 4
    CONFLICT = 5
    STOPPED = 6
    UNAVAILABLE = 7
    INTERNAL = 8
    DAMAGED = 9
    UNFIT = 10
    INTERRUPTED = 130


#: What each says, for help and documentation.
MEANINGS: Mapping[ExitCode, str] = MappingProxyType(
    {
        ExitCode.OK: "done (run, watch, --wait: the execution is COMPLETED)",
        ExitCode.FAILED: "the execution is FAILED (run, watch, --wait)",
        ExitCode.USAGE: "the command line or a setting is wrong",
        ExitCode.INVALID: "the workflow, its input or another part of the request is refused",
        ExitCode.NOT_FOUND: "there is no such execution or stored workflow",
        ExitCode.CONFLICT: "the state does not allow it, or the id is taken",
        ExitCode.STOPPED: "the execution is STOPPED (run, watch, --wait)",
        ExitCode.UNAVAILABLE: "the server cannot be reached, cannot start, or takes nothing right now",
        ExitCode.INTERNAL: "a bug, here or in the server",
        ExitCode.DAMAGED: "the database or backup is damaged (backup, restore, check)",
        ExitCode.UNFIT: "something would keep a server from serving, or make it unsafe (doctor)",
        ExitCode.INTERRUPTED: "interrupted by Ctrl-C",
    }
)

#: By the name of the gRPC status an error has. What is not listed is INTERNAL.
_BY_STATUS: Mapping[str, ExitCode] = MappingProxyType(
    {
        "INVALID_ARGUMENT": ExitCode.INVALID,
        "OUT_OF_RANGE": ExitCode.INVALID,
        "RESOURCE_EXHAUSTED": ExitCode.INVALID,
        "UNAUTHENTICATED": ExitCode.INVALID,
        "PERMISSION_DENIED": ExitCode.INVALID,
        "NOT_FOUND": ExitCode.NOT_FOUND,
        "ALREADY_EXISTS": ExitCode.CONFLICT,
        "FAILED_PRECONDITION": ExitCode.CONFLICT,
        "ABORTED": ExitCode.CONFLICT,
        "UNAVAILABLE": ExitCode.UNAVAILABLE,
        "DEADLINE_EXCEEDED": ExitCode.UNAVAILABLE,
        "CANCELLED": ExitCode.UNAVAILABLE,
    }
)


def by_status(code: str, *, later: bool) -> ExitCode:
    """Give the exit code of a gRPC status; ``later``: the server says that another attempt may succeed."""
    if code == "RESOURCE_EXHAUSTED" and later:
        return ExitCode.UNAVAILABLE
    return _BY_STATUS.get(code, ExitCode.INTERNAL)


def by_state(state: str) -> ExitCode:
    """Give the exit code of an execution that has ended."""
    return {"FAILED": ExitCode.FAILED, "STOPPED": ExitCode.STOPPED}.get(state, ExitCode.OK)
