"""The order in which executions start: highest priority first, then oldest; a limit holds back its own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from sortedcontainers import SortedKeyList

from execsvc.model import UNLIMITED, Namespaces
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


#: What a limit is of: a namespace and one of its concurrency keys, or, with an empty key, a namespace.
Lane = tuple[str, str]


def lanes_of(item: Unfinished) -> tuple[Lane, ...]:
    """Say of what an execution takes a place when it runs."""
    return lanes_of_key(item.namespace, item.concurrency_key)


def lanes_of_key(namespace: str, key: str) -> tuple[Lane, ...]:
    """Say of what an execution of a namespace, with a key that may be empty, takes a place when it runs."""
    return ((namespace, key), (namespace, "")) if key else ((namespace, ""),)


def is_full(waiting: int, expected: int, free: int, capacity: int) -> bool:
    """Whether one more would have to wait where as many wait as may.

    Args:
        expected: executions that will be offered.
        free: slots that it, and those expected, may take at once.
    """
    return expected >= free and waiting + expected - free >= capacity


class _Gate(Generic[T]):
    """What waits of a lane, in order; as many as there is room for are let through, the others held back.

    Args:
        enter, leave: called with what is let through, and with what was and is held back again or gone.
    """

    def __init__(self, room: int, enter: Callable[[Waiting[T]], None], leave: Callable[[Waiting[T]], None]) -> None:
        self.line: SortedKeyList[Waiting[T], tuple[int, int, int]] = _sorted()
        self._room = room
        self._enter = enter
        self._leave = leave

    def add(self, waiting: Waiting[T]) -> None:
        """Let one more wait."""
        self.line.add(waiting)
        if self.line.index(waiting) < self._room:
            if len(self.line) > self._room:
                self._leave(self.line[self._room])
            self._enter(waiting)

    def remove(self, waiting: Waiting[T]) -> None:
        """Forget one that waits."""
        place: int = self.line.index(waiting)
        del self.line[place]
        if place < self._room:
            self._leave(waiting)
            if len(self.line) >= self._room:
                self._enter(self.line[self._room - 1])

    def make_room(self, room: int) -> None:
        """Take note of how many may be let through."""
        before, self._room = self._room, room
        for waiting in self.line[room:before]:
            self._leave(waiting)
        for waiting in self.line[before:room]:
            self._enter(waiting)

    def holds_back(self, waiting: Waiting[T]) -> int | None:
        """Answer the place of one that is held back, from 1; None if it is let through."""
        place: int = self.line.index(waiting)
        return place + 1 if place >= self._room else None


class WaitingLine(Generic[T]):
    """What waits, in order. Only what the limits of its key and of its namespace leave room for is eligible.

    What is held back costs nothing: neither taking nor adding looks at it.

    Args:
        running: how many executions of a lane run now.
        namespaces: how many of each may.
    """

    def __init__(self, limits: KeyLimits, running: Callable[[Lane], int], namespaces: Namespaces = UNLIMITED) -> None:
        self._limits = limits
        self._running = running
        self._namespaces = namespaces
        self._by_uid: dict[str, Waiting[T]] = {}
        self._eligible: SortedKeyList[Waiting[T], tuple[int, int, int]] = _sorted()
        #: Of lanes with a limit in which something waits.
        self._gates: dict[Lane, _Gate[T]] = {}
        self._of_namespace: Counter[str] = Counter()
        self._order = 0

    def __len__(self) -> int:
        return len(self._by_uid)

    def of_namespace(self, namespace: str) -> int:
        """Answer how many of a namespace wait."""
        return self._of_namespace[namespace]

    def limit_of(self, lane: Lane) -> int | None:
        """Answer how many of a lane may run; None: as many as there are slots."""
        namespace, key = lane
        return self._limits.of(key) if key else self._namespaces.of(namespace).slots

    def add(self, item: Unfinished, extra: T) -> None:
        """Let an execution wait. One that waits already is replaced."""
        self.remove(item.uid)
        self._order += 1
        waiting = Waiting(item, extra, self._order)
        self._by_uid[item.uid] = waiting
        self._of_namespace[item.namespace] += 1
        self._enter_lane(lanes_of(item), waiting)

    def _enter_lane(self, lanes: tuple[Lane, ...], waiting: Waiting[T]) -> None:
        if not lanes:
            self._eligible.add(waiting)
        elif self.limit_of(lanes[0]) is None:
            self._enter_lane(lanes[1:], waiting)
        else:
            self._gate(lanes).add(waiting)

    def _leave_lane(self, lanes: tuple[Lane, ...], waiting: Waiting[T]) -> None:
        if not lanes:
            self._eligible.remove(waiting)
        elif self.limit_of(lanes[0]) is None:
            self._leave_lane(lanes[1:], waiting)
        else:
            gate = self._gates[lanes[0]]
            gate.remove(waiting)
            if not gate.line:
                del self._gates[lanes[0]]

    def _gate(self, lanes: tuple[Lane, ...]) -> _Gate[T]:
        gate = self._gates.get(lanes[0])
        if gate is None:
            further = lanes[1:]
            gate = self._gates[lanes[0]] = _Gate(
                self._room(lanes[0]) or 0,
                lambda waiting: self._enter_lane(further, waiting),
                lambda waiting: self._leave_lane(further, waiting),
            )
        return gate

    def _room(self, lane: Lane) -> int | None:
        limit = self.limit_of(lane)
        return None if limit is None else max(0, limit - self._running(lane))

    def remove(self, uid: str) -> None:
        """Forget an execution; does nothing if it does not wait."""
        waiting = self._by_uid.pop(uid, None)
        if waiting is None:
            return
        self._of_namespace[waiting.item.namespace] -= 1
        if not self._of_namespace[waiting.item.namespace]:
            del self._of_namespace[waiting.item.namespace]
        self._leave_lane(lanes_of(waiting.item), waiting)

    def take(self) -> Waiting[T] | None:
        """Remove and answer what is to start next; None if nothing may.

        The caller must count it as running, and ``refresh`` its lanes, before the next call.
        """
        if not self._eligible:
            return None
        waiting: Waiting[T] = self._eligible[0]
        self.remove(waiting.item.uid)
        return waiting

    def refresh(self, lane: Lane) -> None:
        """Take note that the number of running executions of a lane has changed."""
        gate = self._gates.get(lane)
        if gate is not None:
            gate.make_room(self._room(lane) or 0)

    def has_room(self, lane: Lane) -> bool:
        """Whether the limit of a lane leaves room for one more than run now. Those that wait are not counted."""
        room = self._room(lane)
        return room is None or room > 0

    def describe(self, uid: str) -> str | None:
        """Say what an execution waits for, and its place; None if it does not wait."""
        waiting = self._by_uid.get(uid)
        if waiting is None:
            return None
        for lane in lanes_of(waiting.item):
            gate = self._gates.get(lane)
            place = None if gate is None else gate.holds_back(waiting)
            if gate is not None and place is not None:
                return waits_for(lane[1], self.limit_of(lane), place, len(gate.line))
        return f"waiting for a slot, place {self._eligible.index(waiting) + 1} of {len(self._eligible)}"


def waits_for(key: str, limit: int | None, place: int, length: int) -> str:
    """Say that an execution waits for its key or, if that is empty, for its namespace."""
    what = f"concurrency key {key!r}" if key else "a slot of its namespace"
    return f"waiting for {what} (limit {limit}), place {place} of {length}"


def _sorted() -> SortedKeyList[Any, tuple[int, int, int]]:
    return SortedKeyList(key=lambda waiting: waiting.rank)
