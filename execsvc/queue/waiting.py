"""The order in which executions start: highest priority first, then oldest; a key at its limit holds back its own."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedKeyList

from execsvc.record import record
from execsvc.store import Unfinished

T = TypeVar("T")


@record(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How many executions with the same concurrency key may run at once."""

    #: For every key without one of its own; None: no limit.
    default: int | None = None
    #: By key.
    overrides: Mapping[str, int]

    def of(self, key: str) -> int | None:
        """Answer the limit of a key; None if it has none. The empty key has none."""
        return self.overrides.get(key, self.default) if key else None


@dataclass(slots=True, eq=False)
class Waiting(Generic[T]):
    """An execution that waits, with what its starter wants kept beside it."""

    item: Unfinished
    extra: T
    #: Tells apart what has the same priority and age.
    order: int

    @property
    def rank(self) -> tuple[int, int, int]:
        """Least starts first."""
        return (-self.item.priority, self.item.create_time, self.order)


class WaitingLine(Generic[T]):
    """What waits, in order. Only what its key's limit leaves room for is eligible.

    Args:
        running: how many executions with a key run now.
    """

    def __init__(self, limits: KeyLimits, running: Callable[[str], int]) -> None:
        self._limits = limits
        self._running = running
        self._by_uid: dict[str, Waiting[T]] = {}
        self._eligible: SortedKeyList[Waiting[T], tuple[int, int, int]] = _sorted()
        #: All that waits with a limited key; its first entries, as many as the limit leaves room for, are eligible.
        self._by_key: dict[str, SortedKeyList[Waiting[T], tuple[int, int, int]]] = {}
        self._eligible_of_key: dict[str, list[Waiting[T]]] = {}
        self._order = 0

    def __len__(self) -> int:
        return len(self._by_uid)

    def add(self, item: Unfinished, extra: T) -> None:
        """Let an execution wait. One that waits already is replaced."""
        self.remove(item.uid)
        self._order += 1
        waiting = Waiting(item, extra, self._order)
        self._by_uid[item.uid] = waiting
        if self._limits.of(item.concurrency_key) is None:
            self._eligible.add(waiting)
        else:
            self._by_key.setdefault(item.concurrency_key, _sorted()).add(waiting)
            self.refresh(item.concurrency_key)

    def remove(self, uid: str) -> None:
        """Forget an execution; does nothing if it does not wait."""
        waiting = self._by_uid.pop(uid, None)
        if waiting is None:
            return
        key = waiting.item.concurrency_key
        if self._limits.of(key) is None:
            self._eligible.remove(waiting)
        else:
            self._by_key[key].remove(waiting)
            self.refresh(key)

    def take(self) -> Waiting[T] | None:
        """Remove and answer what is to start next; None if nothing may.

        The caller must count it as running before the next call.
        """
        if not self._eligible:
            return None
        waiting: Waiting[T] = self._eligible[0]
        self.remove(waiting.item.uid)
        return waiting

    def refresh(self, key: str) -> None:
        """Take note that the number of running executions with a key has changed."""
        limit = self._limits.of(key)
        if limit is None:
            return
        line = self._by_key.get(key)
        before = self._eligible_of_key.pop(key, [])
        now: list[Waiting[T]] = [] if line is None else list(line[: max(0, limit - self._running(key))])
        if before != now:
            for waiting in before:
                self._eligible.remove(waiting)
            self._eligible.update(now)
        if now:
            self._eligible_of_key[key] = now
        if line is not None and not line:
            del self._by_key[key]

    def has_room(self, key: str) -> bool:
        """Whether the limit of a key leaves room for one more than run now. Those that wait are not counted."""
        limit = self._limits.of(key)
        return limit is None or self._running(key) < limit

    def describe(self, uid: str) -> str | None:
        """Say what an execution waits for, and its place; None if it does not wait."""
        waiting = self._by_uid.get(uid)
        if waiting is None:
            return None
        key = waiting.item.concurrency_key
        limit = self._limits.of(key)
        if limit is not None and waiting not in self._eligible_of_key.get(key, ()):
            line = self._by_key[key]
            place = line.index(waiting) + 1
            return f"waiting for concurrency key {key!r} (limit {limit}), place {place} of {len(line)}"
        return f"waiting for a slot, place {self._eligible.index(waiting) + 1} of {len(self._eligible)}"


def _sorted() -> SortedKeyList[Any, tuple[int, int, int]]:
    return SortedKeyList(key=lambda waiting: waiting.rank)
