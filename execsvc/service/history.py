"""Looking back: lists of executions, removing one, and pruning what is older than it is kept."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Sequence
from typing import Final

from execsvc.clock import Clock
from execsvc.errors import ExecsvcError, ExecutionNotFound, IllegalTransition
from execsvc.model import RETENTION, SOMEBODY, UNLIMITED, Actor, Execution, Namespaces
from execsvc.service.checks import require_id
from execsvc.service.filters import parse_filter, parse_order
from execsvc.service.paging import PageToken, page_size
from execsvc.service.stored import stored
from execsvc.store import DeleteExecution, Store

logger = logging.getLogger(__name__)

DEFAULT_PAGE: Final = 50
#: Executions removed by one step of pruning, so that it never holds up other writes for long.
PRUNE_BATCH: Final = 50
#: Records of the audit trail removed by one step.
PRUNE_RECORDS: Final = 500
#: Seconds between two looks for executions past their retention.
PRUNE_INTERVAL: Final = 60.0


class History:
    """Reads and removes executions that are on record.

    Args:
        audited: whether the audit trail gains a record of each change.
    """

    def __init__(self, *, store: Store, clock: Clock, audited: bool = False) -> None:
        self._store = store
        self._clock = clock
        self._audited = audited

    async def page(
        self, namespace: str, *, filter: str, order_by: str, size: int, token: str
    ) -> tuple[Sequence[Execution], str]:
        """Answer one page of executions, and the token of the next; an empty token says that there is none.

        Pages are cut by position, not by count: executions that are added or removed meanwhile shift nothing.

        Raises:
            InvalidRequest: for a filter, an order, a size, or a token that was made with other arguments.
        """
        condition, order = parse_filter(filter), parse_order(order_by)
        limit = page_size(size, default=DEFAULT_PAGE)
        tokens = PageToken("executions", filter, order_by)
        position = tokens.read(token, (int, int))
        after = None if position is None else (position[0], position[1])
        found = await self._store.list_executions(
            namespace, condition=condition, order=order, after=after, limit=limit + 1
        )
        page = [listed.execution for listed in found[:limit]]
        return page, tokens.make(*found[limit - 1].position) if len(found) > limit else ""

    async def delete(self, namespace: str, execution_id: str, *, by: Actor = SOMEBODY) -> None:
        """Remove an execution that has ended, and all it owns; answers once that is on disk.

        Args:
            by: who asks, for the audit trail.

        Raises:
            InvalidRequest, ExecutionNotFound: see their texts.
            IllegalTransition: it has not ended.
        """
        require_id("execution_id", execution_id)
        await stored(self._store.delete(self._deletion(namespace, execution_id, None, by)))

    def _deletion(self, namespace: str, execution_id: str, uid: str | None, by: Actor) -> DeleteExecution:
        return DeleteExecution(
            namespace=namespace,
            execution_id=execution_id,
            time=self._clock(),
            uid=uid,
            by=by if self._audited else None,
        )

    async def prune(self, before: int, namespace: str | None = None) -> int:
        """Remove what ended before a time, in small batches; answers how many executions that were.

        Args:
            namespace: of this one alone; None: of all.
        """
        removed = 0
        while True:
            expired = await self._store.expired(before, limit=PRUNE_BATCH, namespace=namespace)
            for of, execution_id, uid in expired:
                # Retried or removed by a client meanwhile: nothing to do.
                with contextlib.suppress(ExecutionNotFound, IllegalTransition):
                    await self._store.delete(self._deletion(of, execution_id, uid, RETENTION))
                    removed += 1
            if len(expired) < PRUNE_BATCH:
                return removed

    async def _prune_all(self, retention: int | None, namespaces: Namespaces) -> int:
        now, removed = self._clock(), 0
        if not namespaces.have_retention:
            return 0 if retention is None else await self.prune(now - retention)
        # One after the other: what one of them keeps for longer is not looked at over and over again.
        for namespace in await self._store.namespaces():
            kept = namespaces.of(namespace).retention
            kept = retention if kept is None else kept
            if kept is not None:
                removed += await self.prune(now - kept, namespace)
        return removed

    async def prune_audit(self, before: int) -> int:
        """Remove the audit trail from before a time, in small batches; answers how many records that were."""
        removed = 0
        while True:
            batch = await self._store.audit.remove(before, limit=PRUNE_RECORDS)
            removed += batch
            if batch < PRUNE_RECORDS:
                return removed

    async def keep_pruned(
        self, *, retention: int | None, audit_retention: int | None, namespaces: Namespaces = UNLIMITED
    ) -> None:
        """Prune for ever. Cancel it to end it.

        Args:
            retention: microseconds that executions are kept after their end; None: for ever.
            namespaces: those that say otherwise.
            audit_retention: microseconds that records of the audit trail are kept; None: for ever.
        """
        while True:
            try:
                if removed := await self._prune_all(retention, namespaces):
                    logger.info("removed %d executions past their retention", removed)
                before = None if audit_retention is None else self._clock() - audit_retention
                if before is not None and (removed := await self.prune_audit(before)):
                    logger.info("removed %d records of the audit trail past their retention", removed)
            except ExecsvcError as error:
                logger.warning("cannot prune: %s", error)
            await asyncio.sleep(PRUNE_INTERVAL)
