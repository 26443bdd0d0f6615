"""A chat completions server for all tests of a worker, and llm nodes that are closed again."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator

import pytest

from execsvc.engine.nodes.llm import LlmNode
from tests.integration.llm.harness import NETWORK
from tests.servers import ChatServer


@pytest.fixture(scope="session")
def chat(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ChatServer]:
    """The server. Tests share it: each must use a prompt of its own where it counts or waits."""
    with ChatServer(tmp_path_factory.mktemp("chat") / "events.jsonl") as server:
        yield server


@pytest.fixture
async def node() -> AsyncIterator[LlmNode]:
    """An executor with the defaults."""
    node = LlmNode()
    yield node
    await node.aclose()


@pytest.fixture(autouse=True)
async def _no_connections_left() -> AsyncIterator[None]:
    """Close what the test has opened."""
    yield
    await NETWORK.aclose()


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the developer's own settings away."""
    for name in list(os.environ):
        if name.endswith(("_API_KEY", "_BASE_URL", "_API_BASE")) or name.startswith(("LANGCHAIN_", "LANGSMITH_")):
            monkeypatch.delenv(name)
