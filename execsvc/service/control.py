"""Pausing, resuming, stopping and retrying executions."""

from __future__ import annotations

import asyncio

from execsvc.clock import Clock
from execsvc.engine import Engine
from execsvc.errors import FieldProblem, IllegalTransition, InvalidRequest, QueueFull
from execsvc.model import (
    CONTROL,
    SOMEBODY,
    Actor,
    ControlAction,
    Execution,
    ExecutionState,
    ExecutionStatus,
    LogLevel,
    NewLogEntry,
)
from execsvc.queue import Queue
from execsvc.service.checks import MAX_REASON, id_problems
from execsvc.service.commands import ControlCommand, said_by
from execsvc.service.elsewhere import Elsewhere
from execsvc.service.inputs import check_whole_input
from execsvc.service.limits import Limits
from execsvc.service.stored import stored
from execsvc.service.workflows import Workflows
from execsvc.store import Store, Unfinished, Updated, UpdateExecution

_DONE = {
    ControlAction.PAUSE: "paused",
    ControlAction.RESUME: "resumed",
    ControlAction.STOP: "stopped",
    ControlAction.RETRY: "retried",
}


class Control:
    """Changes the state of executions, and lets engine and queue know. Use within one event loop.

    Args:
        elsewhere: knows of the other servers that share the store; None: there are none.
        audited: whether the audit trail gains a record of each change.
    """

    def __init__(
        self,
        *,
        store: Store,
        queue: Queue,
        engine: Engine,
        workflows: Workflows,
        clock: Clock,
        limits: Limits,
        elsewhere: Elsewhere | None = None,
        audited: bool = False,
    ) -> None:
        self._elsewhere = elsewhere
        self._store = store
        self._queue = queue
        self._engine = engine
        self._workflows = workflows
        self._clock = clock
        self._limits = limits
        self._audited = audited

    async def __call__(self, namespace: str, command: ControlCommand, *, by: Actor = SOMEBODY) -> ExecutionStatus:
        """Change an execution's state; answers once that is on disk and takes effect.

        Args:
            by: who asks, for the log and the audit trail.

        Raises:
            InvalidRequest, ExecutionNotFound: see their texts.
            TooLarge: the input of a retry is.
            QueueFull: a retry would have to wait where as many wait as may.
            IllegalTransition: its state does not allow the action.
            StateChanged: ``expected_state`` is not its state.
            RequestIdReused: the request id belongs to another action.
        """
        action = _checked_action(command)
        execution = await self._store.execution(namespace, command.execution_id, full=False)
        if self._elsewhere is None or not await self._runs_elsewhere(action, execution):
            return await self._carry_out(action, namespace, command, execution, by=by)
        with self._elsewhere.hearing(namespace, command.execution_id) as heard:
            status = await self._carry_out(action, namespace, command, execution, by=by)
            # Once it is answered no node starts there.
            await heard(status.last_sequence)
            return status

    async def _runs_elsewhere(self, action: ControlAction, execution: Execution) -> bool:
        uid, state = execution.status.uid, execution.status.state
        halts = action in (ControlAction.PAUSE, ControlAction.STOP) and state in CONTROL[action][0]
        return halts and not self._engine.is_live(uid) and await self._queue.is_held(uid)

    async def _carry_out(
        self, action: ControlAction, namespace: str, command: ControlCommand, execution: Execution, *, by: Actor
    ) -> ExecutionStatus:
        uid = execution.status.uid
        retried = action is ControlAction.RETRY
        given = await self._input(execution, command) if retried else None
        from_states, to_state = CONTROL[action]
        key = execution.concurrency_key
        full: QueueFull | None = None
        if retried and execution.status.state in from_states:
            full = await self._queue.full_for(namespace, key)
        if full is not None:
            # Whoever repeats a request that was carried out must still get its answer, and nothing else may happen.
            from_states = ()
        # A run that has not ended since its pause goes on in place and still has its slot.
        if action is ControlAction.RESUME and (
            self._engine.is_live(uid) or self._queue.has_slot_for(namespace, key) or await self._queue.is_held(uid)
        ):
            to_state = ExecutionState.RUNNING
        now = self._clock()
        because = f": {command.reason}" if command.reason else ""
        if retried and full is None:
            self._queue.expect(uid, namespace)
        release = self._engine.hold(uid)
        write = self._store.update(
            UpdateExecution(
                namespace=namespace,
                execution_id=command.execution_id,
                uid=uid,
                time=now,
                action=action,
                from_states=from_states,
                to_state=to_state,
                expected_state=command.expected_state,
                request_id=command.request_id,
                message=_DONE[action] + because,
                restart=retried,
                input=given,
                entries=(
                    NewLogEntry(
                        time=now,
                        level=LogLevel.INFO,
                        message=f"execution {_DONE[action]}{because}",
                        metadata={"event": f"execution_{_DONE[action]}", "reason": command.reason, **said_by(by.shown)},
                    ),
                ),
                by=by if self._audited else None,
            )
        )

        def written(done: asyncio.Future[Updated]) -> None:
            if retried:
                self._queue.let_go(uid)
            if not done.cancelled() and done.exception() is None and not done.result().repeated:
                self._take_effect(action, namespace, execution, done.result().status)
            release()

        # No step after the await: a client that gives up waiting must not keep engine and queue from learning of it.
        write.add_done_callback(written)
        try:
            return (await stored(write)).status
        except IllegalTransition:
            if full is not None:
                raise full from None
            raise

    async def _input(self, execution: Execution, command: ControlCommand) -> bytes | None:
        """Check the input a retry brings along. Raises InvalidRequest, TooLarge."""
        if command.input is None:
            return None
        plan = await self._workflows.load(execution.definition_digest, execution.definition)
        given, problems = await check_whole_input(plan, command.input, self._limits, path="retry.input")
        if problems:
            raise InvalidRequest(problems)
        return given

    def _take_effect(
        self, action: ControlAction, namespace: str, execution: Execution, status: ExecutionStatus
    ) -> None:
        uid = status.uid
        if action is ControlAction.PAUSE:
            self._queue.withdraw(uid)
            self._engine.pause(uid)
        elif action is ControlAction.STOP:
            self._queue.withdraw(uid)
            self._engine.stop(uid)
        elif action is ControlAction.RETRY or not self._engine.unpause(uid):
            self._queue.offer(
                Unfinished(
                    namespace=namespace,
                    execution_id=status.execution_id,
                    uid=uid,
                    state=status.state,
                    priority=execution.priority,
                    create_time=status.create_time,
                    concurrency_key=execution.concurrency_key,
                )
            )


def _checked_action(command: ControlCommand) -> ControlAction:
    problems = [
        *id_problems("execution_id", command.execution_id, required=True),
        *id_problems("request_id", command.request_id),
    ]
    if len(command.reason) > MAX_REASON:
        message = f"has {len(command.reason)} characters; at most {MAX_REASON} are allowed"
        problems.append(FieldProblem(path="reason", reason="TOO_LONG", message=message))
    if command.action is None:
        message = "is required: set one of " + ", ".join(ControlAction)
        problems.append(FieldProblem(path="action", reason="REQUIRED", message=message))
    if problems or command.action is None:
        raise InvalidRequest(problems)
    return command.action
