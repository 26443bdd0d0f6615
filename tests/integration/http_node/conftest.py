"""A caller whose connections are closed again."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.integration.egress.conftest import Names
from tests.integration.egress.conftest import names as names
from tests.integration.http_node.harness import Caller

Callers = Callable[..., Caller]


@pytest.fixture
async def callers() -> AsyncIterator[Callers]:
    """Makes callers with lists and bounds of their own."""
    made: list[Caller] = []

    def make(*rules: str, **options: Any) -> Caller:
        made.append(Caller(*rules, **options))
        return made[-1]

    yield make
    for caller in made:
        await caller.network.aclose()


@pytest.fixture
def caller(callers: Callers) -> Caller:
    """One with the usual settings: it reaches this machine without naming it."""
    return callers()


__all__ = ["Names", "names"]
