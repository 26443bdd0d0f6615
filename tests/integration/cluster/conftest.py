"""Several servers in the test's own event loop, on one Postgres database."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import psycopg
import pytest

from execsvc import app
from execsvc.app import Settings
from execsvc.store import PostgresDatabase
from execsvc.store.postgres import jobs, session
from execsvc_client import AsyncExecutionClient
from tests.integration.postgres.conftest import url

__all__ = ["url"]

Rows = list[tuple[Any, ...]]
Sql = Callable[..., Awaitable[Rows]]


class Replicas:
    """Starts servers that share a database."""

    def __init__(self, settings: Settings, sql: Sql) -> None:
        self.settings = settings
        self.sql = sql

    @asynccontextmanager
    async def __call__(self, **changes: Any) -> AsyncIterator[AsyncExecutionClient]:
        async with (
            app.running(replace(self.settings, **changes)) as server,
            AsyncExecutionClient(server.address) as client,
        ):
            yield client


@pytest.fixture
async def sql(url: str) -> AsyncIterator[Sql]:
    """Runs a statement on the database of this test; answers its rows."""
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as db:

        async def run(statement: str, *arguments: Any) -> Rows:
            done = await db.execute(statement.encode(), arguments)
            return await done.fetchall() if done.description else []

        yield run


@pytest.fixture
def replicas(settings: Settings, url: str, sql: Sql) -> Replicas:
    """Starts servers on the database of this test."""
    return Replicas(replace(settings, postgres=PostgresDatabase(url=url, connections=4)), sql)


@pytest.fixture
def beating(monkeypatch: pytest.MonkeyPatch) -> None:
    """Signs of life come often."""
    monkeypatch.setattr(session, "HEARTBEAT", 0.05)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch, beating: None) -> None:
    """And those who give none are given up soon."""
    monkeypatch.setattr(jobs, "GONE", 0.7)


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """No sign of life comes within a test, so that whatever happens was told of."""
    monkeypatch.setattr(session, "HEARTBEAT", 3600.0)
