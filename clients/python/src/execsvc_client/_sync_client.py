"""The client for plain threads: opens the channel, runs the calls of ``_calls``, waits between attempts."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

import grpc

from execsvc_client import _calls, v1
from execsvc_client._calls import Call, DurationLike, View
from execsvc_client._channel import DEFAULT_TARGET, Settings, Token, make_stubs
from execsvc_client._definition import DefinitionLike
from execsvc_client._errors import Cancelled, DeadlineExceeded, from_rpc_error
from execsvc_client._log_cursor import LogCursor
from execsvc_client._logs import LogStream
from execsvc_client._models import Execution, ExecutionState, ExecutionStatus, LogEntry, LogLevel, NodeType, ServerInfo
from execsvc_client._retry import Reconnect, Retry
from execsvc_client._values import Problem

_T = TypeVar("_T")


class ExecutionClient:
    """Runs workflows on an execsvc server, follows and controls them. Safe to share between threads.

    Example:
        >>> with ExecutionClient("127.0.0.1:50051") as client:
        ...     status = client.execute(Path("triage.json"), {"text": "my order is late"})
        ...     execution = client.wait(status.execution_id)
        ...     print(execution.output)

    Every call may raise the subclasses of ``ExecsvcError``. Calls are repeated while the server is unavailable, up to
    five times within ``call_timeout``; Execute and Control carry an id each, so that a repeat does nothing twice.
    """

    def __init__(
        self,
        target: str = DEFAULT_TARGET,
        *,
        credentials: grpc.ChannelCredentials | None = None,
        token: Token | None = None,
        call_timeout: float = 30.0,
        reconnect_timeout: float | None = 300.0,
        options: Sequence[tuple[str, Any]] = (),
    ) -> None:
        """Prepare a client; the connection is opened by the first call and again whenever it breaks.

        Args:
            target: host and port, or any other gRPC target such as ``unix:/run/execsvc.sock``.
            credentials: for TLS, from ``grpc.ssl_channel_credentials``; None connects without.
            token: sent as ``authorization: Bearer …``, or a function that returns it. Use it with TLS only.
            call_timeout: seconds that one call may take, repeats included. Streams and ``wait`` have none.
            reconnect_timeout: seconds that ``logs`` and ``wait`` go on trying to reach the server without hearing
                from it; None: for ever.
            options: gRPC channel arguments that replace the defaults of this client.
        """
        self._settings = Settings(
            target=target,
            credentials=credentials,
            token=token,
            call_timeout=call_timeout,
            reconnect_timeout=reconnect_timeout,
            options=options,
        )
        self._channel: grpc.Channel | None = None
        self._stubs: dict[str, Any] = {}
        self._closed = False
        self._opening = threading.Lock()

    def execute(
        self,
        definition: DefinitionLike,
        input: Mapping[str, Any] | None = None,
        *,
        execution_id: str | None = None,
        workflow_id: str = "",
        labels: Mapping[str, str] | None = None,
        priority: int = 0,
        timeout: DurationLike | None = None,
        concurrency_key: str = "",
        validate_only: bool = False,
    ) -> ExecutionStatus:
        """Start an execution; returns once the server has it on disk.

        Args:
            definition: a ``v1.WorkflowDefinition``, its JSON form as a mapping or as text, or a ``pathlib.Path`` to a
                JSON file; React Flow exports are taken as well.
            input: what the workflow is given. Numbers travel as doubles: an integer that a double cannot hold exactly
                (beyond 2**53) is refused, send it as text.
            execution_id: your id, which makes the call idempotent: the same request again answers the execution that
                is there. None makes one.
            workflow_id: your id of the workflow, for history.
            labels: names and values to find it by.
            priority: higher starts first, -1000 to 1000.
            timeout: the longest it may run, pauses not counted: seconds, a timedelta, or ``"90s"``. None: no limit.
            concurrency_key: executions with the same key share a limit.
            validate_only: check everything, store nothing; the answer's state is then UNSPECIFIED.

        Raises:
            DefinitionError: the definition cannot be read; nothing was sent.
            InvalidArgument: with every problem in ``field_violations``.
            AlreadyExists: the id was used with another request.
            ResourceExhausted: something is too large, or the queue is full.
        """
        call = _calls.execute(
            definition,
            input,
            execution_id=execution_id or self._settings.new_id(),
            workflow_id=workflow_id,
            labels=labels,
            priority=priority,
            timeout=timeout,
            concurrency_key=concurrency_key,
            validate_only=validate_only,
        )
        return self._run(call)

    def status(self, execution_id: str) -> ExecutionStatus:
        """Return where an execution stands.

        Raises:
            NotFound: there is no such execution.
        """
        return self._run(_calls.status(execution_id))

    def get(self, execution_id: str, view: View = "full") -> Execution:
        """Return the record of an execution; ``view="basic"`` leaves out definition, input and outputs.

        Raises:
            NotFound: there is no such execution.
        """
        return self._run(_calls.get(execution_id, view))

    def wait(self, execution_id: str, timeout: float | None = None) -> Execution:
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
                with self._stream(_calls.await_end(execution_id), deadline) as log:
                    for _ in log:
                        pass
                execution = self._repeat(
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
    ) -> LogStream:
        """Return the log of an execution as an iterator that survives broken connections.

        It connects again at its cursor by itself, with growing pauses, so nothing is missed and nothing comes twice.
        Its ``last_sequence`` is the place to resume from; ``final_status`` is set once the execution has ended.

        Example:
            >>> with client.logs(execution_id, follow=True) as log:
            ...     for entry in log:
            ...         print(entry.time, entry.level, entry.node_id, entry.message)

        Args:
            execution_id: id of the execution.
            after_sequence: only entries after this one; 0: from the start.
            tail: only the last so many of the entries there are now, and what follows. Not with ``after_sequence``.
            min_level: leave out entries below this level, for example ``"WARNING"``.
            node_id: only entries of this node.
            follow: go on until the execution has ended; otherwise until the last entry there is.

        Raises:
            NotFound: there is no such execution.
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
        )
        return self._stream(request, None)

    def list_logs(
        self,
        execution_id: str,
        *,
        min_level: LogLevel | str | None = None,
        node_id: str = "",
        page_size: int = 1000,
    ) -> Iterator[LogEntry]:
        """Yield the entries there are now, oldest first, fetched page by page as they are read.

        Raises:
            NotFound: there is no such execution.
        """
        token = ""
        while True:
            page = self._run(
                _calls.list_logs(
                    execution_id, min_level=min_level, node_id=node_id, page_size=page_size, page_token=token
                )
            )
            yield from page.entries
            token = page.next_token
            if not token:
                return

    def pause(
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
        return self._run(
            _calls.control(
                execution_id,
                "pause",
                reason=reason,
                expected_state=expected_state,
                request_id=request_id or self._settings.new_id(),
            )
        )

    def resume(
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
        return self._run(
            _calls.control(
                execution_id,
                "resume",
                reason=reason,
                expected_state=expected_state,
                request_id=request_id or self._settings.new_id(),
            )
        )

    def stop(
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
        return self._run(
            _calls.control(
                execution_id,
                "stop",
                reason=reason,
                expected_state=expected_state,
                request_id=request_id or self._settings.new_id(),
            )
        )

    def validate(self, definition: DefinitionLike) -> list[Problem]:
        """Return every problem of a definition, each with its path; an empty list means that Execute would take it.

        Raises:
            DefinitionError: the definition cannot even be sent.
        """
        return self._run(_calls.validate(definition))

    def node_types(self) -> list[NodeType]:
        """Return the node types that the server runs, with the JSON Schema of each config."""
        return self._run(_calls.node_types())

    def server_info(self) -> ServerInfo:
        """Return the server's version, limits and capabilities."""
        return self._run(_calls.server_info())

    def close(self) -> None:
        """Close the connection; calls still under way end with ``Cancelled``. May be called again."""
        with self._opening:
            self._closed = True
        if self._channel is not None:
            self._channel.close()

    def __enter__(self) -> ExecutionClient:
        return self

    def __exit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def _run(self, call: Call[_T]) -> _T:
        settings = self._settings
        deadline = settings.timing.clock() + settings.call_timeout
        return self._repeat(call, Retry(settings.timing, repeatable=call.repeatable, deadline=deadline))

    def _repeat(self, call: Call[_T], policy: Retry | Reconnect) -> _T:
        while True:
            method = getattr(self._open()[call.service], call.method)
            try:
                response = method(call.request, timeout=policy.call_timeout(), metadata=self._settings.metadata())
            except grpc.RpcError as error:
                delay = policy.delay_after(from_rpc_error(error))
            else:
                return call.answer(response)
            self._settings.timing.sleep(delay)

    def _stream(self, request: v1.StreamLogsRequest, deadline: float | None) -> LogStream:
        return LogStream(LogCursor(request, self._reconnect(deadline)), self._connect)

    def _reconnect(self, deadline: float | None, call_timeout: float | None = None) -> Reconnect:
        return Reconnect(
            self._settings.timing,
            give_up_after=self._settings.reconnect_timeout,
            deadline=deadline,
            call_timeout=call_timeout,
        )

    def _connect(self, request: v1.StreamLogsRequest, timeout: float | None) -> Any:
        stub = self._open()["ExecutionService"]
        return stub.StreamLogs(request, timeout=timeout, metadata=self._settings.metadata())

    def _open(self) -> dict[str, Any]:
        """Return the stubs, on a channel opened by the first call."""
        with self._opening:
            if self._closed:
                raise Cancelled("the client is closed")
            if self._channel is None:
                settings = self._settings
                options = settings.channel_options()
                if settings.credentials is None:
                    self._channel = grpc.insecure_channel(settings.target, options)
                else:
                    self._channel = grpc.secure_channel(settings.target, settings.credentials, options)
                self._stubs = make_stubs(self._channel)
            return self._stubs
