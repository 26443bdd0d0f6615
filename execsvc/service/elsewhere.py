"""Learns what other servers have changed, and tells those here whom it concerns: followers and runs."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final

from execsvc import cancellation
from execsvc.engine import Engine
from execsvc.errors import ExecutionNotFound, StorageUnavailable
from execsvc.model import ExecutionState, ExecutionStatus, NodeRun
from execsvc.service.changes import Changes
from execsvc.store import HEARTBEAT, Beat, Commit, Membership, Store, mark_of

logger = logging.getLogger(__name__)

#: Namespace and execution id.
Key = tuple[str, str]
#: Nothing is known of an execution.
_UNKNOWN: Final = ("", 0)


class Elsewhere:
    """Reads what others say they have changed, where somebody follows it or it runs here.

    With each sign of life all of that is looked at, whether it was told of or not.

    A notification is a hint: what counts is read, and only what is newer than what is known here is told. Use within
    one event loop; ``start`` it, and ``close`` when done.
    """

    def __init__(self, *, store: Store, members: Membership, changes: Changes, engine: Engine) -> None:
        self._store = store
        self._members = members
        self._changes = changes
        self._engine = engine
        #: Marks that were told of and not looked at yet.
        self._told: set[int] = set()
        #: Whether everything is to be looked at.
        self._all = False
        self._wanted = asyncio.Event()
        #: Followed executions by mark.
        self._followed: dict[int, set[Key]] = {}
        #: Their journals as they were last told, where somebody watches nodes.
        self._nodes: dict[Key, dict[str, NodeRun]] = {}
        #: Uid and end of the log of what runs here, as far as it is known here.
        self._known: dict[Key, tuple[str, int]] = {}
        self._hearing: set[Callable[[int, int], None]] = set()
        self._task: asyncio.Task[None] | None = None
        members.on_change(self._on_change)
        members.on_beat(self._on_beat)
        members.on_heard(self._on_heard)
        changes.on_follow(self._on_follow)
        store.listen(self._on_commit)

    def start(self) -> None:
        """Begin to look."""
        self._task = asyncio.create_task(self._keep_looking(), name="execsvc-elsewhere")

    async def close(self) -> None:
        """Look no more."""
        if self._task is not None:
            await cancellation.end(self._task)

    @contextmanager
    def hearing(self, namespace: str, execution_id: str) -> Iterator[Callable[[int], Awaitable[None]]]:
        """Listen for the run of an execution on another server, from before a change of its state is written.

        Yields:
            Waits until the run has heard of what the log says up to a sequence; after a sign of life's time it goes
            without, as where that server is gone.
        """
        mark = mark_of(namespace, execution_id)
        heard = asyncio.Event()
        highest = 0

        def hear(told: int, sequence: int) -> None:
            nonlocal highest
            if told == mark:
                highest = max(highest, sequence)
                heard.set()

        async def wait(sequence: int) -> None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(HEARTBEAT):
                    while highest < sequence:
                        heard.clear()
                        await heard.wait()

        self._hearing.add(hear)
        try:
            yield wait
        finally:
            self._hearing.discard(hear)

    def _on_heard(self, mark: int, sequence: int) -> None:
        for hear in self._hearing:
            hear(mark, sequence)

    def _on_commit(self, commit: Commit) -> None:
        key = (commit.namespace, commit.status.execution_id)
        if key in self._known:
            self._known[key] = (commit.status.uid, commit.status.last_sequence)

    def _on_change(self, marks: frozenset[int]) -> None:
        self._told |= marks
        self._wanted.set()

    def _on_beat(self, beat: Beat) -> None:
        self._all = True
        self._wanted.set()

    def _on_follow(self, namespace: str, execution_id: str) -> None:
        mark = mark_of(namespace, execution_id)
        self._followed.setdefault(mark, set()).add((namespace, execution_id))
        # What is kept of its beginning here may be old: it may have gone on elsewhere.
        self._told.add(mark)
        self._wanted.set()

    async def _keep_looking(self) -> None:
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            told, everything = self._told, self._all
            self._told, self._all = set(), False
            try:
                await self._look(told, everything=everything)
            except StorageUnavailable as error:
                # The next sign of life looks at everything.
                logger.debug("cannot look at what other servers have changed: %s", error)
            except Exception:
                # A bug, but no reason to hear nothing any more.
                logger.exception("looking at what other servers have changed failed")

    async def _look(self, told: set[int], *, everything: bool) -> None:
        live = {(namespace, held.execution_id): held for namespace, held in self._engine.live}
        if everything:
            self._forget(live)
            followed = {key for keys in self._followed.values() for key in keys}
        else:
            followed = {key for mark in told for key in self._followed.get(mark, ())}
            live = {key: held for key, held in live.items() if mark_of(*key) in told}
        keys = [*{*live, *followed}]
        if not keys:
            return
        for key in live:
            # Noted before it is read, so that what is committed here meanwhile counts as newer.
            self._known.setdefault(key, _UNKNOWN)
        found = {(namespace, status.execution_id): status for namespace, status in await self._members.statuses(keys)}
        for key, held in live.items():
            await self._tell_run(key, held, found.get(key))
        for key in followed:
            await self._tell_followers(key, found.get(key))

    def _forget(self, live: dict[Key, ExecutionStatus]) -> None:
        """Drop what concerns nobody any more."""
        self._known = {key: known for key, known in self._known.items() if key in live}
        followed = ((mark, {key for key in keys if self._changes.watch(*key)}) for mark, keys in self._followed.items())
        self._followed = {mark: keys for mark, keys in followed if keys}
        self._nodes = {key: nodes for key, nodes in self._nodes.items() if self._changes.watch(*key)}

    async def _tell_run(self, key: Key, held: ExecutionStatus, status: ExecutionStatus | None) -> None:
        if status is None or status.uid != held.uid:
            self._engine.stop(held.uid)
            return
        uid, sequence = self._known.get(key, _UNKNOWN)
        # Where it is just as new, the run may have written that after a change of state that it has not heard of.
        if uid == status.uid and status.last_sequence < sequence:
            return
        self._known[key] = (status.uid, status.last_sequence)
        self._engine.follow(status)
        if status.state is not ExecutionState.RUNNING:
            await self._members.tell_heard(*key, status.last_sequence)

    async def _tell_followers(self, key: Key, status: ExecutionStatus | None) -> None:
        if status is None:
            self._changes.gone(*key)
            return
        if not self._is_news(key, status):
            return
        watch = self._changes.watch(*key)
        for subscriber in () if watch is None or self._engine.is_live(status.uid) else watch.subscribers:
            # Pieces of answers stay on the server whose models say them.
            subscriber.miss_tokens()
        if watch is None or not watch.wants_nodes:
            self._changes.publish(Commit(namespace=key[0], status=status))
            return
        try:
            execution = await self._store.execution(*key, full=False)
        except ExecutionNotFound:
            self._changes.gone(*key)
            return
        status = execution.status
        before, nodes = self._nodes.get(key, {}), dict(execution.nodes)
        self._nodes[key] = nodes
        if self._is_news(key, status):
            changed = [run for node_id, run in nodes.items() if before.get(node_id) != run]
            self._changes.publish(Commit(namespace=key[0], status=status, nodes=changed))

    def _is_news(self, key: Key, status: ExecutionStatus) -> bool:
        watch = self._changes.watch(*key)
        if watch is None:
            return False
        known = watch.status
        return known is None or known.uid != status.uid or known.last_sequence < status.last_sequence
