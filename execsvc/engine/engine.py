"""Runs the executions whose lease this process holds, and passes control on to them."""

from __future__ import annotations

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from execsvc.clock import Clock
from execsvc.definition import BUILTIN, NodeTypes, Plan, load_plan
from execsvc.engine.events import Observer, RunEnded
from execsvc.engine.lanes import Lanes
from execsvc.engine.nodes.executor import Executors
from execsvc.engine.run import ExecutionRun
from execsvc.errors import ExecsvcError, ExecutionNotFound, StorageUnavailable
from execsvc.model import ErrorInfo, ExecutionState, ExecutionStatus, LogLevel, NewLogEntry
from execsvc.store import Claim, Store, UpdateExecution

logger = logging.getLogger(__name__)

#: Seconds until an execution that the database could not read is read again.
REREAD: Final = 0.5
#: Plans kept for executions to come, least recently used first out.
PLANS: Final = 256


class Engine:
    """Runs executions on LangGraph. Use within one event loop; ``close`` when done.

    Args:
        node_types: every type a stored definition may name.
        executors: by node type.
        observers: told of every change of a node, of tokens, and of the end of each run.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        executors: Executors,
        node_types: NodeTypes = BUILTIN,
        observers: tuple[Observer, ...] = (),
    ) -> None:
        self._store = store
        self._clock = clock
        self._node_types = node_types
        self._executors = executors
        self._observers = observers
        self._lanes = Lanes()
        self._runs: dict[str, ExecutionRun] = {}
        #: Executions whose record is being read: by uid, whether they may still run once it is.
        self._starting: dict[str, bool] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._plans: OrderedDict[str, Plan] = OrderedDict()

    def remember(self, plan: Plan) -> None:
        """Keep a plan, so that its definition need not be compiled again to be run."""
        self._plans[plan.digest] = plan
        self._plans.move_to_end(plan.digest)
        if len(self._plans) > PLANS:
            self._plans.popitem(last=False)

    def _plan(self, claim: Claim) -> Plan:
        plan = self._plans.get(claim.definition_digest)
        if plan is None:
            plan = load_plan(claim.definition, types=self._node_types)
            self.remember(plan)
        return plan

    async def run(self, namespace: str, held: ExecutionStatus, fresh: Claim | None = None) -> None:
        """Run an execution whose lease was just taken, until it ends, is paused, or is taken away.

        Args:
            held: the execution as of the claim.
            fresh: what the store would answer for it, where that is known because it has never run.
        """
        uid = held.uid
        state = ExecutionState.RUNNING
        self._starting[uid] = True
        try:
            claim = fresh or await self._read(namespace, held)
            if claim is None or self._draining or not self._starting[uid]:
                return
            plan = self._plan(claim)
        except Exception as error:
            logger.exception("execution %s cannot be run", held.execution_id)
            await self._refuse(namespace, held, error)
            return
        finally:
            del self._starting[uid]
        run = ExecutionRun(
            store=self._store,
            clock=self._clock,
            lanes=self._lanes,
            executors=self._executors,
            observers=self._observers,
            namespace=namespace,
            claim=claim,
            plan=plan,
        )
        self._runs[uid] = run
        self._idle.clear()
        try:
            state = await run.run()
        except Exception as error:
            # A bug, but no reason to leave an execution RUNNING with nobody to run it.
            logger.exception("the engine failed in execution %s", held.execution_id)
            state = ExecutionState.FAILED
            await self._refuse(namespace, held, error)
        finally:
            if self._runs.get(uid) is run:
                del self._runs[uid]
            if not self._runs:
                self._idle.set()
            ended = RunEnded(namespace=namespace, execution_id=held.execution_id, uid=uid, state=state)
            for observer in self._observers:
                observer(ended)

    async def _read(self, namespace: str, held: ExecutionStatus) -> Claim | None:
        """Read what was claimed, however long the database takes; None if there is nothing to be run any more."""
        while True:
            try:
                return await self._store.claimed(namespace, held)
            except ExecutionNotFound:
                return None
            except StorageUnavailable as error:
                if self._draining:
                    return None
                logger.warning("cannot read execution %s: %s", held.execution_id, error)
                await asyncio.sleep(REREAD)

    async def _refuse(self, namespace: str, held: ExecutionStatus, error: Exception) -> None:
        reason = error.message if isinstance(error, ExecsvcError) else type(error).__name__
        info = ErrorInfo(type="DEFINITION_UNUSABLE", message=f"the stored execution cannot be run: {reason}")
        await self._store.update(
            UpdateExecution(
                namespace=namespace,
                execution_id=held.execution_id,
                uid=held.uid,
                epoch=held.epoch,
                time=self._clock(),
                action="run",
                from_states=(ExecutionState.RUNNING,),
                to_state=ExecutionState.FAILED,
                message=info.message,
                error=info,
                entries=(NewLogEntry(time=self._clock(), level=LogLevel.ERROR, message=info.message),),
            )
        )

    def is_live(self, uid: str) -> bool:
        """Whether a run of the execution is under way here."""
        return uid in self._runs or uid in self._starting

    def hold(self, uid: str) -> Callable[[], None]:
        """Start no node until the answered function is called, and hand in what the run has noted.

        Around the write of a change of state, so that the log has everything in the order in which it happened.
        """
        run = self._runs.get(uid)
        if run is None:
            return lambda: None
        run.hold()
        return run.release

    def pause(self, uid: str) -> None:
        """Let nodes under way finish and start none; the state is already PAUSED."""
        run = self._runs.get(uid)
        if run is not None:
            run.pause()
        elif uid in self._starting:
            self._starting[uid] = False

    def unpause(self, uid: str) -> bool:
        """Go on with a run that has not ended since its pause; answers whether there was one."""
        run = self._runs.get(uid)
        if run is None and uid in self._starting and not self._draining:
            self._starting[uid] = True
            return True
        return run is not None and run.unpause()

    def stop(self, uid: str) -> None:
        """Cancel what is under way; the state is already STOPPED."""
        run = self._runs.get(uid)
        if run is not None:
            run.cut()
        elif uid in self._starting:
            self._starting[uid] = False

    async def drain(self, grace: float) -> None:
        """Start no more nodes, wait up to ``grace`` seconds for those under way, then cut them off.

        Executions stay RUNNING and go on at the next start; a node that was cut off runs again.
        """
        self._draining = True
        for run in list(self._runs.values()):
            run.drain()
        try:
            async with asyncio.timeout(grace):
                await self._idle.wait()
        except TimeoutError:
            logger.warning("%d executions still had nodes under way after %g s", len(self._runs), grace)
            for run in list(self._runs.values()):
                run.cut()
            await self._idle.wait()

    async def close(self) -> None:
        """Let go of everything; call ``drain`` first."""
        await self._lanes.close()
        for executor in self._executors.values():
            close = getattr(executor, "aclose", None)
            if close is not None:
                await close()
