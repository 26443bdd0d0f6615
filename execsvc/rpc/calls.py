"""Tells the log, and whoever else wants to know, of calls of the API, how they ended, and how long they took."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from time import perf_counter
from typing import Any, Final, Protocol

import grpc

from execsvc.errors import ExecsvcError
from execsvc.wire.errors import TABLE

logger = logging.getLogger(__name__)

#: How a call ends that is given up by its client, or cut off when the server stops.
_CANCELLED: Final = grpc.StatusCode.CANCELLED.name


class MethodObserver(Protocol):
    """Told of the calls of one method. Called on the event loop; must neither block nor raise."""

    def began(self, request: Any, context: Any) -> Any:
        """A call begins, in the task that answers it; what is answered is handed to ``ended``.

        Args:
            request: the message, or what it will come from.
            context: gRPC's, of this call.
        """
        ...

    def ended(self, call: Any, code: str, seconds: float) -> None:
        """A call has ended, with the name of its status code."""
        ...


class CallObserver(Protocol):
    """Hands out an observer for each method of the API."""

    def method(self, service: str, method: str, *, streaming: bool) -> MethodObserver:
        """Answer the observer of a method; called once for each."""
        ...


class CallLog:
    """Logs each call of one method once it has ended, at level debug: what it was, and never what was in it.

    Args:
        path: of the method.
        then: is told as well.
    """

    def __init__(self, path: str, then: MethodObserver | None) -> None:
        self._method = path.rpartition("/")[2]
        self._then = then

    def began(self, request: Any, context: Any) -> Any:
        """See ``MethodObserver``."""
        return None if self._then is None else self._then.began(request, context)

    def ended(self, call: Any, code: str, seconds: float) -> None:
        """See ``MethodObserver``."""
        if self._then is not None:
            self._then.ended(call, code, seconds)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s %s %.1f ms", self._method, code, seconds * 1000)


def observed(
    behavior: Callable[[Any, Any], Awaitable[Any]], observer: MethodObserver
) -> Callable[[Any, Any], Awaitable[Any]]:
    """Have an observer told of each call, once it ends."""

    async def call(request: Any, context: Any) -> Any:
        begun = observer.began(request, context)
        started, code = perf_counter(), _CANCELLED
        try:
            response = await behavior(request, context)
            code = _code_of(context)
            return response
        except Exception as error:
            code = _code_of_failure(error, context)
            raise
        finally:
            observer.ended(begun, code, perf_counter() - started)

    return call


def _code_of(context: Any) -> str:
    code = context.code()
    # It has none unless a status was set or the call aborted.
    return code.name if isinstance(code, grpc.StatusCode) else grpc.StatusCode.OK.name


def _code_of_failure(error: Exception, context: Any) -> str:
    if isinstance(error, grpc.aio.AbortError):
        return _code_of(context)
    if isinstance(error, grpc.aio.BaseError):
        # What was to be written can go nowhere.
        return _CANCELLED
    if isinstance(error, ExecsvcError):
        return str(TABLE[type(error)].code.name)
    return grpc.StatusCode.INTERNAL.name
