"""Following an execution by snapshots, joined for readers that are slower than the changes."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass

from execsvc.errors import ExecutionNotFound, ServerDraining
from execsvc.model import Execution, ExecutionStatus, NodeRun
from execsvc.service.changes import Changes, Token
from execsvc.service.checks import require_id
from execsvc.service.logs import HEARTBEAT
from execsvc.store import Store


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """One response of a watch."""

    status: ExecutionStatus
    #: Set in the first one: the record, without outputs.
    execution: Execution | None = None
    #: Journal rows that changed since the snapshot before.
    nodes: Sequence[NodeRun] = ()
    tokens: Sequence[Token] = ()
    tokens_dropped: bool = False

    @property
    def last(self) -> bool:
        """Whether the watch ends with it."""
        return self.status.state.terminal


class Watcher:
    """Streams snapshots; holds for each stream what changed since it last took something, and no more."""

    def __init__(self, *, store: Store, changes: Changes, heartbeat: float = HEARTBEAT) -> None:
        self._store = store
        self._changes = changes
        self._heartbeat = heartbeat

    async def stream(self, namespace: str, execution_id: str, *, tokens: bool) -> AsyncGenerator[Snapshot, None]:
        """Stream snapshots until the execution has ended: the first at once, the last in its final state.

        Without changes the last snapshot is repeated as a sign of life.

        Args:
            tokens: also hand out what models answer from now on, piece by piece.

        Raises:
            InvalidRequest, ExecutionNotFound: see their texts; also when it is deleted meanwhile.
            ServerDraining: the server goes down; watch again with another connection.
        """
        require_id("execution_id", execution_id)
        with self._changes.subscribe(namespace, execution_id, tokens=tokens, nodes=True) as (watch, subscriber):
            execution = await self._store.execution(namespace, execution_id, full=False)
            status = execution.status
            yield Snapshot(status=status, execution=execution)
            del execution
            while not status.state.terminal:
                if self._changes.closed:
                    raise ServerDraining
                await subscriber.changed.within(self._heartbeat)
                subscriber.changed.clear()
                now = watch.status
                if now is None or now.uid != status.uid:
                    # Nothing was published yet, or it was deleted, or what is known here is older than what was read.
                    # What is published from here on follows later, with the nodes that belong to it.
                    if (await self._store.status(namespace, execution_id)).uid != status.uid:
                        raise ExecutionNotFound(execution_id)
                    now = status
                pieces, dropped = subscriber.take_tokens()
                nodes = subscriber.take_nodes()
                if now.last_sequence <= status.last_sequence:
                    # Published while the record was read, which has it already, or something newer.
                    now, nodes = status, ()
                status = now
                yield Snapshot(status=status, nodes=nodes, tokens=pieces, tokens_dropped=dropped)
