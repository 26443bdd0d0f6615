"""One execution under way: starts nodes as data allows, records results, and ends in a state."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, cast

import orjson

from execsvc.clock import Clock
from execsvc.definition import Plan, PlanNode, load_retry
from execsvc.egress.network import Network
from execsvc.engine.attempt import Failure, Success, attempt_in_lane, attempt_inline, backoff, encode
from execsvc.engine.deadline import Deadline
from execsvc.engine.events import Observer, TokenListener
from execsvc.engine.flow import Flow
from execsvc.engine.journal import Journal
from execsvc.engine.lanes import Lanes
from execsvc.engine.messages import bounded
from execsvc.engine.nodes.executor import EffectNode, Executors, NodeContext, NodeError, PureNode
from execsvc.engine.recorder import Recorder, total
from execsvc.engine.results import Results
from execsvc.engine.scope import result_of, scope_of
from execsvc.engine.stopwatch import Stopwatch
from execsvc.engine.tracing import RunTrace
from execsvc.errors import IllegalTransition, LeaseLost
from execsvc.model import ErrorInfo, ExecutionState, LogLevel, NewLogEntry, NodeState, TokenUsage
from execsvc.record import record
from execsvc.redaction import Redaction
from execsvc.secrets import Revealed, Secrets
from execsvc.store import Claim, Store

logger = logging.getLogger(__name__)

#: Seconds of inline work after which the event loop gets a turn.
TURN: Final = 0.002
#: Bytes of results that may wait for the disk while nodes go on that nobody else waits for.
UNWRITTEN: Final = 4 * 1024 * 1024


@record(frozen=True, slots=True, kw_only=True)
class _Attempt:
    """An attempt of a node that is to be made."""

    number: int
    #: Attempts made that its retry policy does not count.
    before: int = 0
    #: Whether it was begun before and cut off.
    again: bool = False
    #: When it is due, on the clock; None: at once.
    due: int | None = None
    #: Tokens used by the attempts before.
    spent: TokenUsage | None = None


class ExecutionRun:
    """Runs one claimed execution until it ends, is paused, or is no longer this engine's.

    All methods belong to the event loop; ``hold``, ``pause``, ``cut`` and the like are called while ``run`` is
    under way. Fields below are changed by this class alone, between awaits.
    """

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        lanes: Lanes,
        executors: Executors,
        network: Network,
        observers: tuple[Observer, ...],
        on_token: TokenListener | None,
        in_doubt: Callable[[], bool],
        secrets: Secrets,
        redaction: Redaction,
        namespace: str,
        claim: Claim,
        plan: Plan,
        max_results: int,
        trace: RunTrace | None = None,
    ) -> None:
        self._results = Results(max_results)
        #: Bytes of those of pure nodes that nobody has waited for yet.
        self._unwritten = 0
        self._trace = trace
        self._in_doubt = in_doubt
        self._secrets = secrets
        self.namespace = namespace
        #: The execution as of the claim.
        self.held = claim.status
        self._clock = clock
        self._lanes = lanes
        self._executors = executors
        self._network = network
        self._claim = claim
        self._plan = plan
        self._stopwatch = Stopwatch(clock, ran_for=claim.ran_for)
        self._journal = Journal(store, clock, namespace, claim.status, stopwatch=self._stopwatch, lost=self.cut)
        self._recorder = Recorder(
            journal=self._journal,
            clock=clock,
            observers=observers if trace is None or trace.observer is None else (*observers, trace.observer),
            on_token=on_token,
            namespace=namespace,
            held=claim.status,
            redaction=redaction,
        )
        self._flow = Flow(plan)
        self._outputs: dict[str, Any] = {}
        self._scope = scope_of(claim, plan, self._outputs)
        self._effects: dict[asyncio.Task[None], PlanNode] = {}
        self._wake = asyncio.Event()
        self._failure: ErrorInfo | None = None
        #: Set while no node may start: paused, or the server is going down.
        self._holding = asyncio.Event()
        #: Changes of state that are being written; no node starts meanwhile.
        self._deciding = 0
        #: Attempts that a pause kept from starting, by node id.
        self._next_attempt: dict[str, _Attempt] = {}
        self._default_retry = None if claim.retry is None else load_retry(claim.retry)
        self._draining = False
        self._cut = self._superseded = False
        self._deadline = Deadline()
        #: Whether ``run`` may still start or record anything.
        self.live = True

    @property
    def failure(self) -> ErrorInfo | None:
        """Why the execution fails, if it does."""
        return self._failure

    @property
    def superseded(self) -> bool:
        """Whether another run has the execution by now."""
        return self._superseded or self._journal.fenced

    def supersede(self) -> None:
        """End at once: another run has the execution."""
        self._superseded = True
        self.cut()

    @property
    def paused(self) -> bool:
        """Whether no node may start until ``unpause``."""
        return self._holding.is_set() and not self._draining

    def pause(self) -> None:
        """Start no more nodes; ``run`` returns once those under way have ended. The state is already PAUSED."""
        self._stopwatch.stop()
        self._deadline.disarm()
        self._holding.set()
        self._wake.set()

    def unpause(self) -> bool:
        """Go on in place, if ``run`` has not ended yet. The state is already RUNNING again."""
        if not self.live or self._cut or self._draining:
            return False
        if not self._holding.is_set():
            # It was told twice, here and by way of the database.
            return True
        self._stopwatch.start()
        self._arm_deadline()
        self._holding.clear()
        self._wake.set()
        return True

    def hold(self) -> None:
        """Start no node until ``release``, and hand in what has happened so far: a change of state is being written."""
        self._deciding += 1
        self._journal.flush()

    def release(self) -> None:
        """The change of state is written and has taken effect, or was refused."""
        self._deciding -= 1
        self._wake.set()

    @property
    def _held_back(self) -> bool:
        return self._deciding > 0 or self._holding.is_set()

    def drain(self) -> None:
        """Start no more nodes, and leave the execution RUNNING for the next server."""
        self._draining = True
        self._holding.set()
        self._wake.set()

    def cut(self) -> None:
        """End at once: cancel what is under way and record nothing more."""
        if self._draining and not self._cut:
            self._journal.checkpoint()
        self._cut = True
        self._journal.close()
        self._cancel_effects()
        self._wake.set()

    async def run(self) -> ExecutionState:
        """Run to the end.

        Returns:
            The state the execution is left in; RUNNING where another run has to go on with it.
        """
        try:
            # First, since a pause that comes during the replay disarms it.
            self._arm_deadline()
            await self._replay()
            while True:
                await self._drive()
                if self._cut:
                    return ExecutionState.RUNNING if self._draining else ExecutionState.STOPPED
                if self._holding.is_set():
                    await self._journal.commit()
                    if self._holding.is_set():
                        return ExecutionState.RUNNING if self._draining else ExecutionState.PAUSED
                    continue
                try:
                    return await self._end()
                except IllegalTransition:
                    # A pause came first: what there is stays recorded, and the end waits for the resume, which may
                    # have come as well by now.
                    continue
        except LeaseLost:
            return ExecutionState.RUNNING if self._draining else ExecutionState.STOPPED
        finally:
            self.live = False
            self._deadline.disarm()
            self._cancel_effects()
            if self._effects:
                await asyncio.gather(*self._effects, return_exceptions=True)
            self._journal.close()

    # Scheduling

    async def _replay(self) -> None:
        """Settle what the journal holds; recorded nodes answer from it and never run again."""
        journal = self._claim.nodes
        progress = self._journal.progress
        # What a write meanwhile says.
        progress.nodes_done, progress.current_node = self.held.nodes_done, self.held.current_node
        loop = asyncio.get_running_loop()
        turn_ends = loop.time() + TURN
        for node in self._plan.nodes:
            recorded = journal.get(node.id)
            if recorded is None:
                continue
            if loop.time() > turn_ends:
                # What was recorded may be megabytes.
                await asyncio.sleep(0)
                turn_ends = loop.time() + TURN
            if recorded.state is NodeState.COMPLETED:
                output = recorded.output or b"null"
                self._results.recorded(output)
                self._outputs[node.id] = orjson.loads(output)
                self._flow.finish(node, recorded.branch)
                progress.current_node = node.id
            elif recorded.state is NodeState.FAILED and recorded.error is not None:
                self._failure = recorded.error
        progress.nodes_done = self._flow.done

    async def _drive(self) -> None:
        loop = asyncio.get_running_loop()
        turn_ends = loop.time() + TURN
        while not self._cut:
            while self._flow.ready and not (self._failure or self._held_back or self._cut):
                node = self._flow.ready.popleft()
                if self._flow.is_settled(node):
                    continue
                if node.effect:
                    effect = asyncio.create_task(self._run_effect(node))
                    self._effects[effect] = node
                    effect.add_done_callback(self._effect_ended)
                else:
                    self._run_pure(node)
                    if self._unwritten > UNWRITTEN:
                        # Else a long row of large ones would take as much memory as they have bytes, several times.
                        await self._journal.commit()
                        self._unwritten = 0
                        turn_ends = loop.time() + TURN
                    elif loop.time() > turn_ends:
                        await asyncio.sleep(0)
                        turn_ends = loop.time() + TURN
            if self._failure and not self._holding.is_set():
                self._cancel_effects()
            if not (self._effects or self._deciding):
                return
            self._wake.clear()
            await self._wake.wait()
            turn_ends = loop.time() + TURN

    def _effect_ended(self, effect: asyncio.Task[None]) -> None:
        node = self._effects.pop(effect)
        self._wake.set()
        if effect.cancelled():
            return
        error = effect.exception()
        if isinstance(error, LeaseLost) or error is None:
            return
        logger.error("the engine failed at node %s of %s", node.id, self.held.execution_id, exc_info=error)
        self._failure = ErrorInfo(type="INTERNAL", message="the engine failed", node_id=node.id)

    def _cancel_effects(self) -> None:
        for effect in self._effects:
            effect.cancel()

    # Nodes

    def _context(self, node: PlanNode, attempt: int, before: int) -> NodeContext:
        def log(level: LogLevel, message: str, metadata: Mapping[str, Any]) -> None:
            self._recorder.log(node, attempt, level, message, metadata)

        def emit_token(text: str) -> None:
            if self.live and not self._cut:
                self._recorder.token(node, attempt, text)

        return NodeContext(
            execution_id=self.held.execution_id,
            node_id=node.id,
            attempt=attempt,
            idempotency_key=f"{self.held.uid}/{node.id}/{attempt}",
            series_key=f"{self.held.uid}/{node.id}/{before + 1}",
            scope=self._scope,
            log=log,
            emit_token=emit_token,
            network=self._network,
            predecessors=node.predecessors,
            trace=None if self._trace is None else self._trace.attempt(node.id),
        )

    def _run_pure(self, node: PlanNode) -> None:
        executor = cast(PureNode, self._executors[node.type])
        attempt = self._first_attempt(node)
        started = self._clock()
        context = self._context(node, attempt.number, attempt.before)
        outcome = self._results.take(attempt_inline(executor, node, context), context)
        if isinstance(outcome, Failure):
            self._fail(node, outcome, attempt, started=started)
            fallback = _fallback(node)
            if fallback is None:
                return
            outcome = fallback
        else:
            self._unwritten += len(outcome.output)
            self._completed(node, outcome, attempt, started=started)
        self._settle(node, outcome)

    async def _run_effect(self, node: PlanNode) -> None:
        executor = cast(EffectNode, self._executors[node.type])
        policy = node.retry or self._default_retry
        attempt = self._first_attempt(node)
        while True:
            await self._until_due(attempt)
            if self._in_doubt():
                # Another server may have the lease, and have recorded this very node: a write under it tells.
                await self._journal.commit()
            if self._held_back:
                # An attempt not yet started waits for the resume, in this run or another.
                self._next_attempt[node.id] = attempt
                self._flow.ready.append(node)
                return
            number, before = attempt.number, attempt.before
            started = self._clock()
            self._recorder.started(node, number, started, before=before, again=attempt.again, spent=attempt.spent)
            outcome: Success | Failure | None
            context = self._context(node, number, before)
            outcome = await attempt_in_lane(self._lanes, executor, node, context, reveal=self._reveal)
            outcome = self._results.take(outcome, context)
            if isinstance(outcome, Success):
                self._completed(node, outcome, attempt, started=started)
                break
            error = outcome.error
            repeatable = error.retryable and policy is not None and error.type not in policy.non_retryable
            if policy is None or not repeatable or number - before >= policy.max_attempts:
                self._fail(node, outcome, attempt, started=started)
                outcome = _fallback(node)
                if outcome is None:
                    return
                break
            delay = backoff(policy, outcome, before=before)
            due = self._clock() + round(delay * 1e6)
            attempts = before + policy.max_attempts
            self._recorder.will_retry(
                node,
                outcome,
                before=before,
                started=started,
                due=due,
                delay=delay,
                attempts=attempts,
                spent=attempt.spent,
            )
            attempt = _Attempt(number=number + 1, before=before, due=due, spent=total(attempt.spent, outcome.usage))
        # On disk before anything that depends on it starts.
        await self._journal.commit()
        self._settle(node, outcome)

    async def _reveal(self, names: tuple[str, ...]) -> Revealed:
        return await self._secrets.reveal(self.namespace, names)

    def _first_attempt(self, node: PlanNode) -> _Attempt:
        """The attempt to begin or go on with."""
        if node.id in self._next_attempt:
            return self._next_attempt.pop(node.id)
        recorded = self._claim.nodes.get(node.id)
        if recorded is None:
            return _Attempt(number=1)
        if recorded.state is NodeState.PENDING:
            return _Attempt(
                number=recorded.attempt + 1,
                before=recorded.attempts_before,
                due=recorded.retry_time,
                spent=recorded.usage,
            )
        # Cut off by a crash: run again under its own number and idempotency key.
        return _Attempt(
            number=max(1, recorded.attempt), before=recorded.attempts_before, again=True, spent=recorded.usage
        )

    async def _until_due(self, attempt: _Attempt) -> None:
        """Wait until an attempt is due, or no attempt may start."""
        left = 0 if attempt.due is None else attempt.due - self._clock()
        if left > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(left / 1e6):
                    await self._holding.wait()

    def _completed(self, node: PlanNode, outcome: Success, attempt: _Attempt, *, started: int) -> None:
        self._recorder.completed(
            node, outcome, attempt=attempt.number, before=attempt.before, started=started, spent=attempt.spent
        )

    def _fail(self, node: PlanNode, failure: Failure, attempt: _Attempt, *, started: int) -> None:
        self._recorder.failed(node, failure, before=attempt.before, started=started, spent=attempt.spent)
        if not node.on_error.proceed and self._failure is None:
            self._failure = failure.error
            self._wake.set()

    def _settle(self, node: PlanNode, outcome: Success) -> None:
        self._outputs[node.id] = outcome.value
        for skipped in self._flow.finish(node, outcome.branch):
            self._recorder.skipped(skipped)

    # The end

    def _arm_deadline(self) -> None:
        timeout = self._claim.timeout
        if timeout is not None:
            left = (timeout - self._stopwatch.elapsed()) / 1e6
            self._deadline.arm(left, passed=self._deadline_passed, checkpoint=self._journal.checkpoint)

    def _deadline_passed(self) -> None:
        # Running, or else between two attempts, or else about to start.
        running = list(self._journal.progress.running) or [node.id for node in self._effects.values()]
        waiting = running or [node.id for node in self._flow.ready]
        seconds = (self._claim.timeout or 0) / 1e6
        at = f" at node {', '.join(waiting[:5])}" if waiting else ""
        self._failure = self._failure or ErrorInfo(
            type="DEADLINE_EXCEEDED",
            message=f"not done within the execution's timeout of {seconds:g} s{at}",
            node_id=waiting[0] if waiting else "",
        )
        self._wake.set()

    async def _end(self) -> ExecutionState:
        """Move to the final state. Raises IllegalTransition where a pause came first, LeaseLost where a stop did."""
        if self._failure is None and not self._flow.complete:
            self._failure = ErrorInfo(type="INTERNAL", message="the engine left nodes undecided")
            logger.error("undecided nodes in execution %s", self.held.execution_id)
        output = b""
        if self._failure is None:
            try:
                output = encode(result_of(self._plan, self._outputs))
            except NodeError as error:
                self._failure = ErrorInfo(type=error.type, message=error.message)
        failure = self._failure
        if failure is not None:
            where = f"node {failure.node_id!r} failed: " if failure.node_id and failure.attempt else ""
            message = bounded(f"{where}{failure.type}: {failure.message}")
            metadata: dict[str, Any] = {"event": "execution_failed", "error_type": failure.type}
            entry = self._state_entry(LogLevel.ERROR, f"execution failed: {message}", metadata)
            await self._journal.finish(ExecutionState.FAILED, message=message, entry=entry, error=failure)
            return ExecutionState.FAILED
        elapsed = self._stopwatch.elapsed() / 1000
        metadata = {"event": "execution_completed", "duration_ms": elapsed}
        entry = self._state_entry(LogLevel.INFO, "execution completed", metadata)
        await self._journal.finish(ExecutionState.COMPLETED, message="completed", entry=entry, output=output)
        return ExecutionState.COMPLETED

    def _state_entry(self, level: LogLevel, message: str, metadata: Mapping[str, Any]) -> NewLogEntry:
        return NewLogEntry(time=self._clock(), level=level, message=message, metadata=metadata)


def _fallback(node: PlanNode) -> Success | None:
    if not node.on_error.proceed:
        return None
    value = node.on_error.fallback
    return Success(value=value, output=encode(value), branch=None, usage=None)
