"""Keeps namespaces from having more executions on record than they may."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from execsvc.errors import NamespaceFull
from execsvc.model import Namespaces
from execsvc.store import Store

#: Seconds that a count holds, but for what is stored here meanwhile; and where it says that there is no more room.
FRESH: Final = 10.0
FULL: Final = 1.0


@dataclass(slots=True)
class _Count:
    stored: int
    #: When it was asked for.
    asked: float


class Quotas:
    """Counts what namespaces with a limit have on record. Use within one event loop.

    Counting reads as many entries of an index as there may be, so a count is used for a while: what several servers
    store within ten seconds may overrun the limit, and what is deleted makes room a second later.

    Args:
        clock: seconds that only grow.
    """

    def __init__(self, *, store: Store, namespaces: Namespaces, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._namespaces = namespaces
        self._clock = clock
        self._counts: dict[str, _Count] = {}

    async def full(self, namespace: str) -> NamespaceFull | None:
        """Answer what to refuse one more execution with; None: there is room. Raises StorageUnavailable."""
        most = self._namespaces.of(namespace).stored
        if most is None:
            return None
        known = self._counts.get(namespace)
        holds = 0.0 if known is None else FULL if known.stored >= most else FRESH
        if known is None or self._clock() - known.asked >= holds:
            asked = self._clock()
            known = self._counts[namespace] = _Count(await self._store.count(namespace, most=most), asked)
        return NamespaceFull(most) if known.stored >= most else None

    def took(self, namespace: str) -> None:
        """Count an execution that is being stored."""
        if (known := self._counts.get(namespace)) is not None:
            known.stored += 1
