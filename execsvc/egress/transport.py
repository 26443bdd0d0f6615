"""Send requests where the operator's list lets them go, without what belongs to the server where it is not named."""

from __future__ import annotations

import asyncio
import functools
import ssl
from typing import Final
from urllib.request import getproxies, proxy_bypass

import httpcore2
import httpx2

from execsvc.egress.bounds import ACCEPTED, BoundedStream, Bounds
from execsvc.egress.connections import CheckedBackend, WhyNot
from execsvc.egress.refusals import AddressNotAllowed
from execsvc.egress.rules import PORTS, Egress, Verdict

#: Connections that are open at once, and that are kept for the next request, of each kind of host.
_LIMITS: Final = httpx2.Limits(max_connections=1000, max_keepalive_connections=100)
#: Where a client that trusts its first host keeps which one that was: redirects take it along.
_FIRST: Final = "execsvc.first"
#: Headers that say nothing of the server; all others stay here where a host is not trusted.
_PLAIN_HEADERS: Final = frozenset(["connection", "host", "transfer-encoding", "user-agent"])
_PLAIN_PREFIXES: Final = ("accept", "content-", "x-stainless-")


class EgressTransport(httpx2.AsyncBaseTransport):
    """Passes each request of a client on, also those it is redirected to.

    Hosts that the list names are reached as the environment's proxy variables say, all others directly.

    Args:
        first: whether the host of a request is the operator's own choice, whatever the list says; where that one
            redirects to is checked all the same.
        plain: whether hosts that are not trusted get no credentials: all headers but those of the content are
            left out.
    """

    def __init__(self, egress: Egress, *, bounds: Bounds, first: bool = False, plain: bool = False) -> None:
        self._egress = egress
        self._bounds = bounds
        self._first = first
        self._plain = plain
        self._proxies = getproxies()
        #: Those that were needed so far: by proxy, or by what they check.
        self._ways: dict[str, httpx2.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """Send a request. Raises AddressNotAllowed, and what the library itself does."""
        url = request.url
        scheme, host = url.scheme, url.raw_host.decode("ascii")
        port = url.port or PORTS.get(scheme, 0)
        where = f"{scheme}://{url.netloc.decode('ascii')}"
        own = self._first and request.extensions.setdefault(_FIRST, where) == where
        verdict = Verdict.TRUSTED if own else self._egress.verdict(scheme, host, port)
        if verdict is Verdict.REFUSED:
            raise AddressNotAllowed(self._egress.refusal_of(scheme, host, port))
        request.headers["accept-encoding"] = ACCEPTED
        if verdict is Verdict.BY_ADDRESS and self._plain:
            for name in {name.lower() for name in request.headers}:
                if name not in _PLAIN_HEADERS and not name.startswith(_PLAIN_PREFIXES):
                    del request.headers[name]
        until = asyncio.get_running_loop().time() + self._bounds.time
        try:
            async with asyncio.timeout_at(until):
                way = await self._way(verdict, own, scheme, host, port)
                response = await way.handle_async_request(request)
        except TimeoutError as error:
            raise httpx2.ReadTimeout(f"{where} does not answer within {self._bounds.time:g} s") from error
        return self._bounded(response, until, where)

    async def aclose(self) -> None:
        """Close all connections."""
        for way in self._ways.values():
            await way.aclose()

    async def _way(self, verdict: Verdict, own: bool, scheme: str, host: str, port: int) -> httpx2.AsyncHTTPTransport:
        name = "others"
        if verdict is Verdict.TRUSTED:
            proxy = self._proxies.get(scheme) or self._proxies.get("all") or ""
            passed_by = not proxy or proxy_bypass(f"{host}:{port}") or proxy_bypass(host)
            name = proxy if not passed_by else "own" if own else "trusted"
        if name not in self._ways:
            # Reading the certificates of all authorities takes a while.
            tls = await asyncio.to_thread(_tls)
            # Another request may have made it meanwhile.
            if name not in self._ways:
                self._ways[name] = self._make(name, tls)
        return self._ways[name]

    def _make(self, name: str, tls: ssl.SSLContext) -> httpx2.AsyncHTTPTransport:
        match name:
            case "own":
                return httpx2.AsyncHTTPTransport(verify=tls, limits=_LIMITS)
            case "trusted":
                return _checked(tls, self._egress.why_not_trusted)
            case "others":
                return _checked(tls, self._egress.why_not)
            case proxy:
                address = proxy if "://" in proxy else f"http://{proxy}"
                return httpx2.AsyncHTTPTransport(verify=tls, limits=_LIMITS, proxy=address)

    def _bounded(self, response: httpx2.Response, until: float, where: str) -> httpx2.Response:
        headers = response.headers
        stream = response.stream
        assert isinstance(stream, httpx2.AsyncByteStream)
        encoding = headers.pop("content-encoding", "")
        if encoding:
            headers.pop("content-length", "")
        events = headers.get("content-type", "").lower().startswith("text/event-stream")
        body = BoundedStream(stream, encoding=encoding, events=events, bounds=self._bounds, until=until, where=where)
        return httpx2.Response(
            status_code=response.status_code, headers=headers, stream=body, extensions=response.extensions
        )


@functools.cache
def _tls() -> ssl.SSLContext:
    return httpx2.create_ssl_context()


def _checked(tls: ssl.SSLContext, why_not: WhyNot) -> httpx2.AsyncHTTPTransport:
    transport = httpx2.AsyncHTTPTransport(verify=tls, limits=_LIMITS)
    # The library has no argument for it. Were the attribute another one, nothing would be checked.
    if not isinstance(getattr(transport, "_pool", None), httpcore2.AsyncConnectionPool):
        raise RuntimeError("this release of httpx2 keeps its connections elsewhere")
    transport._pool = httpcore2.AsyncConnectionPool(
        ssl_context=tls,
        max_connections=_LIMITS.max_connections,
        max_keepalive_connections=_LIMITS.max_keepalive_connections,
        keepalive_expiry=_LIMITS.keepalive_expiry,
        network_backend=CheckedBackend(why_not),
    )
    return transport
