"""The connection is cut while a batch is being committed: nobody is answered wrongly, and nothing is done twice."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import psycopg
import pytest

from execsvc.errors import StorageUnavailable
from execsvc.store import PostgresDatabase
from execsvc.store.postgres import PostgresStore
from execsvc.store.postgres import writer as writer_module
from execsvc.store.postgres.batch import Batch
from tests.conformance.reads import contents, whole_log
from tests.servers.postgres import shared_server
from tests.servers.wire import Cut, Wire, laid
from tests.support.changes import NAMESPACE, claim, create, entries, update


@asynccontextmanager
async def opened(url: str) -> AsyncIterator[tuple[PostgresStore, Wire]]:
    """A store whose connections lead over a wire."""
    server = shared_server()
    async with laid(server.port) as wire:
        store = await PostgresStore.open(PostgresDatabase(url=url.replace(str(server.port), str(wire.port))))
        try:
            yield store, wire
        finally:
            wire.down = False
            await store.close()


@pytest.mark.parametrize("cut", Cut)
async def test_what_was_cut_off_in_a_commit_is_done_once(url: str, cut: Cut) -> None:
    async with opened(url) as (store, wire):
        await store.create(create())
        await store.update(claim())
        wire.cut = cut
        written = [store.update(update(epoch=1, entries=entries(text))) for text in "ab"]
        assert [(await write).status.last_sequence for write in written] == [3, 4]
        assert wire.cut is None
        assert contents(await whole_log(store)) == [(1, "queued"), (2, "running"), (3, "a"), (4, "b")]


async def test_what_comes_while_a_fate_is_unknown_is_refused_at_once_and_the_rest_is_answered_later(url: str) -> None:
    async with opened(url) as (store, wire):
        await store.create(create())
        cut = asyncio.Event()

        def down() -> None:
            wire.down = True
            cut.set()

        wire.on_cut, wire.cut = down, Cut.AFTER_COMMIT
        first = store.update(claim())
        await cut.wait()
        # The writer notices a little later; what was handed in before that is refused along.
        with pytest.raises(StorageUnavailable):
            await store.update(update(entries=entries("refused")))
        assert not first.done()
        wire.down = False
        assert (await first).status.epoch == 1
        await store.update(update(epoch=1, entries=entries("after")))
        assert contents(await whole_log(store)) == [(1, "queued"), (2, "running"), (3, "after")]


async def test_close_does_not_wait_for_ever_for_a_fate(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_module, "CLOSING", 0.1)
    async with laid(shared_server().port) as wire:
        port = str(shared_server().port)
        store = await PostgresStore.open(PostgresDatabase(url=url.replace(port, str(wire.port))))
        await store.create(create())
        cut = asyncio.Event()

        def down() -> None:
            wire.down = True
            cut.set()

        wire.on_cut, wire.cut = down, Cut.AFTER_COMMIT
        write = store.update(claim())
        await cut.wait()
        await store.close()
        with pytest.raises(StorageUnavailable, match="not known"):
            await write


async def test_a_batch_that_never_reaches_the_database_fails_and_the_next_goes_through(url: str) -> None:
    async with opened(url) as (store, wire):
        await store.create(create("a"))
        wire.down = True
        await wire.close()
        with pytest.raises(StorageUnavailable):
            await store.create(create("b"))
        wire.down = False
        await store.create(create("c"))
        assert (await store.status(NAMESPACE, "c")).uid == "uid-c"


async def test_an_error_that_leaves_the_commit_open_is_not_taken_for_a_refusal(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As the driver may raise it where Postgres ends in the middle, with the connection still looking alive."""
    write, failures = Batch.write, 0

    async def failing(self: Batch) -> None:
        nonlocal failures
        await write(self)
        failures += 1
        if failures == 1:
            raise psycopg.OperationalError("cannot exit pipeline mode while busy")

    store = await PostgresStore.open(PostgresDatabase(url=url))
    await store.create(create())
    monkeypatch.setattr(Batch, "write", failing)
    await store.update(update(entries=entries("once")))
    assert contents(await whole_log(store)) == [(1, "queued"), (2, "once")]
    await store.close()
    assert failures == 1
