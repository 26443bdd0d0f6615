"""The command ``doctor``: looks over all that a server needs, before one is started or beside one that runs."""

from __future__ import annotations

from execsvc.cli.doctor.command import register

__all__ = ["register"]
