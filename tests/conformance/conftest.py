"""Gives each test of the suite a store of every backend."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from execsvc.store import Store
from tests.conformance.backends import BACKENDS, Backend, Capability


@pytest.fixture(params=sorted(BACKENDS))
def backend(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Backend]:
    """A place for data."""
    backend = BACKENDS[request.param](tmp_path)
    yield backend
    backend.remove()


@pytest.fixture
async def store(backend: Backend) -> AsyncIterator[Store]:
    """An empty store."""
    store = await backend.open()
    yield store
    await store.close()


@pytest.fixture
async def reopened(backend: Backend, store: Store) -> AsyncIterator[Callable[[], Awaitable[Store]]]:
    """Closes the store and opens its data anew, as often as it is called; skips where data do not survive."""
    if Capability.DURABLE not in backend.capabilities:
        pytest.skip("not durable")
    opened = [store]

    async def reopen() -> Store:
        await opened[-1].close()
        opened.append(await backend.open())
        return opened[-1]

    yield reopen
    await opened[-1].close()
