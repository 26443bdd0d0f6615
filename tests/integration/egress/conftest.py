"""Names that lead where a test wants, and clients that are closed again."""

from __future__ import annotations

import os
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest

from execsvc.egress import Egress
from execsvc.egress.bounds import Bounds
from execsvc.egress.network import Network


class Names:
    """What the resolver answers: by name, one list of addresses after the other; the last one for good."""

    def __init__(self) -> None:
        self.answers: dict[str, list[list[str]]] = {}
        #: Names that were looked up.
        self.asked: list[str] = []

    def __call__(self, host: Any, port: Any, *arguments: Any, **options: Any) -> list[Any]:
        name = host.decode() if isinstance(host, bytes) else host
        self.asked.append(name)
        answers = self.answers.get(name)
        if answers is None:
            raise socket.gaierror(socket.EAI_NONAME, "there is no such name")
        addresses = answers.pop(0) if len(answers) > 1 else answers[0]
        return [
            (
                socket.AF_INET6 if ":" in address else socket.AF_INET,
                socket.SOCK_STREAM,
                6,
                "",
                (address, port, 0, 0) if ":" in address else (address, port),
            )
            for address in addresses
        ]


@pytest.fixture
def names(monkeypatch: pytest.MonkeyPatch) -> Names:
    """The only names there are."""
    names = Names()
    monkeypatch.setattr(socket, "getaddrinfo", names)
    return names


@pytest.fixture(autouse=True)
def _no_proxies(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        monkeypatch.delenv(name)


Open = Callable[..., Any]


@pytest.fixture
def opened() -> Open:
    """Opens a network with a list, for as long as a context lasts."""

    @asynccontextmanager
    async def opened(*rules: str, trusted: tuple[str, ...] = (), **bounds: Any) -> AsyncIterator[Network]:
        network = Network(Egress(rules, trusted=trusted), bounds=Bounds(**bounds))
        try:
            yield network
        finally:
            await network.aclose()

    return opened
