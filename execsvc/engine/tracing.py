"""What the engine tells whoever traces it, and what code of a node finds of its trace."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextvars import ContextVar
from types import TracebackType
from typing import Any, Protocol, Self, TypeVar

from execsvc.engine.events import Observer
from execsvc.model import ErrorInfo, ExecutionState, TokenUsage
from execsvc.record import record
from execsvc.store import Claim, Store

T = TypeVar("T")


@record(frozen=True, slots=True, kw_only=True)
class ModelRequest:
    """What is asked of a chat model."""

    #: As in "openai".
    provider: str
    #: Without the provider.
    model: str
    #: Where it is asked, if not where the provider is; may be empty.
    base_url: str
    parameters: Mapping[str, Any]
    #: Role and text of each message.
    messages: Sequence[tuple[str, str]]
    #: Whether the answer is JSON of a schema.
    structured: bool
    stream: bool


class ClientCall(Protocol):
    """A call of another service; enter it around the call. What is raised inside is how it failed."""

    def __enter__(self) -> Self:
        """Begin: requests made inside belong to this call."""
        ...

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """End."""
        ...


class HttpCall(ClientCall, Protocol):
    """A request over HTTP; what a redirect leads to is another one."""

    def answered(self, status: int) -> None:
        """Take note of the status of the answer, which may be one that fails the node."""
        ...


class ModelCall(ClientCall, Protocol):
    """A call of a model."""

    def answered(self, text: str, *, metadata: Mapping[str, Any], finish_reason: str, usage: TokenUsage | None) -> None:
        """Take note of the answer.

        Args:
            metadata: what the provider said of it, with its ``id``.
        """
        ...


class AttemptTrace(Protocol):
    """One attempt of a node with effects."""

    @property
    def sampled(self) -> bool:
        """Whether anybody will see spans of it."""
        ...

    def enter(self) -> None:
        """Become what libraries find as the current trace. Called once, in a context that is the attempt's own."""
        ...

    def headers(self) -> Mapping[str, str]:
        """Give what a request to another service carries, so that the trace goes on there."""
        ...

    def model_call(self, request: ModelRequest) -> ModelCall:
        """Trace a call of a model."""
        ...

    def http_call(self, method: str, host: str, port: int, template: str, redirects: int) -> HttpCall:
        """Trace a request over HTTP.

        Args:
            template: the path as the workflow has it, without data; empty: there is none.
            redirects: how many requests have led here.
        """
        ...


class RunTrace(Protocol):
    """One run of an execution. Its methods belong to the event loop, and neither block nor raise."""

    @property
    def observer(self) -> Observer | None:
        """Who takes note of changes of nodes; None: nobody, since the run is not sampled."""
        ...

    def attempt(self, node_id: str) -> AttemptTrace | None:
        """Give the attempt of a node that is under way; None: it has no effects."""
        ...

    def ended(self, state: ExecutionState | None, error: ErrorInfo | None) -> None:
        """Take note of the end of the run, and of the execution's error if it failed.

        Args:
            state: where the execution stands; None: the run was interrupted, and another one goes on with it.
        """
        ...


class Tracing(Protocol):
    """Whoever traces executions."""

    async def prepare(self, namespace: str, claim: Claim, store: Store) -> Callable[[], RunTrace]:
        """Find out to which trace a run belongs, and answer what begins it.

        Args:
            store: read where only the execution's log knows.
        """
        ...


_attempt: ContextVar[AttemptTrace | None] = ContextVar("execsvc_attempt", default=None)


def within(trace: AttemptTrace, work: Callable[[], Awaitable[T]]) -> Callable[[], Awaitable[T]]:
    """Have work done as part of an attempt; what is answered must run in a context of its own."""

    async def traced() -> T:
        trace.enter()
        _attempt.set(trace)
        return await work()

    return traced


def trace_headers() -> Mapping[str, str]:
    """Give the headers by which a request of the attempt under way carries its trace on; none where nobody traces."""
    trace = _attempt.get()
    return {} if trace is None else trace.headers()
