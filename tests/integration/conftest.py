"""Real servers in the test's own event loop: real gRPC on a free port, a real SQLite file or Postgres database."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import grpc
import pytest

from execsvc import app
from execsvc.app import Settings
from execsvc.model import SOMEBODY, AuditFilter, AuditRecord
from execsvc.model.identity import token_id_of
from execsvc.service import Changes
from execsvc.store import PostgresDatabase, SqliteStore, Tokens
from execsvc.store import opened_tokens as sqlite_tokens
from execsvc.store import opened_trail as sqlite_trail
from execsvc.store.postgres import PostgresStore
from execsvc.store.postgres import opened_tokens as postgres_tokens
from execsvc.store.postgres import opened_trail as postgres_trail
from execsvc_client import AsyncExecutionClient, v1
from tests.servers.front import INSTALLED, fronted
from tests.servers.places import EVERY_PLACE, PLACES
from tests.servers.postgres import shared_server
from tests.support.nodes import Gates, types_and_executors
from tests.support.tokens import NOW, token


class StartServer:
    """Starts servers on one database, one after the other, and connects to them.

    Args:
        folder: where a proxy has its files, with two servers each time behind it; None: there is one server each time.
    """

    def __init__(self, settings: Settings, folder: Path | None = None) -> None:
        self.settings = settings
        self._folder = folder
        #: Where the last one listens, and how many executions it took up from before.
        self.address = ""
        self.recovered = 0

    @asynccontextmanager
    async def __call__(self, *, token: str = "", **changes: Any) -> AsyncIterator[AsyncExecutionClient]:
        settings = replace(self.settings, **changes)
        async with self._replicas(settings) if self._folder else app.running(settings) as server:
            self.address, self.recovered = server.address, server.recovered
            async with AsyncExecutionClient(server.address, token=token) as client:
                yield client

    @asynccontextmanager
    async def _replicas(self, settings: Settings) -> AsyncIterator[app.Running]:
        assert self._folder is not None
        own = replace(settings, address="127.0.0.1:0")
        async with (
            app.running(own) as one,
            app.running(own) as other,
            fronted(self._folder, [one.address, other.address], address=settings.address) as front,
        ):
            yield replace(one, address=front.address)

    @asynccontextmanager
    async def tokens(self) -> AsyncIterator[Tokens]:
        """Open the API tokens of the database, as another process does."""
        if self.settings.postgres is not None:
            async with postgres_tokens(self.settings.postgres) as tokens:
                yield tokens
        else:
            with sqlite_tokens(self.settings.database) as tokens:
                yield tokens

    async def token(self, **fields: Any) -> str:
        """Store an API token, an operator's unless ``fields`` say otherwise; answers its text."""
        text, stored = token(**fields)
        async with self.tokens() as tokens:
            await tokens.add(stored, SOMEBODY)
        return text

    async def revoke(self, text: str) -> None:
        """Revoke an API token."""
        token_id = token_id_of(text)
        assert token_id is not None
        async with self.tokens() as tokens:
            assert await tokens.revoke(token_id, NOW, SOMEBODY)

    async def audited(self) -> list[AuditRecord]:
        """Read the audit trail as another process does, oldest first."""
        async with contextlib.AsyncExitStack() as stack:
            if self.settings.postgres is not None:
                trail, _ = await stack.enter_async_context(postgres_trail(self.settings.postgres))
                found = await trail.page(AuditFilter(), after=None, limit=1_000)
            else:
                beside, _ = stack.enter_context(sqlite_trail(self.settings.database))
                found = await beside.page(AuditFilter(), after=None, limit=1_000)
        return list(reversed(found))


class Stubs:
    """Generated stubs, for requests that the client would not send. Every request is an argument, message or bytes."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.executions = v1.ExecutionServiceStub(channel)
        self.workflows = v1.WorkflowServiceStub(channel)
        self.server = v1.ServerServiceStub(channel)


@pytest.fixture
def gates() -> Gates:
    """Opens and counts the ``gate`` nodes of this test."""
    return Gates()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run what is marked ``every_store`` on each of them, and what is marked ``every_place`` in each."""
    if "place" in metafunc.fixturenames:
        if metafunc.definition.get_closest_marker("every_place"):
            metafunc.parametrize("place", EVERY_PLACE, indirect=True)
        elif metafunc.definition.get_closest_marker("every_store"):
            metafunc.parametrize("place", ["sqlite", "postgres"], indirect=True)


@pytest.fixture
def place(request: pytest.FixtureRequest) -> str:
    """Where servers of this test run, of ``PLACES``; EXECSVC_TEST_STORE names another for all that do not say."""
    return str(getattr(request, "param", os.environ.get("EXECSVC_TEST_STORE", "sqlite")))


@pytest.fixture
def store_name(place: str) -> str:
    """Where they keep their data."""
    return "postgres" if PLACES[place].postgres else "sqlite"


@pytest.fixture
def store_class(store_name: str) -> Any:
    """The class of the store that servers of this test use, to listen in on what they ask of it."""
    return PostgresStore if store_name == "postgres" else SqliteStore


@pytest.fixture
def count_rows(settings: Settings) -> Callable[[str], int]:
    """Counts the rows of a table in the test's database."""

    def count(table: str) -> int:
        if settings.postgres is not None:
            name = settings.postgres.url.rpartition("/")[2]
            return int(shared_server().execute(f"SELECT count(*) FROM execsvc.{table}", name)[0][0])
        with contextlib.closing(sqlite3.connect(settings.database)) as db:
            return int(db.execute(f"SELECT count(*) FROM {table}").fetchone()[0])

    return count


@pytest.fixture
def postgres(store_name: str) -> Iterator[PostgresDatabase | None]:
    """An empty database on Postgres, where that is the store."""
    if store_name != "postgres":
        yield None
        return
    url = shared_server().migrated()
    yield PostgresDatabase(url=url)
    shared_server().give_back(url)


@pytest.fixture
def another(store_name: str, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """What servers start with to have another database, which is empty."""
    if store_name != "postgres":
        yield {"database": tmp_path / "another.db"}
        return
    url = shared_server().migrated()
    yield {"postgres": PostgresDatabase(url=url)}
    shared_server().give_back(url)


@pytest.fixture
def settings(tmp_path: Path, gates: Gates, postgres: PostgresDatabase | None) -> Settings:
    """What servers of this test start with."""
    node_types, executors = types_and_executors(gates)
    return Settings(
        address="127.0.0.1:0",
        database=tmp_path / "execsvc.db",
        postgres=postgres,
        grace=0.5,
        heartbeat=0.2,
        # Stand-ins for what nodes call.
        egress=("127.0.0.1",),
        node_types=node_types,
        executors=executors,
    )


@pytest.fixture
def start_server(settings: Settings, place: str, tmp_path: Path) -> StartServer:
    """Start a server on the test's database and connect to it; may be called again after the first has ended."""
    if PLACES[place].servers == 1:
        return StartServer(settings)
    if not INSTALLED:
        pytest.skip("there is no wheel of Envoy for this machine")
    return StartServer(settings, tmp_path / "front")


@pytest.fixture
async def client(start_server: StartServer) -> AsyncIterator[AsyncExecutionClient]:
    """A client of a server with the usual settings."""
    async with start_server() as connected:
        yield connected


@pytest.fixture
async def stubs(client: AsyncExecutionClient, start_server: StartServer) -> AsyncIterator[Stubs]:
    """Stubs for the server of ``client``."""
    async with grpc.aio.insecure_channel(start_server.address, [("grpc.max_send_message_length", -1)]) as channel:
        yield Stubs(channel)


@pytest.fixture
def changes(monkeypatch: pytest.MonkeyPatch) -> list[Changes]:
    """The change feeds of the servers started after this, oldest first."""
    made: list[Changes] = []

    def make() -> Changes:
        made.append(Changes())
        return made[-1]

    monkeypatch.setattr("execsvc.app.composition.Changes", make)
    return made
