"""A Postgres database of the test's own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.servers.postgres import shared_server


@pytest.fixture
def url() -> Iterator[str]:
    """Where it is; empty and up to date."""
    url = shared_server().migrated()
    yield url
    shared_server().give_back(url)
