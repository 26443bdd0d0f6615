"""What every queue offers those who hand it work and ask after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Protocol

from execsvc.errors import QueueFull
from execsvc.model import ExecutionState, ExecutionStatus
from execsvc.store import Claim, Unfinished

#: Makes the Claim of an execution that has never run, given the status the claim answered.
Fresh = Callable[[ExecutionStatus], Claim]
#: Runs an execution whose lease was taken, until it has ended, and answers the state it is left in:
#: (namespace, held, fresh).
Run = Callable[[str, ExecutionStatus, Claim | None], Awaitable[ExecutionState]]
#: Told how many seconds an execution waited, once its lease is taken.
Waited = Callable[[float], None]


class Queue(Protocol):
    """Takes leases and runs what it took: highest priority first, then oldest. Use within one event loop."""

    #: Executions that may wait; ``full_for`` says when no more should be let in.
    capacity: int

    @property
    def waiting(self) -> int:
        """Executions that wait to start."""
        ...

    @property
    def running(self) -> int:
        """Slots taken in this process."""
        ...

    async def full_for(self, namespace: str, key: str) -> QueueFull | None:
        """Say whether an execution with this concurrency key would have to wait where as many wait as may.

        Answers what to refuse it with; None: it may come. Who then offers one, or expects one, before anything else
        happens is counted for the next who asks. Raises StorageUnavailable.
        """
        ...

    def has_slot_for(self, namespace: str, key: str) -> bool:
        """Whether an execution of a namespace, with this concurrency key, that is offered now would start at once."""
        ...

    async def is_held(self, uid: str) -> bool:
        """Whether a run of an execution is under way in another process. Raises StorageUnavailable."""
        ...

    async def describe(self, uid: str, namespace: str) -> str | None:
        """Say what an execution waits for, and its place; None if it does not wait. Raises StorageUnavailable."""
        ...

    def expect(self, uid: str, namespace: str) -> None:
        """Keep a place for an execution that will be offered, so that ``full_for`` counts it, until ``let_go``."""
        ...

    def let_go(self, uid: str) -> None:
        """Free the place kept for an execution: it is offered now, or will not be. There need not be one."""
        ...

    def offer(self, item: Unfinished, fresh: Fresh | None = None) -> None:
        """Queue an execution that is PENDING or RUNNING in the store, or is being stored by a write handed in before.

        With a free slot its lease is asked for in this call, where that can be, so that storing and claiming share a
        commit.
        """
        ...

    def withdraw(self, uid: str) -> None:
        """Forget an execution that waits; does nothing if it does not."""
        ...

    def close(self) -> None:
        """Start nothing more."""
        ...

    async def join(self) -> None:
        """Wait until every lease has ended; call ``close`` first."""
        ...
