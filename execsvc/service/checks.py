"""Checks of request fields that are not part of a definition."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Final

from execsvc.errors import FieldProblem, InvalidRequest
from execsvc.service.commands import ExecuteCommand

#: Ids of executions, workflows, nodes, requests, and concurrency keys.
ID: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
LABEL_KEY: Final = re.compile(r"[A-Za-z0-9_.:/-]{1,128}", re.ASCII)
_ID_RULE: Final = "must have 1 to 128 characters out of A-Z a-z 0-9 _ . : -"
MAX_LABELS: Final = 64
MAX_LABEL_VALUE: Final = 256
MAX_PRIORITY: Final = 1_000
MAX_REASON: Final = 1_024
#: A year, in microseconds.
MAX_TIMEOUT: Final = 366 * 24 * 3600 * 1_000_000


def id_problems(path: str, value: str, *, required: bool = False) -> Iterator[FieldProblem]:
    """Check an id; empty is allowed unless ``required``."""
    if not value:
        if required:
            yield FieldProblem(path=path, reason="REQUIRED", message=f"is required; {_ID_RULE}")
    elif not ID.fullmatch(value):
        yield FieldProblem(path=path, reason="INVALID_ID", message=f"{_shown(value)} {_ID_RULE}")


def require_id(path: str, value: str) -> None:
    """Check an id that must be there. Raises InvalidRequest."""
    problems = list(id_problems(path, value, required=True))
    if problems:
        raise InvalidRequest(problems)


def execute_problems(command: ExecuteCommand) -> Iterator[FieldProblem]:
    """Check everything of Execute but definition and input."""
    yield from id_problems("execution_id", command.execution_id)
    yield from id_problems("workflow_id", command.workflow_id)
    yield from id_problems("concurrency_key", command.concurrency_key)
    yield from _label_problems(command.labels)
    if abs(command.priority) > MAX_PRIORITY:
        yield FieldProblem(
            path="priority",
            reason="OUT_OF_RANGE",
            message=f"{command.priority} is not within -{MAX_PRIORITY} to {MAX_PRIORITY}",
        )
    if command.timeout is not None and not 1_000 <= command.timeout <= MAX_TIMEOUT:
        yield FieldProblem(
            path="timeout", reason="OUT_OF_RANGE", message="must be at least 1 ms and at most 366 days, or unset"
        )


def _label_problems(labels: Mapping[str, str]) -> Iterator[FieldProblem]:
    if len(labels) > MAX_LABELS:
        yield FieldProblem(
            path="labels", reason="TOO_MANY", message=f"has {len(labels)} labels; at most {MAX_LABELS} are allowed"
        )
        return
    for key, value in labels.items():
        if not LABEL_KEY.fullmatch(key):
            rule = "keys must have 1 to 128 characters out of A-Z a-z 0-9 _ . : / -"
            yield FieldProblem(path=f"labels[{_shown(key)}]", reason="INVALID_LABEL", message=rule)
        if len(value) > MAX_LABEL_VALUE:
            rule = f"the value has {len(value)} characters; at most {MAX_LABEL_VALUE} are allowed"
            yield FieldProblem(path=f"labels[{_shown(key)}]", reason="TOO_LONG", message=rule)


def _shown(value: str) -> str:
    return repr(value if len(value) <= 40 else value[:40] + "…")
