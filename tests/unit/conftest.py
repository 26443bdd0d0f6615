"""A real store for units that need one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from execsvc.store import SqliteStore


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[SqliteStore]:
    """An empty store."""
    store = await SqliteStore.open(tmp_path / "execsvc.db")
    yield store
    await store.close()
