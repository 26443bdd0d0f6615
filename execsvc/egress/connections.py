"""Open connections to addresses that nodes may call: the address that is checked is the one that is connected to."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable, Iterable
from typing import Any, Final

import httpcore2

from execsvc.egress.addresses import Address, read_address
from execsvc.egress.refusals import AddressNotAllowed
from execsvc.egress.rules import refused

#: Addresses of one name that are tried, the first that answers counts; each gets its share of the time.
_MOST_ADDRESSES: Final = 4

#: Says why an address may not be called, empty where it may.
WhyNot = Callable[[Address], str]


class CheckedBackend(httpcore2.AsyncNetworkBackend):
    """Connects by TCP, and to allowed addresses alone.

    A name is looked up here, once for each connection, and connected to by its address: what another look-up would
    answer a moment later does not matter. TLS still checks the certificate against the name.
    """

    def __init__(self, why_not: WhyNot) -> None:
        self._why_not = why_not
        self._inner: Any = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Connect to the first allowed address that answers.

        Raises:
            AddressNotAllowed: the host has addresses, and none that may be called.
            httpcore2.ConnectError, httpcore2.ConnectTimeout: as the library itself does.
        """
        loop = asyncio.get_running_loop()
        end = None if timeout is None else loop.time() + timeout
        addresses = await _look_up(host, port, timeout)
        reasons = {address: self._why_not(address) for address in addresses}
        allowed = [address for address in addresses if not reasons[address]][:_MOST_ADDRESSES]
        if not allowed:
            raise AddressNotAllowed(_told(host, port, reasons))
        for left, address in zip(range(len(allowed), 0, -1), allowed, strict=True):
            share = None if end is None else max(0.001, (end - loop.time()) / left)
            try:
                stream: httpcore2.AsyncNetworkStream = await self._inner.connect_tcp(
                    str(address), port, timeout=share, local_address=local_address, socket_options=socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if left == 1:
                    raise
            else:
                return stream
        raise httpcore2.ConnectError(f"{host} has no address")

    async def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,  # noqa: ASYNC109
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """Refuse: no URL names such a socket."""
        raise httpcore2.ConnectError("sockets of this machine are not called")

    async def sleep(self, seconds: float) -> None:
        """Wait; used between the library's own attempts."""
        await asyncio.sleep(seconds)


async def _look_up(host: str, port: int, seconds: float | None) -> list[Address]:
    """Find the addresses of a host, in the order in which they are to be tried."""
    if (given := read_address(host)) is not None:
        return [given]
    try:
        async with asyncio.timeout(seconds):
            found = await asyncio.get_running_loop().getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except TimeoutError as error:
        raise httpcore2.ConnectTimeout(f"the name {host} was not found in time") from error
    except (OSError, UnicodeError) as error:
        raise httpcore2.ConnectError(f"the name {host} cannot be found: {error}") from error
    addresses = (read_address(str(sockaddr[0])) for *_, sockaddr in found)
    return list(dict.fromkeys(address for address in addresses if address is not None))


def _told(host: str, port: int, reasons: dict[Address, str]) -> str:
    if not reasons:
        return f"{host} has no address that could be called"
    address, why = next(iter(reasons.items()))
    return refused("", host, port, why, address=address)
