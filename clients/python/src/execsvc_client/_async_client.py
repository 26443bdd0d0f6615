"""The client for asyncio: executions, their logs and their history."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from functools import partial
from typing import Any

from execsvc_client import _calls, v1
from execsvc_client._async_workflows import AsyncWorkflows
from execsvc_client._calls import DurationLike, Page, RetryLike, View
from execsvc_client._definition import DefinitionLike
from execsvc_client._errors import DeadlineExceeded
from execsvc_client._log_cursor import LogCursor
from execsvc_client._logs import AsyncLogStream
from execsvc_client._models import Execution, ExecutionState, ExecutionStatus, LogEntry, LogLevel
from execsvc_client._watch_cursor import WatchCursor
from execsvc_client._watches import AsyncWatchStream


class AsyncExecutionClient(AsyncWorkflows):
    """Runs workflows on an execsvc server, follows and controls them. One event loop at a time.

    Example:
        >>> async with AsyncExecutionClient("127.0.0.1:50051") as client:
        ...     status = await client.execute(Path("triage.json"), {"text": "my order is late"})
        ...     execution = await client.wait(status.execution_id)
        ...     print(execution.output)

    Every call may raise the subclasses of ``ExecsvcError``. Calls are repeated while the server is unavailable, up to
    five times within ``call_timeout``; Execute and Control carry an id each, so that a repeat does nothing twice.
    """

    async def execute(
        self,
        definition: DefinitionLike | None = None,
        input: Mapping[str, Any] | None = None,
        *,
        execution_id: str | None = None,
        workflow_id: str = "",
        workflow_version: str = "",
        labels: Mapping[str, str] | None = None,
        priority: int = 0,
        timeout: DurationLike | None = None,  # noqa: ASYNC109 (a property of the execution)
        concurrency_key: str = "",
        retry: RetryLike | None = None,
        validate_only: bool = False,
    ) -> ExecutionStatus:
        """Start an execution; returns once the server has it on disk.

        Args:
            definition: a ``v1.WorkflowDefinition``, its JSON form as a mapping or as text, or a ``pathlib.Path`` to a
                JSON file; React Flow exports are taken as well. None: the one stored under ``workflow_id``.
            input: what the workflow is given. Numbers travel as doubles: an integer that a double cannot hold exactly
                (beyond 2**53) is refused, send it as text.
            execution_id: your id, which makes the call idempotent: the same request again answers the execution that
                is there. None makes one.
            workflow_id: your id of the workflow, for history; without a definition the stored workflow to run.
            workflow_version: which version of the stored workflow; empty: the newest.
            labels: names and values to find it by.
            priority: higher starts first, -1000 to 1000.
            timeout: the longest it may run, pauses not counted: seconds, a timedelta, or ``"90s"``. None: no limit.
            concurrency_key: executions with the same key share a limit.
            retry: how failed attempts are repeated at nodes with effects that say nothing of their own: a
                ``RetryPolicy`` or its fields as a mapping. None: they are not.
            validate_only: check everything, store nothing; the answer's state is then UNSPECIFIED.

        Raises:
            DefinitionError: the definition cannot be read; nothing was sent.
            InvalidArgument: with every problem in ``field_violations``.
            NotFound: there is no such stored workflow.
            AlreadyExists: the id was used with another request.
            ResourceExhausted: something is too large, or the queue is full; then with a ``retry_delay``.
        """
        make = partial(
            _calls.execute,
            definition,
            input,
            execution_id=execution_id or self._settings.new_id(),
            workflow_id=workflow_id,
            workflow_version=workflow_version,
            labels=labels,
            priority=priority,
            timeout=timeout,
            concurrency_key=concurrency_key,
            retry=retry,
            validate_only=validate_only,
        )
        return await self._run(await self._made(make, input, definition))

    async def status(self, execution_id: str) -> ExecutionStatus:
        """Return where an execution stands.

        Raises:
            NotFound: there is no such execution.
        """
        return await self._run(_calls.status(execution_id))

    async def get(self, execution_id: str, view: View = "full") -> Execution:
        """Return the record of an execution; ``view="basic"`` leaves out definition, input and outputs.

        Raises:
            NotFound: there is no such execution.
        """
        return await self._run(_calls.get(execution_id, view))

    async def wait(
        self,
        execution_id: str,
        timeout: float | None = None,  # noqa: ASYNC109 (the twin of the other client)
    ) -> Execution:
        """Wait until an execution has ended, and return its full record.

        Does not poll: it follows the log, filtered to nearly nothing, and goes on through restarts of the server.
        An execution that FAILED or was STOPPED is returned like any other: look at ``state`` and ``error``.

        Args:
            execution_id: id of the execution.
            timeout: seconds to wait at most; None: as long as it takes.

        Raises:
            DeadlineExceeded: it had not ended after ``timeout`` seconds; it goes on all the same.
            NotFound: there is no such execution.
            Unavailable: the server was away for longer than ``reconnect_timeout``.
        """
        deadline = self._settings.deadline(timeout)
        try:
            while True:
                async with self._log(_calls.await_end(execution_id), deadline) as log:
                    async for _ in log:
                        pass
                execution = await self._repeat(
                    _calls.get(execution_id, "full"), self._reconnect(deadline, self._settings.call_timeout)
                )
                if execution.state.terminal:
                    return execution
        except DeadlineExceeded as error:
            if timeout is None:
                raise
            raise DeadlineExceeded(f"execution {execution_id!r} had not ended after {timeout:g} s") from error

    def logs(
        self,
        execution_id: str,
        *,
        after_sequence: int = 0,
        tail: int = 0,
        min_level: LogLevel | str | None = None,
        node_id: str = "",
        follow: bool = False,
        uid: str = "",
    ) -> AsyncLogStream:
        """Return the log of an execution as an async iterator that survives broken connections.

        It connects again at its cursor by itself, with growing pauses, so nothing is missed and nothing comes twice.
        Its ``last_sequence`` is the place to resume from; ``final_status`` is set once the execution has ended.

        Example:
            >>> async with client.logs(execution_id, follow=True) as log:
            ...     async for entry in log:
            ...         print(entry.time, entry.level, entry.node_id, entry.message)

        Args:
            execution_id: id of the execution.
            after_sequence: only entries after this one; 0: from the start.
            tail: only the last so many of the entries there are now, and what follows. Not with ``after_sequence``.
            min_level: leave out entries below this level, for example ``"WARNING"``.
            node_id: only entries of this node.
            follow: go on until the execution has ended; otherwise until the last entry there is.
            uid: the stream's own ``uid``, or ``Execution.uid``, kept with ``after_sequence``: no other execution does
                that took the id after a delete. Empty: whichever has it.

        Raises:
            NotFound: there is no such execution, or it is not the one with this ``uid``.
            OutOfRange: ``after_sequence`` lies outside the log.
            Unavailable: the server was away for longer than ``reconnect_timeout``.
        """
        request = _calls.stream_logs(
            execution_id,
            after_sequence=after_sequence,
            tail=tail,
            min_level=min_level,
            node_id=node_id,
            follow=follow,
            uid=uid,
        )
        return self._log(request, None)

    def _log(self, request: v1.StreamLogsRequest, deadline: float | None) -> AsyncLogStream:
        return AsyncLogStream(LogCursor(request, self._reconnect(deadline)), partial(self._connect, "StreamLogs"))

    def watch(self, execution_id: str, *, include_tokens: bool = False) -> AsyncWatchStream:
        """Return snapshots of an execution as an async iterator that survives broken connections.

        The first comes at once, then one after each change, the last in its final state. Changes that come faster
        than they are read are joined. After a break it connects again by itself and begins with a fresh snapshot.

        Example:
            >>> async with client.watch(execution_id) as watch:
            ...     async for snapshot in watch:
            ...         print(f"{snapshot.status.progress:.0%}", *snapshot.changed)

        Args:
            execution_id: id of the execution.
            include_tokens: also hand out what language models answer, piece by piece, from now on.

        Raises:
            NotFound: there is no such execution, or it was deleted.
            Unavailable: the server was away for longer than ``reconnect_timeout``.
        """
        cursor = WatchCursor(_calls.watch(execution_id, include_tokens=include_tokens), self._reconnect(None))
        return AsyncWatchStream(cursor, partial(self._connect, "WatchExecution"))

    async def list_logs(
        self,
        execution_id: str,
        *,
        min_level: LogLevel | str | None = None,
        node_id: str = "",
        page_size: int = 1000,
    ) -> AsyncIterator[LogEntry]:
        """Yield the entries there are now, oldest first, fetched page by page as they are read.

        Raises:
            NotFound: there is no such execution.
        """
        page = partial(_calls.list_logs, execution_id, min_level=min_level, node_id=node_id, page_size=page_size)
        async for entry in self._paged(lambda token: page(page_token=token)):
            yield entry

    async def list_logs_page(
        self,
        execution_id: str,
        *,
        min_level: LogLevel | str | None = None,
        node_id: str = "",
        page_size: int = 100,
        page_token: str = "",
    ) -> Page[LogEntry]:
        """Return one page of the entries there are now, oldest first; for those who hand pages on.

        Args:
            execution_id: id of the execution.
            min_level: leave out entries below this level.
            node_id: only entries of this node.
            page_size: entries at most, up to 1,000.
            page_token: ``next_token`` of the page before, with the other arguments as they were; empty: the first page.

        Raises:
            NotFound: there is no such execution.
            InvalidArgument: the token is none of this list.
        """
        return await self._run(
            _calls.list_logs(
                execution_id, min_level=min_level, node_id=node_id, page_size=page_size, page_token=page_token
            )
        )

    async def list_executions(
        self, filter: str = "", *, order_by: str = "", page_size: int = 100
    ) -> AsyncIterator[Execution]:
        """Yield executions, fetched page by page as they are read; without nodes, definition, input and output.

        Executions that are added or deleted meanwhile shift nothing.

        Example:
            >>> async for execution in client.list_executions('state = FAILED AND labels.team = "billing"'):
            ...     print(execution.execution_id, execution.error)

        Args:
            filter: which ones, in the language of AIP-160 over ``state``, ``workflow_id``, ``execution_id``,
                ``create_time``, ``start_time``, ``end_time``, ``priority`` and ``labels.KEY``; empty: all.
            order_by: ``"create_time"`` or ``"end_time"``, with ``" desc"`` for the newest first; empty:
                ``"create_time desc"``. By ``end_time`` only executions that have ended are answered.
            page_size: how many to fetch at once, up to 1,000.

        Raises:
            InvalidArgument: the filter or the order cannot be read.
        """
        page = partial(_calls.list_executions, filter, order_by=order_by, page_size=page_size)
        async for execution in self._paged(lambda token: page(page_token=token)):
            yield execution

    async def list_executions_page(
        self, filter: str = "", *, order_by: str = "", page_size: int = 100, page_token: str = ""
    ) -> Page[Execution]:
        """Return one page of what ``list_executions`` yields; for those who hand pages on.

        Args:
            filter: as in ``list_executions``.
            order_by: as in ``list_executions``.
            page_size: executions at most, up to 1,000.
            page_token: ``next_token`` of the page before, with the other arguments as they were; empty: the first page.

        Raises:
            InvalidArgument: the filter, the order or the token cannot be used.
        """
        return await self._run(
            _calls.list_executions(filter, order_by=order_by, page_size=page_size, page_token=page_token)
        )

    async def pause(
        self,
        execution_id: str,
        reason: str = "",
        *,
        expected_state: ExecutionState | str | None = None,
        request_id: str | None = None,
    ) -> ExecutionStatus:
        """Pause an execution: nodes under way finish, none starts.

        Args:
            execution_id: id of the execution.
            reason: why, for the log.
            expected_state: act only if this is the state.
            request_id: a repeat with the same id answers as the first did. None makes one.

        Raises:
            FailedPrecondition: it is not RUNNING.
            Aborted: it is not in ``expected_state``.
            NotFound: there is no such execution.
        """
        return await self._run(
            _calls.control(
                execution_id,
                "pause",
                reason=reason,
                expected_state=expected_state,
                request_id=request_id or self._settings.new_id(),
            )
        )

    async def resume(
        self,
        execution_id: str,
        reason: str = "",
        *,
        expected_state: ExecutionState | str | None = None,
        request_id: str | None = None,
    ) -> ExecutionStatus:
        """Resume a paused execution.

        Args:
            execution_id: id of the execution.
            reason: why, for the log.
            expected_state: act only if this is the state.
            request_id: a repeat with the same id answers as the first did. None makes one.

        Raises:
            FailedPrecondition: it is not PAUSED.
            Aborted: it is not in ``expected_state``.
            NotFound: there is no such execution.
        """
        return await self._run(
            _calls.control(
                execution_id,
                "resume",
                reason=reason,
                expected_state=expected_state,
                request_id=request_id or self._settings.new_id(),
            )
        )

    async def stop(
        self,
        execution_id: str,
        reason: str = "",
        *,
        expected_state: ExecutionState | str | None = None,
        request_id: str | None = None,
    ) -> ExecutionStatus:
        """Stop an execution: what is under way is cancelled.

        Args:
            execution_id: id of the execution.
            reason: why, for the log.
            expected_state: act only if this is the state.
            request_id: a repeat with the same id answers as the first did. None makes one.

        Raises:
            FailedPrecondition: it has ended already.
            Aborted: it is not in ``expected_state``.
            NotFound: there is no such execution.
        """
        return await self._run(
            _calls.control(
                execution_id,
                "stop",
                reason=reason,
                expected_state=expected_state,
                request_id=request_id or self._settings.new_id(),
            )
        )

    async def retry(
        self,
        execution_id: str,
        reason: str = "",
        *,
        input: Mapping[str, Any] | None = None,
        expected_state: ExecutionState | str | None = None,
        request_id: str | None = None,
    ) -> ExecutionStatus:
        """Let an execution go on from what failed or was stopped; nodes that have finished keep their results.

        Args:
            execution_id: id of the execution.
            reason: why, for the log.
            input: replaces the input for nodes that have not finished; None: it stays.
            expected_state: act only if this is the state.
            request_id: a repeat with the same id answers as the first did. None makes one.

        Raises:
            FailedPrecondition: it is neither FAILED nor STOPPED.
            InvalidArgument: the input does not fit the workflow.
            ResourceExhausted: the queue is full.
            Aborted: it is not in ``expected_state``.
            NotFound: there is no such execution.
        """
        make = partial(
            _calls.control,
            execution_id,
            "retry",
            reason=reason,
            expected_state=expected_state,
            request_id=request_id or self._settings.new_id(),
            input=input,
        )
        return await self._run(await self._made(make, input))

    async def delete(self, execution_id: str) -> None:
        """Remove an execution that has ended, with its journal and its log; its id may be used again.

        Not repeated by itself: where ``Unavailable`` is raised it may have taken effect.

        Raises:
            FailedPrecondition: it has not ended.
            NotFound: there is no such execution.
        """
        await self._run(_calls.delete(execution_id))
