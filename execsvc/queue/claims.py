"""Taking the lease of an execution, however long the database takes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Final

from execsvc.clock import Clock
from execsvc.errors import ExecutionNotFound, IllegalTransition, LeaseLost, StorageUnavailable
from execsvc.model import ExecutionState, ExecutionStatus, LogLevel, NewLogEntry
from execsvc.store import Store, Unfinished, Updated, UpdateExecution

logger = logging.getLogger(__name__)

#: Seconds until a claim that the database could not take is tried again.
RECLAIM: Final = 1.0


class Claims:
    """Takes leases for one owner.

    Args:
        owner: name of this process, written into each lease.
        closed: whether nothing more is to be started.
    """

    def __init__(self, *, store: Store, clock: Clock, owner: str, closed: Callable[[], bool]) -> None:
        self._store = store
        self._clock = clock
        self._owner = owner
        self._closed = closed
        #: Executions whose claim the database could not take yet, by uid.
        self.delayed: set[str] = set()

    def ask(self, item: Unfinished, *, epoch: int | None = None) -> asyncio.Future[Updated]:
        """Hand in the claim of an execution.

        Args:
            epoch: claim it only where this is its epoch still; None: whoever had it.
        """
        now = self._clock()
        return self._store.update(
            UpdateExecution(
                namespace=item.namespace,
                execution_id=item.execution_id,
                uid=item.uid,
                epoch=epoch,
                time=now,
                action="claim",
                from_states=(ExecutionState.PENDING, ExecutionState.RUNNING),
                to_state=ExecutionState.RUNNING,
                claim_owner=self._owner,
                message="running",
                running_nodes=(),
                entries=(
                    NewLogEntry(
                        time=now,
                        level=LogLevel.INFO,
                        message="execution running",
                        metadata={"event": "execution_running"},
                    ),
                ),
            )
        )

    async def settled(
        self, item: Unfinished, claim: asyncio.Future[Updated], *, epoch: int | None = None
    ) -> ExecutionStatus | None:
        """Wait for a claim, and ask again while the database cannot take it.

        Returns:
            The execution as of the claim; None where there is nothing to be run, or nothing may start any more.
        """
        while True:
            try:
                return (await claim).status
            except (ExecutionNotFound, IllegalTransition, LeaseLost):
                # Stopped, deleted or taken by another while it waited, or never stored.
                return None
            except StorageUnavailable as error:
                logger.warning("cannot claim execution %s: %s", item.execution_id, error)
                self.delayed.add(item.uid)
                try:
                    await asyncio.sleep(RECLAIM)
                finally:
                    self.delayed.discard(item.uid)
                if self._closed():
                    # Another server claims it.
                    return None
                claim = self.ask(item, epoch=epoch)
