"""Checks of whether traces can be sent as settings and variables ask for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import TYPE_CHECKING

from execsvc.cli.doctor.findings import Finding, ok, problem
from execsvc.errors import TracingUnusable
from execsvc.tracing import tracing_settings

if TYPE_CHECKING:
    from execsvc.config.models import ServerSettings


def traced(wanted: ServerSettings) -> bool:
    """Whether a server would send traces; what cannot be sent is told by ``traces``."""
    try:
        return tracing_settings(wanted.tracing, os.environ) is not None
    except TracingUnusable:
        return False


def traces(wanted: ServerSettings) -> Iterator[Finding]:
    """Check what a server would be told."""
    try:
        found = tracing_settings(wanted.tracing, os.environ)
    except TracingUnusable as error:
        yield problem(
            "settings.tracing",
            error.message,
            means="no server starts with it",
            advice="mend the variable, or --tracing off",
        )
        return
    if found is not None:
        yield ok("settings.tracing", "traces are sent")
