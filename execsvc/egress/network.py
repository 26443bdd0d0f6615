"""The HTTP clients that nodes call the world outside with, one set for each event loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from http.cookiejar import CookieJar, DefaultCookiePolicy
from weakref import WeakKeyDictionary

import httpx2

from execsvc.egress.bounds import Bounds
from execsvc.egress.rules import Egress
from execsvc.egress.transport import EgressTransport

#: Seconds for a connection, and of silence.
TIMEOUT = httpx2.Timeout(60.0, connect=10.0)


class Network:
    """What nodes may call. Belongs to no event loop; connections cannot move to another.

    Args:
        egress: the operator's list.
        bounds: how much is read of one answer.
        headers: gives what each request carries besides its own headers, asked where it is made; None: nothing.
    """

    def __init__(
        self,
        egress: Egress | None = None,
        *,
        bounds: Bounds | None = None,
        headers: Callable[[], Mapping[str, str]] | None = None,
    ) -> None:
        #: The operator's list.
        self.egress = egress or Egress()
        #: How much is read of one answer.
        self.bounds = bounds or Bounds()
        self._headers = headers
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[str, httpx2.AsyncClient]] = WeakKeyDictionary()

    @property
    def client(self) -> httpx2.AsyncClient:
        """The client for calls of a node's own, with headers of its own; shared, so never closed by who uses it."""
        return self._client("calls", first=False, plain=False)

    @property
    def models(self) -> httpx2.AsyncClient:
        """The client for models at an address that a workflow names: no key goes where the list does not name it."""
        return self._client("models", first=False, plain=True)

    @property
    def providers(self) -> httpx2.AsyncClient:
        """The client for models where their providers, or the server's environment, have them."""
        return self._client("providers", first=True, plain=True)

    def _client(self, name: str, *, first: bool, plain: bool) -> httpx2.AsyncClient:
        clients = self._loops.setdefault(asyncio.get_running_loop(), {})
        if name not in clients:
            clients[name] = httpx2.AsyncClient(
                transport=EgressTransport(self.egress, bounds=self.bounds, first=first, plain=plain),
                timeout=TIMEOUT,
                follow_redirects=plain,
                # Executions share the client, and what a server remembers of one is no business of another's.
                cookies=CookieJar(DefaultCookiePolicy(allowed_domains=())),
                event_hooks={} if self._headers is None else {"request": [self._accompany]},
            )
        return clients[name]

    async def _accompany(self, request: httpx2.Request) -> None:
        assert self._headers is not None
        for name, value in self._headers().items():
            # Who makes the request may have said it more closely.
            request.headers.setdefault(name, value)

    async def aclose(self) -> None:
        """Close the connections of the running event loop; they are opened anew where they are asked for again."""
        for client in self._loops.pop(asyncio.get_running_loop(), {}).values():
            await client.aclose()
