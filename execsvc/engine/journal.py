"""What a run has to put on disk: node results and log entries, collected, then written under the run's lease."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from execsvc.clock import Clock
from execsvc.engine.stopwatch import Stopwatch
from execsvc.errors import ExecsvcError, ExecutionNotFound, IllegalTransition, LeaseLost, StorageUnavailable
from execsvc.model import ErrorInfo, ExecutionState, ExecutionStatus, NewLogEntry, NodeRun
from execsvc.store import BUSY, Store, Updated, UpdateExecution

logger = logging.getLogger(__name__)

#: Seconds that notes nobody waits for may linger, so that they ride along with a write somebody waits for.
LINGER: Final = 0.001
#: While the store is BUSY notes linger further, up to so many times: most then find a write to ride along with, and the
#: disk gets fewer.
MOST_LINGERS: Final = 40
#: Seconds between tries while the database cannot be written: first, and at most.
RETRY_FIRST: Final = 0.1
RETRY_MOST: Final = 2.0

_ACTIVE: Final = (ExecutionState.RUNNING, ExecutionState.PAUSED)


@dataclass(slots=True)
class Progress:
    """What GetStatus shows of a run; written along with every note."""

    nodes_done: int = 0
    current_node: str = ""
    #: Ids of the nodes under way, in the order they started.
    running: dict[str, None] = field(default_factory=dict)


class Journal:
    """Collects notes of one run and writes them in order. Every write carries the lease epoch.

    Notes are written within LINGER, or with the next ``commit``. While the database cannot be written they are kept
    and tried again; once the lease is lost they are dropped and ``lost`` is called.

    Args:
        held: the execution as of the claim; its epoch is the lease.
        stopwatch: how long the execution has been RUNNING; written along.
        lost: called once, when a write was refused because the execution is no longer this run's.
    """

    def __init__(
        self,
        store: Store,
        clock: Clock,
        namespace: str,
        held: ExecutionStatus,
        *,
        stopwatch: Stopwatch,
        lost: Callable[[], None],
    ) -> None:
        self._store = store
        self._clock = clock
        self._namespace = namespace
        self._held = held
        self._stopwatch = stopwatch
        self._lost = lost
        self._is_lost = False
        #: Whether a write was refused because another run has the execution.
        self.fenced = False
        self.progress = Progress()
        self._nodes: list[NodeRun] = []
        self._entries: list[NewLogEntry] = []
        #: Number of the last write that held a row of each node.
        self._written_in: dict[str, int] = {}
        self._writes = 0
        self._timer: asyncio.TimerHandle | None = None
        self._lingers = 0
        #: Writes nobody awaits, oldest first.
        self._background: set[asyncio.Future[Updated]] = set()
        self._loop = asyncio.get_running_loop()

    def note(self, node: NodeRun | None = None, entry: NewLogEntry | None = None) -> None:
        """Keep a node's row and a log entry for the next write."""
        if self._is_lost:
            return
        if node is not None:
            self._nodes.append(node)
        if entry is not None:
            self._entries.append(entry)
        if self._timer is None:
            self._timer = self._loop.call_later(LINGER, self._flush)

    async def commit(self) -> None:
        """Return once everything noted so far is on disk.

        Raises:
            LeaseLost: it never will be; the execution is somebody else's, or stopped.
        """
        await self._write()
        while self._background:
            await asyncio.wait(self._background)
            if self._nodes or self._entries:
                await self._write()

    async def finish(
        self,
        to_state: ExecutionState,
        *,
        message: str,
        entry: NewLogEntry,
        output: bytes | None = None,
        error: ErrorInfo | None = None,
    ) -> ExecutionStatus:
        """Move the execution to a final state, together with everything noted.

        Raises:
            LeaseLost: it is no longer this run's.
            IllegalTransition: it was paused meanwhile; nothing was written, and the notes are kept.
        """
        if self._background:
            await self.commit()
        self._entries.append(entry)
        try:
            return await self._write(
                from_states=(ExecutionState.RUNNING,), to_state=to_state, message=message, output=output, error=error
            )
        except IllegalTransition:
            self._entries.remove(entry)
            raise

    def _change(
        self,
        nodes: list[NodeRun],
        entries: list[NewLogEntry],
        *,
        from_states: tuple[ExecutionState, ...] = _ACTIVE,
        to_state: ExecutionState | None = None,
        message: str | None = None,
        output: bytes | None = None,
        error: ErrorInfo | None = None,
    ) -> UpdateExecution:
        progress = self.progress
        return UpdateExecution(
            namespace=self._namespace,
            execution_id=self._held.execution_id,
            uid=self._held.uid,
            epoch=self._held.epoch,
            time=self._clock(),
            action="run",
            from_states=from_states,
            to_state=to_state,
            message=message,
            current_node=progress.current_node,
            running_nodes=tuple(progress.running),
            nodes_done=progress.nodes_done,
            ran_for=self._stopwatch.elapsed(),
            output=output,
            error=error,
            nodes=nodes,
            entries=entries,
        )

    def _take(self) -> tuple[int, list[NodeRun], list[NewLogEntry]]:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        self._lingers = 0
        self._writes += 1
        self._written_in.update((node.node_id, self._writes) for node in self._nodes)
        taken = (self._writes, self._nodes, self._entries)
        self._nodes, self._entries = [], []
        return taken

    def _put_back(self, number: int, nodes: list[NodeRun], entries: list[NewLogEntry]) -> None:
        # A later write may have succeeded: its rows must not be overwritten with what came before.
        self._nodes[:0] = [node for node in nodes if self._written_in[node.node_id] == number]
        self._entries[:0] = entries

    async def _write(
        self,
        *,
        from_states: tuple[ExecutionState, ...] = _ACTIVE,
        to_state: ExecutionState | None = None,
        message: str | None = None,
        output: bytes | None = None,
        error: ErrorInfo | None = None,
    ) -> ExecutionStatus:
        if self._is_lost:
            raise LeaseLost
        delay = RETRY_FIRST
        while True:
            number, nodes, entries = self._take()
            change = self._change(
                nodes,
                entries,
                from_states=from_states,
                to_state=to_state,
                message=message,
                output=output,
                error=error,
            )
            write = self._store.update(change)
            try:
                # Who gives up waiting takes nothing back: see ``Store.update``.
                return (await write).status
            except StorageUnavailable:
                self._put_back(number, nodes, entries)
                await asyncio.sleep(delay)
                delay = min(delay * 2, RETRY_MOST)
                if self._is_lost:
                    raise LeaseLost from None
            except IllegalTransition as refused:
                if refused.state == ExecutionState.PAUSED:
                    self._put_back(number, nodes, entries)
                    raise
                self._lose()
                raise LeaseLost from refused
            except (LeaseLost, ExecutionNotFound) as refused:
                self._fenced(refused)
                self._lose()
                raise LeaseLost from refused

    def flush(self) -> None:
        """Hand in what is noted, without waiting for it to be on disk."""
        if self._timer is not None:
            self._timer.cancel()
            self._lingers = MOST_LINGERS
            self._flush()

    def _flush(self) -> None:
        self._timer = None
        if self._lingers < MOST_LINGERS and self._store.backlog > BUSY:
            self._lingers += 1
            self._timer = self._loop.call_later(LINGER, self._flush)
            return
        if self._nodes or self._entries:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Hand in what is noted and how long the execution has run, without waiting for it to be on disk."""
        number, nodes, entries = self._take()
        if self._is_lost:
            return
        write = self._store.update(self._change(nodes, entries))
        self._background.add(write)

        def written(done: asyncio.Future[Updated]) -> None:
            self._background.discard(done)
            error = None if done.cancelled() else done.exception()
            if isinstance(error, StorageUnavailable):
                self._put_back(number, nodes, entries)
                if self._timer is None:
                    self._timer = self._loop.call_later(RETRY_MOST, self._flush)
            elif isinstance(error, ExecsvcError):
                self._fenced(error)
                self._lose()

        write.add_done_callback(written)

    def _fenced(self, refused: ExecsvcError) -> None:
        if isinstance(refused, LeaseLost) and not self._is_lost:
            self.fenced = True
            logger.warning(
                "another server has the lease of execution %s: a write under epoch %d was refused, and its run here is "
                "stopped",
                self._held.execution_id,
                self._held.epoch,
            )

    def _lose(self) -> None:
        if not self._is_lost:
            self._is_lost = True
            self._take()
            self._lost()

    def close(self) -> None:
        """Drop what was noted and not written, note nothing more, and tell nobody of a lease that is lost."""
        self._is_lost = True
        # It leads back to the run, which with all that it holds would have to wait for the collector.
        self._lost = _nobody
        self._take()


def _nobody() -> None:
    """Stand in for who is told of a lost lease."""
