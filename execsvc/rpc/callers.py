"""Who makes the call that is being answered, as it is recorded with what the call changes."""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import unquote

from execsvc.model import Actor, actor_of
from execsvc.rpc.failures import host_of
from execsvc.rpc.gate import caller

#: By which clients name their requests in metadata, where the request itself has no field for it.
REQUEST_ID: Final = "x-request-id"


def actor(context: Any, request_id: str = "") -> Actor:
    """Give who makes a call.

    Args:
        request_id: of the request itself; empty: the one in the metadata, if there is one.
    """
    return actor_of(caller(), address=address_of(context.peer()), request_id=request_id or _named(context))


def address_of(peer: str) -> str:
    """Give a peer's address without its port: ``10.0.0.7``, ``::1``, ``unix:``."""
    family, _, host = host_of(peer).partition(":")
    return unquote(host).strip("[]") if family in ("ipv4", "ipv6") else peer


def _named(context: Any) -> str:
    for key, value in context.invocation_metadata() or ():
        if key == REQUEST_ID:
            return value if isinstance(value, str) else str(value.decode("latin-1"))
    return ""
