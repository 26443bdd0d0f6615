"""Who makes the call that is being answered, as it is recorded with what the call changes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any
from urllib.parse import unquote

from execsvc.log_fields import request_id as log_request_id
from execsvc.model import Actor, actor_of
from execsvc.rpc.failures import host_of
from execsvc.rpc.gate import caller


def actor(context: Any, request_id: str = "") -> Actor:
    """Give who makes a call.

    Args:
        request_id: of the request itself; empty: the one by which the call is known in the log.
    """
    return actor_of(caller(), address=address_of(context.peer()), request_id=request_id or log_request_id())


@lru_cache(1024)
def address_of(peer: str) -> str:
    """Give a peer's address without its port: ``10.0.0.7``, ``::1``, ``unix:``."""
    family, _, host = host_of(peer).partition(":")
    return unquote(host).strip("[]") if family in ("ipv4", "ipv6") else peer
