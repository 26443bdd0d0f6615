"""Name the failures of calls over HTTP: the one seam for what the HTTP library raises, and for statuses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import httpx2

from execsvc.egress import Refusal
from execsvc.engine.nodes.executor import NodeError
from execsvc.engine.nodes.foreign_words import redact, retry_after, shortened

#: Statuses besides those of servers' failures after which the same request may succeed.
_PASSING: Final = frozenset({408, 425})
#: What the library says where a server hung up before it answered; in between it is the same class of error.
_NOT_BEGUN: Final = "without sending a response"


def call_error(error: Exception, where: str) -> NodeError:
    """Name the failure of a call that got no answer, or none that could be read.

    Args:
        where: method and URL, for people.
    """
    if isinstance(error, Refusal):
        return NodeError(error.type, f"{where}: {error.message}")
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return _unreachable(f"{where} did not answer in time ({type(error).__name__})")
    if isinstance(error, httpx2.DecodingError) or (
        isinstance(error, httpx2.RemoteProtocolError) and _NOT_BEGUN not in str(error)
    ):
        message = f"{where} sent a broken answer: {shortened(str(error))}"
        return NodeError("HTTP_BAD_RESPONSE", message, retryable=True)
    if isinstance(error, httpx2.LocalProtocolError | httpx2.UnsupportedProtocol | httpx2.InvalidURL):
        # Its words may hold what was to be sent.
        return NodeError("HTTP_INVALID_REQUEST", f"{where} cannot be sent ({type(error).__name__})")
    return _unreachable(f"{where} cannot be reached: {type(error).__name__}: {shortened(str(error))}")


def status_error(status: int, headers: Mapping[str, str], words: str, where: str, *, now: float) -> NodeError:
    """Name a status that is no success.

    Args:
        words: the beginning of the body.
        now: seconds since the epoch; a Retry-After date counts from there.
    """
    # In this order: a secret may have spaces of its own.
    words = " ".join(redact(words).replace("\0", " ").split())
    detail = f": {shortened(words)}" if words else ""
    wait = retry_after(headers, now=now)
    if status == 429:
        message = f"{where} limits the rate (429){detail}"
        return NodeError("HTTP_RATE_LIMITED", message, retryable=True, retry_after=wait)
    if status >= 500 or status in _PASSING:
        message = f"{where} is unavailable ({status}){detail}"
        return NodeError("HTTP_UNAVAILABLE", message, retryable=True, retry_after=wait)
    if 300 <= status < 400 and headers.get("location"):
        message = f"{where} answered {status}, a redirect; max_redirects says how many are followed{detail}"
        return NodeError("HTTP_UNEXPECTED_STATUS", message)
    return NodeError("HTTP_UNEXPECTED_STATUS", f"{where} answered {status}{detail}")


def _unreachable(message: str) -> NodeError:
    return NodeError("HTTP_UNREACHABLE", message, retryable=True)
