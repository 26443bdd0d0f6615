"""What a store that several servers share offers each of them: the work that waits, and word of the others."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Final, Protocol

from execsvc.model import ExecutionStatus
from execsvc.record import record
from execsvc.store.protocol import Unfinished

#: Seconds between two signs of life of a server; also how late it learns at most what a lost notification told.
HEARTBEAT: Final = 1.0
#: Seconds without one after which a server counts as gone, and others go on with its executions.
GONE: Final = 5.0


@record(frozen=True, slots=True, kw_only=True)
class KeyRoom:
    """How many executions of a namespace, and of one with the same key, run at once, on all servers together."""

    #: For every key without one of its own; None: no limit.
    default: int | None
    #: By key.
    overrides: Mapping[str, int]
    #: For every namespace without one of its own; None: no limit.
    slots: int | None = None
    #: By namespace; None: no limit.
    namespaces: Mapping[str, int | None]

    @property
    def limits(self) -> bool:
        """Whether anything may be held back."""
        return self.default is not None or bool(self.overrides) or self.limits_namespaces

    @property
    def limits_namespaces(self) -> bool:
        """Whether a namespace may be."""
        return self.slots is not None or any(slots is not None for slots in self.namespaces.values())


@record(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an execution stands in the line."""

    #: 1 is next.
    place: int
    #: How many wait in this line.
    length: int
    #: The concurrency key whose line it is; empty: its namespace's; None: the line of those that wait for a slot.
    key: str | None


@record(frozen=True, slots=True, kw_only=True)
class Taken:
    """An execution that a fetch took."""

    item: Unfinished
    #: Since when it has waited, by the database's clock.
    since: int


@record(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a fetch took."""

    taken: Sequence[Taken]
    #: How many still wait, all held back by limits of their own; None: not counted.
    left: int | None


@record(frozen=True, slots=True, kw_only=True)
class Beat:
    """What a sign of life brought back."""

    #: Executions that wait for a slot, on all servers together.
    waiting: int
    #: Uids of executions that this server has taken, as the database has it.
    held: frozenset[str]
    #: Whether this server had been given up: others may have what it held.
    was_gone: bool


class Membership(Protocol):
    """One server among those that share the store. Methods raise StorageUnavailable."""

    async def fetch(self, most: int, room: KeyRoom) -> Fetched:
        """Take up to ``most`` of what waits, highest priority first, then oldest; nobody else gets them."""
        ...

    async def count(self) -> int:
        """Count what waits."""
        ...

    async def count_of(self, namespace: str, most: int) -> int:
        """Count what waits of a namespace, up to ``most``."""
        ...

    async def give_back(self, uids: Sequence[str]) -> None:
        """Let go of executions that were taken. What has not ended, nor is paused, waits again."""
        ...

    async def place(self, uid: str, room: KeyRoom) -> Place | None:
        """Say where an execution stands in the line; None if it does not wait."""
        ...

    async def is_held(self, uid: str) -> bool:
        """Whether a server holds an execution."""
        ...

    async def statuses(self, keys: Sequence[tuple[str, str]]) -> Sequence[tuple[str, ExecutionStatus]]:
        """Read where executions stand, by namespace and id: (namespace, status) of each there is."""
        ...

    def keep(self, held: Callable[[], Iterable[str]]) -> None:
        """Name the uids that this server runs, to be kept for it should it have been given up and nobody have come."""
        ...

    @property
    def waiting(self) -> int:
        """Executions that waited for a server as of the last sign of life."""
        ...

    @property
    def in_doubt(self) -> bool:
        """Whether the last sign of life is so long ago that the others may have given this server up."""
        ...

    async def tell_heard(self, namespace: str, execution_id: str, sequence: int) -> None:
        """Tell the others that the run here has heard of what its log says up to a sequence."""
        ...

    def on_heard(self, listener: Callable[[int, int], None]) -> None:
        """Call ``listener`` with the mark of an execution and the sequence that its run elsewhere has heard of."""
        ...

    def on_work(self, listener: Callable[[], None]) -> None:
        """Call ``listener`` when something may have come to wait."""
        ...

    def on_beat(self, listener: Callable[[Beat], None]) -> None:
        """Call ``listener`` after each sign of life, and so after each connection that was lost."""
        ...

    def on_change(self, listener: Callable[[frozenset[int]], None]) -> None:
        """Call ``listener`` with the marks of executions that other servers have changed."""
        ...

    async def leave(self) -> None:
        """Be no member any more; what is still held goes to the others."""
        ...


def mark_of(namespace: str, execution_id: str) -> int:
    """Make a short mark of an execution, for notifications. Two may share one: it is a hint where to look."""
    return zlib.crc32(f"{namespace}\0{execution_id}".encode())
