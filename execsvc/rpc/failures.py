"""Counts how often each peer shows wrong credentials, so that neither answers nor the log are flooded."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

#: Wrong credentials that a peer may show in a row, and how many more each second.
BURST: Final = 100
PER_SECOND: Final = 10
#: Peers that are remembered; of more, those that have failed last.
PEERS: Final = 10_000


class Failures:
    """A bucket for each peer that has failed lately.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        #: By host: what is left, and when that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def allow(self, peer: str) -> bool:
        """Count a failure; answers whether it was within what a peer may have.

        Args:
            peer: as gRPC names it, ``ipv4:127.0.0.1:1234``.
        """
        host, now = host_of(peer), self._clock()
        left, then = self._left.pop(host, (float(BURST), now))
        left = min(BURST, left + PER_SECOND * (now - then))
        allowed = left >= 1
        self._left[host] = (left - 1 if allowed else left, now)
        if len(self._left) > PEERS:
            self._left.popitem(last=False)
        return allowed


def host_of(peer: str) -> str:
    """Give a peer without its port, which changes with each connection."""
    return peer.rpartition(":")[0] if peer.startswith(("ipv4:", "ipv6:")) else peer
