"""One lab for all tests of the clients."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.sdk.lab import Lab


@pytest.fixture(scope="session")
def lab() -> Iterator[Lab]:
    """The lab, with the server that all share."""
    with Lab() as running:
        yield running
