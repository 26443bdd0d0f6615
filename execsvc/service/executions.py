"""Starting, asking after and controlling executions."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import orjson

from execsvc.clock import Clock
from execsvc.definition import Plan, Problems, RetryPolicy, canonical_retry, parse_retry
from execsvc.engine import Engine
from execsvc.errors import (
    ExecsvcError,
    ExecutionExists,
    ExecutionNotFound,
    FieldProblem,
    InvalidRequest,
    ServerDraining,
)
from execsvc.model import (
    SOMEBODY,
    Actor,
    Execution,
    ExecutionRequest,
    ExecutionState,
    ExecutionStatus,
    LogLevel,
    NewLogEntry,
)
from execsvc.queue import Queue
from execsvc.record import record
from execsvc.service.checks import execute_problems, require_id
from execsvc.service.commands import ExecuteCommand, said_by
from execsvc.service.inputs import check_whole_input
from execsvc.service.limits import Limits
from execsvc.service.quotas import Quotas
from execsvc.service.stored import stored
from execsvc.service.workflows import Workflows
from execsvc.store import Claim, Created, CreateExecution, Store, Unfinished

#: Bytes of input that are kept in memory while an execution waits; more is read again when it starts.
KEPT_INPUT: Final = 4096


@record(frozen=True, slots=True)
class _Checked:
    """What a valid request comes down to."""

    plan: Plan
    #: JSON text, keys sorted.
    input: bytes
    #: Canonical JSON text of the default retry policy.
    retry: bytes | None


class Executions:
    """The use cases around one execution. Use within one event loop.

    Args:
        new_uid: makes an id that is unique for ever.
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
        new_uid: Callable[[], str],
        quotas: Quotas,
        audited: bool = False,
    ) -> None:
        self._store = store
        self._queue = queue
        self._engine = engine
        self._workflows = workflows
        self._clock = clock
        self._limits = limits
        self._new_uid = new_uid
        self._quotas = quotas
        self._audited = audited
        self._draining = False

    @property
    def draining(self) -> bool:
        """Whether the server goes down and takes no new executions."""
        return self._draining

    def drain(self) -> None:
        """Take no new executions."""
        self._draining = True

    async def execute(self, namespace: str, command: ExecuteCommand, *, by: Actor = SOMEBODY) -> ExecutionStatus | None:
        """Store and queue an execution; answers once that is on disk, with None if it was only to be validated.

        Repeating the same command answers where the execution stands, so it is safe to retry when it has an id.

        Args:
            by: who asks, for the log and the audit trail.

        Raises:
            InvalidRequest: with every problem of every field.
            WorkflowNotFound: the stored workflow it names is not there.
            TooLarge: the definition or the input is.
            ExecutionExists: the id was used with another request.
            NamespaceFull: as many executions of the namespace are on record as may be.
            QueueFull: as many executions wait as may.
            ServerDraining: try another time or another server.
        """
        if self._draining:
            raise ServerDraining
        if command.definition is None and (known := await self._known(namespace, command)):
            return known
        checked = await self._checked(namespace, command)
        if command.validate_only:
            return None
        full: ExecsvcError | None = await self._quotas.full(namespace)
        if full is None:
            full = await self._queue.full_for(namespace, command.concurrency_key)
        if full is not None:
            # Whoever repeats a request that was taken before must still get its answer.
            return await self._repeated(namespace, command, checked, full)
        request = self._request(command, checked)
        now = self._clock()
        uid = self._new_uid()
        self._quotas.took(namespace)
        self._engine.remember(checked.plan)
        creating = self._store.create(
            CreateExecution(
                namespace=namespace,
                request=request,
                uid=uid,
                time=now,
                message="waiting for a slot",
                entries=(
                    NewLogEntry(
                        time=now,
                        level=LogLevel.INFO,
                        message="execution queued",
                        metadata={
                            "event": "execution_queued",
                            "definition_digest": checked.plan.digest,
                            **said_by(by.shown),
                        },
                    ),
                ),
                by=by if self._audited else None,
            )
        )
        item = Unfinished(
            namespace=namespace,
            execution_id=request.execution_id,
            uid=uid,
            state=ExecutionState.PENDING,
            priority=request.priority,
            create_time=now,
            concurrency_key=request.concurrency_key,
        )
        # Offered before it is stored, so that a free slot takes it in the same commit. Should the write come to
        # nothing, the claim finds no execution with this uid and gives the slot back.
        keep = len(checked.input) <= KEPT_INPUT or self._queue.has_slot_for(namespace, item.concurrency_key)
        self._queue.offer(item, (lambda held: _fresh_claim(request, held)) if keep else None)

        def written(done: asyncio.Future[Created]) -> None:
            if done.cancelled() or done.exception() is not None or not done.result().created:
                self._queue.withdraw(uid)

        # No step after the await: the answer may come when nobody waits for it any more.
        creating.add_done_callback(written)
        return (await stored(creating)).status

    async def _known(self, namespace: str, command: ExecuteCommand) -> ExecutionStatus | None:
        """Answer a repeat by which a stored workflow was named: the newest version may be another one by now."""
        retry = Problems()
        policy = parse_retry(command.retry, "retry", retry)
        if not command.execution_id or command.validate_only or len(retry):
            return None
        try:
            given = orjson.dumps(command.input, option=orjson.OPT_SORT_KEYS)
            digest = _request_digest(command, _stored(command), given, _retry_text(policy))
            if await self._store.request_digest(namespace, command.execution_id) != digest:
                return None
            return await self._store.status(namespace, command.execution_id)
        except (ExecutionNotFound, TypeError, ValueError, RecursionError):
            return None

    async def _repeated(
        self, namespace: str, command: ExecuteCommand, checked: _Checked, refusal: ExecsvcError
    ) -> ExecutionStatus:
        try:
            if not command.execution_id:
                raise ExecutionNotFound("")
            known = await self._store.request_digest(namespace, command.execution_id)
        except ExecutionNotFound:
            raise refusal from None
        status = await self._store.status(namespace, command.execution_id)
        if known != self._request(command, checked).request_digest:
            raise ExecutionExists(execution_id=command.execution_id, state=status.state)
        return status

    async def _checked(self, namespace: str, command: ExecuteCommand) -> _Checked:
        problems = list(execute_problems(command))
        plan: Plan | None = None
        try:
            plan = await self._workflows.plan_of(namespace, command)
        except InvalidRequest as error:
            problems.extend(error.problems)
        given, found = await check_whole_input(plan, command.input, self._limits)
        problems.extend(found)
        retry = Problems()
        policy = parse_retry(command.retry, "retry", retry)
        problems.extend(retry.in_order())
        if self._limits.timeout is not None and (command.timeout or 0) > self._limits.timeout:
            message = f"is longer than the {self._limits.timeout / 1e6:g} s that this server allows"
            problems.append(FieldProblem(path="timeout", reason="OUT_OF_RANGE", message=message))
        if problems or plan is None:
            # An id that names a workflow is checked twice.
            raise InvalidRequest(list(dict.fromkeys(problems)))
        return _Checked(plan, given, _retry_text(policy))

    def _request(self, command: ExecuteCommand, checked: _Checked) -> ExecutionRequest:
        plan, given = checked.plan, checked.input
        definition = _stored(command) if command.definition is None else plan.digest
        return ExecutionRequest(
            execution_id=command.execution_id or self._new_uid(),
            workflow_id=command.workflow_id,
            definition_digest=plan.digest,
            definition=plan.canonical,
            input=given,
            labels=command.labels,
            priority=command.priority,
            timeout=self._timeout(command),
            concurrency_key=command.concurrency_key,
            request_digest=_request_digest(command, definition, given, checked.retry),
            nodes_total=len(plan.nodes),
            retry=checked.retry,
        )

    def _timeout(self, command: ExecuteCommand) -> int | None:
        if command.timeout is not None:
            return command.timeout
        known = [limit for limit in (self._limits.default_timeout, self._limits.timeout) if limit is not None]
        return min(known, default=None)

    async def status(self, namespace: str, execution_id: str) -> ExecutionStatus:
        """Answer where an execution stands. Raises InvalidRequest, ExecutionNotFound."""
        require_id("execution_id", execution_id)
        return await self._explained(namespace, await self._store.status(namespace, execution_id))

    async def _explained(self, namespace: str, status: ExecutionStatus) -> ExecutionStatus:
        if status.state is ExecutionState.PENDING and (waits := await self._queue.describe(status.uid, namespace)):
            return replace(status, message=waits)
        return status

    async def get(self, namespace: str, execution_id: str, *, full: bool) -> Execution:
        """Answer the record of an execution. Raises InvalidRequest, ExecutionNotFound."""
        require_id("execution_id", execution_id)
        execution = await self._store.execution(namespace, execution_id, full=full)
        return replace(execution, status=await self._explained(namespace, execution.status))


def _stored(command: ExecuteCommand) -> str:
    """Stand for a stored definition in the digest of a request: what was asked for, not what it led to."""
    return f"stored:{command.workflow_version}"


def _retry_text(policy: RetryPolicy | None) -> bytes | None:
    return None if policy is None else orjson.dumps(canonical_retry(policy))


def _request_digest(command: ExecuteCommand, definition: str, given: bytes, retry: bytes | None) -> str:
    identity = orjson.dumps(
        [
            command.workflow_id,
            definition,
            command.labels,
            command.priority,
            command.timeout,
            command.concurrency_key,
            None if retry is None else retry.decode(),
        ],
        option=orjson.OPT_SORT_KEYS,
    )
    return hashlib.sha256(identity + given).hexdigest()


def _fresh_claim(request: ExecutionRequest, held: ExecutionStatus) -> Claim:
    return Claim(
        status=held,
        labels=request.labels,
        definition=request.definition,
        definition_digest=request.definition_digest,
        input=request.input,
        timeout=request.timeout,
        ran_for=0,
        nodes={},
        retry=request.retry,
    )
