"""Gives one attempt the secrets its node names, and takes them out of all that it says."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from execsvc.engine.nodes.executor import NodeContext, NodeError
from execsvc.model import LogLevel
from execsvc.secrets import NOTHING, Revealed, Scrubber, SecretError, StreamScrubber

T = TypeVar("T")

#: Gives the values of secrets by name. Raises SecretError.
Reveal = Callable[[tuple[str, ...]], Awaitable[Revealed]]

_hidden: ContextVar[Scrubber] = ContextVar("execsvc_hidden", default=NOTHING)


def hidden_here() -> Scrubber:
    """Give the scrubber of the attempt whose code this is, for what it shortens before it says it."""
    return _hidden.get()


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrecy:
    """What is to be hidden of one attempt."""

    scrubber: Scrubber
    #: The attempt's context with the secrets, whose ways out are watched; None: there are none.
    context: NodeContext | None = None
    _tokens: StreamScrubber | None = None

    async def inside(self, work: Awaitable[T]) -> T:
        """Do the attempt's work, in a task of its own."""
        _hidden.set(self.scrubber)
        return await work

    def end(self) -> None:
        """Publish what was held back of the answer: no more of it will come."""
        if self._tokens is not None:
            self._tokens.end()


#: Of nodes that name no secrets.
OPEN: Final = Secrecy(scrubber=NOTHING)


async def secrecy_of(names: tuple[str, ...], context: NodeContext, reveal: Reveal) -> Secrecy:
    """Look up the secrets of an attempt.

    Raises:
        NodeError: SECRET_UNKNOWN, SECRET_UNUSABLE, or SECRET_UNAVAILABLE, which alone is retryable.
    """
    try:
        revealed = await reveal(names)
    except SecretError as error:
        raise NodeError(error.type, error.message, retryable=error.retryable) from None
    scrubber = revealed.scrubber
    tokens = StreamScrubber(scrubber, context.emit_token)
    log = context.log

    def hidden_log(level: LogLevel, message: str, metadata: Mapping[str, Any]) -> None:
        log(level, scrubber.hide(str(message)), scrubber.walk(metadata))

    guarded = replace(context, secrets=revealed, log=hidden_log, emit_token=tokens.feed)
    return Secrecy(scrubber=scrubber, context=guarded, _tokens=tokens)
