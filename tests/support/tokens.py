"""API tokens for tests."""

from __future__ import annotations

from typing import Any

from execsvc.model import ApiToken, Role
from execsvc.model.identity import new_token

#: 2026-01-01, in microseconds.
NOW = 1_767_225_600_000_000
DAY = 24 * 3600 * 1_000_000


def token(**fields: Any) -> tuple[str, ApiToken]:
    """Make a token: its text, and what is stored of it."""
    given: dict[str, Any] = {"namespace": "default", "role": Role.OPERATOR, "name": "", "now": NOW, "expire_time": None}
    return new_token(**(given | fields))
