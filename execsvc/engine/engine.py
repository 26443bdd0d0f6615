"""Runs the executions whose lease this process holds, and passes control on to them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Final

from execsvc.clock import Clock
from execsvc.definition import BUILTIN, NodeTypes, Plan, Plans, load_plan
from execsvc.egress.network import Network
from execsvc.engine.events import Observer, RunEnded, TokenListener
from execsvc.engine.lanes import Lanes
from execsvc.engine.nodes.executor import Executors
from execsvc.engine.run import ExecutionRun
from execsvc.engine.tracing import Tracing
from execsvc.errors import ExecsvcError, ExecutionNotFound, IllegalTransition, LeaseLost, StorageUnavailable
from execsvc.model import ErrorInfo, ExecutionState, ExecutionStatus, LogLevel, NewLogEntry
from execsvc.redaction import OPEN, Redaction
from execsvc.secrets import Secrets
from execsvc.store import Claim, Store, UpdateExecution

logger = logging.getLogger(__name__)

#: Seconds until an execution that the database could not read is read again.
REREAD: Final = 0.5


@dataclass(slots=True, eq=False)
class _Start:
    """An execution whose record is being read."""

    namespace: str
    #: As of the claim.
    held: ExecutionStatus
    #: Whether it may still run once it is.
    allowed: bool = True


class Engine:
    """Runs executions on LangGraph. Use within one event loop; ``close`` when done.

    Args:
        node_types: every type a stored definition may name.
        executors: by node type.
        network: what nodes may call outside; any public host where none is given. Closed with the engine.
        observers: told of every change of a node, and of the end of each run.
        on_token: told of every piece of a model's answer.
        tracing: told of every run; None: nobody traces.
        in_doubt: whether other servers may have taken the leases over, as after this process was suspended.
        secrets: what definitions may name by ``secret:NAME``.
        redaction: what of nodes' log entries is not kept.
        max_results: bytes of JSON text that the results of an execution's nodes may have together.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        executors: Executors,
        max_results: int,
        node_types: NodeTypes = BUILTIN,
        network: Network | None = None,
        observers: tuple[Observer, ...] = (),
        on_token: TokenListener | None = None,
        in_doubt: Callable[[], bool] = lambda: False,
        secrets: Secrets | None = None,
        redaction: Redaction = OPEN,
        tracing: Tracing | None = None,
    ) -> None:
        self._max_results = max_results
        self._redaction = redaction
        self._tracing = tracing
        self._in_doubt = in_doubt
        self._secrets = secrets or Secrets()
        self._store = store
        self._clock = clock
        self._node_types = node_types
        self._executors = executors
        self._network = network or Network()
        self._observers = observers
        self._on_token = on_token
        self._lanes = Lanes()
        self._runs: dict[str, ExecutionRun] = {}
        #: Executions whose record is being read, by uid.
        self._starting: dict[str, _Start] = {}
        #: Changes of state that are being written, by uid.
        self._holds: dict[str, int] = {}
        self._idle = asyncio.Event()
        self._idle.set()
        self._draining = False
        self._plans = Plans()

    def remember(self, plan: Plan) -> None:
        """Keep a plan, so that its definition need not be compiled again to be run."""
        self._plans.keep(plan.digest, plan)

    async def _compiled(self, claim: Claim) -> Plan:
        compile = partial(load_plan, claim.definition, types=self._node_types)
        return await self._plans.compiled(claim.definition_digest, len(claim.definition), compile)

    async def run(self, namespace: str, held: ExecutionStatus, fresh: Claim | None = None) -> ExecutionState:
        """Run an execution whose lease was just taken, until it ends, is paused, or is taken away.

        Returns:
            The state it is left in, as far as is known here; RUNNING where somebody may have to go on with it.

        Args:
            held: the execution as of the claim.
            fresh: what the store would answer for it, where that is known because it has never run.
        """
        uid = held.uid
        state = ExecutionState.RUNNING
        start = self._starting[uid] = _Start(namespace, held)
        try:
            claim = fresh or await self._read(namespace, held)
            plan = begin = None
            if claim is not None:
                plan = self._plans.get(claim.definition_digest) or await self._compiled(claim)
            if self._tracing is not None and claim is not None:
                begin = await self._tracing.prepare(namespace, claim, self._store)
            if claim is None or plan is None or self._draining or not start.allowed:
                return state
        except Exception as error:
            logger.exception("execution %s cannot be run", held.execution_id)
            await self._refuse(namespace, held, error)
            return state
        finally:
            # After a stop and a retry another one may have begun.
            if self._starting.get(uid) is start:
                del self._starting[uid]
        trace = None if begin is None else begin()
        run = ExecutionRun(
            store=self._store,
            clock=self._clock,
            lanes=self._lanes,
            executors=self._executors,
            network=self._network,
            observers=self._observers,
            on_token=self._on_token,
            in_doubt=self._in_doubt,
            secrets=self._secrets,
            redaction=self._redaction,
            namespace=namespace,
            claim=claim,
            plan=plan,
            max_results=self._max_results,
            trace=trace,
        )
        # A run that begins while a change of state is being written starts no node either.
        for _ in range(self._holds.get(uid, 0)):
            run.hold()
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
            if trace is not None:
                goes_on = state is ExecutionState.RUNNING or run.superseded
                trace.ended(None if goes_on else state, run.failure if state is ExecutionState.FAILED else None)
        return state

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
        now = self._clock()
        entry = NewLogEntry(
            time=now,
            level=LogLevel.ERROR,
            message=info.message,
            metadata={"event": "execution_failed", "error_type": info.type},
        )
        change = UpdateExecution(
            namespace=namespace,
            execution_id=held.execution_id,
            uid=held.uid,
            epoch=held.epoch,
            time=now,
            action="run",
            from_states=(ExecutionState.RUNNING,),
            to_state=ExecutionState.FAILED,
            message=info.message,
            error=info,
            entries=(entry,),
        )
        # However long the database takes: nobody else would end it.
        while not self._draining:
            try:
                await self._store.update(change)
                return
            except (ExecutionNotFound, IllegalTransition, LeaseLost):
                # Somebody else has changed it meanwhile, and that counts.
                return
            except StorageUnavailable as failure:
                logger.warning("cannot end execution %s: %s", held.execution_id, failure)
                await asyncio.sleep(REREAD)

    def is_live(self, uid: str) -> bool:
        """Whether a run of the execution is under way here."""
        return uid in self._runs or uid in self._starting

    def hold(self, uid: str) -> Callable[[], None]:
        """Start no node until the answered function is called, and hand in what the run has noted.

        Around the write of a change of state, so that the log has everything in the order in which it happened.
        """
        self._holds[uid] = self._holds.get(uid, 0) + 1
        if (run := self._runs.get(uid)) is not None:
            run.hold()

        def release() -> None:
            self._holds[uid] -= 1
            if not self._holds[uid]:
                del self._holds[uid]
            if (run := self._runs.get(uid)) is not None:
                run.release()

        return release

    def pause(self, uid: str) -> None:
        """Let nodes under way finish and start none; the state is already PAUSED."""
        # Beside one that starts, another run can only be one on its way out.
        if uid in self._starting:
            self._starting[uid].allowed = False
        elif uid in self._runs:
            self._runs[uid].pause()

    def unpause(self, uid: str) -> bool:
        """Go on with a run that has not ended since its pause; answers whether there was one."""
        if uid in self._starting and not self._draining:
            self._starting[uid].allowed = True
            return True
        return uid in self._runs and self._runs[uid].unpause()

    def stop(self, uid: str) -> None:
        """Cancel what is under way; the state is already STOPPED."""
        if uid in self._starting:
            self._starting[uid].allowed = False
        elif uid in self._runs:
            self._runs[uid].cut()

    @property
    def live(self) -> list[tuple[str, ExecutionStatus]]:
        """The runs that are under way here: namespace, and the execution as of the claim."""
        starting = [(start.namespace, start.held) for start in self._starting.values()]
        return starting + [(run.namespace, run.held) for run in self._runs.values()]

    def follow(self, status: ExecutionStatus) -> None:
        """Do in a run what was decided about its execution elsewhere.

        Args:
            status: the execution, newer than anything this process has written of it.
        """
        start, run = self._starting.get(status.uid), self._runs.get(status.uid)
        held = start.held if start is not None else run.held if run is not None else None
        if held is None:
            return
        if status.epoch > held.epoch:
            logger.warning(
                "another server has the lease of execution %s (epoch %d, here %d): its run here is stopped",
                held.execution_id,
                status.epoch,
                held.epoch,
                extra={"execution_id": held.execution_id},
            )
            if run is not None:
                run.supersede()
            self.stop(status.uid)
        elif status.state.terminal:
            self.stop(status.uid)
        elif status.state is ExecutionState.PAUSED:
            self.pause(status.uid)
        elif status.state is ExecutionState.RUNNING and (start is not None or (run is not None and run.paused)):
            self.unpause(status.uid)

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
        await self._network.aclose()
