"""Turn whatever a model provider raised into a NodeError without secrets: the one seam for foreign LLM errors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

from execsvc.egress import Refusal
from execsvc.engine.nodes.executor import NodeError
from execsvc.engine.nodes.foreign_words import redact, retry_after, shortened

ErrorT = TypeVar("ErrorT", bound=BaseException)

# Matched by name along the class's ancestors: the providers' HTTP libraries (httpx, httpx2, aiohttp, botocore)
# share these names and need not be installed.
_BROKEN = frozenset(
    {
        "APIResponseValidationError",
        "ClientPayloadError",
        "DecodingError",
        "IncompleteRead",
        "JSONDecodeError",
        "RemoteProtocolError",
        "SSEError",
        "UnicodeDecodeError",
    }
)
_UNREACHABLE = frozenset(
    {
        "APIConnectionError",
        "ClientConnectionError",
        "ConnectionError",
        "HTTPClientError",
        "TransportError",
        "gaierror",
    }
)
_TIMED_OUT = frozenset({"APITimeoutError", "TimeoutError", "TimeoutException"})
_NOT_BEGUN = "without sending a response"
#: What reading an answer of another shape than the API's raises; our own code is outside the seam.
_MISREAD = frozenset({"AttributeError", "LookupError", "RecursionError", "TypeError", "ValidationError"})
_CUT_SHORT = frozenset({"ContentFilterFinishReasonError", "LengthFinishReasonError"})


def describe(model: str, base_url: str) -> str:
    """Name the model and, where one was given, its server; without user info or query."""
    if not base_url:
        return model
    try:
        parts = urlsplit(base_url)
        port = f":{parts.port}" if parts.port else ""
    except ValueError:
        return f"{model} at its base_url"
    return f"{model} at {parts.scheme}://{parts.hostname}{port}{parts.path}"


def scrub(error: ErrorT) -> ErrorT:
    """Take secrets out of an exception and those behind it, so that a traceback may be logged. Answers the same one."""
    for link in _chain(error):
        link.args = tuple(_clean(arg) for arg in link.args)
        for name in ("message", "body"):
            value = getattr(link, name, None)
            if isinstance(value, str):
                _set(link, name, redact(value))
            elif isinstance(value, Mapping | list) and redact(str(value)) != str(value):
                _set(link, name, None)
    return error


def node_error(error: BaseException, *, where: str, now: float, without_key: str = "") -> NodeError:
    """Name the failure of a call to a model.

    Args:
        error: what the provider's package raised.
        where: the model and its server, for people (see ``describe``).
        now: seconds since the epoch; a Retry-After date counts from there.
        without_key: host that got no key of the server's.
    """
    found = _node_error(error, where, now)
    if found.type == "LLM_AUTH" and without_key:
        hint = f"the server's own key goes to hosts that the operator names: --egress {without_key} (EXECSVC_EGRESS)"
        return NodeError(found.type, f"{found.message}; {hint}")
    return found


def _node_error(error: BaseException, where: str, now: float) -> NodeError:
    chain = list(_chain(error))
    refusal = next((link for link in chain if isinstance(link, Refusal)), None)
    if refusal is not None:
        return NodeError(refusal.type, f"{where}: {redact(refusal.message)}")
    detail = _detail(chain)
    for link in chain:
        status = _status(link)
        if status is not None and not 200 <= status < 300:
            return _by_status(status, link, where, detail, now)
    names = {ancestor.__name__ for link in chain for ancestor in type(link).__mro__}
    root = _root(chain)
    if names & _CUT_SHORT:
        return NodeError("LLM_BAD_OUTPUT", f"{where} did not finish its answer: {detail}", retryable=True)
    # The same class of error says that the server hung up before it answered, and that it did so in between.
    if names & _BROKEN and _NOT_BEGUN not in root:
        return NodeError("LLM_BAD_RESPONSE", f"{where} sent a broken answer: {root}", retryable=True)
    if names & _TIMED_OUT:
        return NodeError("LLM_UNREACHABLE", f"{where} did not answer in time ({type(error).__name__})", retryable=True)
    if names & _UNREACHABLE:
        return NodeError("LLM_UNREACHABLE", f"{where} cannot be reached: {root}", retryable=True)
    if "APIError" in names:
        return _in_stream(error, where, detail)
    if isinstance(error, TypeError) and "unexpected keyword argument" in detail:
        return NodeError("LLM_BAD_PARAMETERS", f"{where} does not take one of the node's parameters: {detail}")
    if names & _MISREAD or detail.startswith("No generation"):
        return NodeError("LLM_BAD_RESPONSE", f"{where} sent an answer that cannot be read: {root}", retryable=True)
    return NodeError("LLM_FAILED", f"{where} failed: {type(error).__name__}: {detail}")


def _by_status(status: int, error: BaseException, where: str, detail: str, now: float) -> NodeError:
    wait = retry_after(_headers(error), now=now)
    if status == 429:
        # OpenAI answers 429 to an account without credit as well; waiting does not help that.
        spent = "insufficient_quota" in str(getattr(error, "code", "")) or "insufficient_quota" in detail
        message = f"{where} has no quota left: {detail}" if spent else f"{where} limits the rate (429): {detail}"
        return NodeError("LLM_RATE_LIMITED", message, retryable=not spent, retry_after=wait)
    if status in (401, 403):
        return NodeError("LLM_AUTH", f"{where} refused the credentials ({status}): {detail}")
    if status >= 500 or status in (408, 409, 425):
        message = f"{where} is unavailable ({status}): {detail}"
        return NodeError("LLM_UNAVAILABLE", message, retryable=True, retry_after=wait)
    if status >= 400:
        return NodeError("LLM_REJECTED", f"{where} rejected the request ({status}): {detail}")
    return NodeError("LLM_FAILED", f"{where} answered with status {status}: {detail}")


def _in_stream(error: BaseException, where: str, detail: str) -> NodeError:
    """Name an error that arrived inside a stream which had begun with status 200."""
    kind = f"{getattr(error, 'code', '')} {getattr(error, 'type', '')}".lower()
    if "rate_limit" in kind or "429" in kind:
        return NodeError("LLM_RATE_LIMITED", f"{where} limits the rate: {detail}", retryable=True)
    if "server_error" in kind or "overloaded" in kind or "unavailable" in kind:
        return NodeError("LLM_UNAVAILABLE", f"{where} is unavailable: {detail}", retryable=True)
    return NodeError("LLM_BAD_RESPONSE", f"{where} broke off its answer: {detail}", retryable=True)


def _chain(error: BaseException) -> Iterator[BaseException]:
    seen: set[int] = set()
    link: BaseException | None = error
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        yield link
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)


def _status(error: BaseException) -> int | None:
    response: Any = getattr(error, "response", None)
    candidates = [
        getattr(error, "status_code", None),
        getattr(error, "http_status", None),
        getattr(response, "status_code", None),
        getattr(error, "code", None),
    ]
    if isinstance(response, Mapping):
        metadata = response.get("ResponseMetadata")
        candidates.append(metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None)
    if error.args and isinstance(error.args[0], Mapping):
        # An error inside an answer of status 200, which LangChain raises as it is.
        candidates.append(error.args[0].get("code"))
    for candidate in candidates:
        # bool is an int, and an enum of statuses counts as its number.
        if isinstance(candidate, int) and not isinstance(candidate, bool) and 100 <= candidate < 600:
            return int(candidate)
    return None


def _headers(error: BaseException) -> Mapping[str, str]:
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if not hasattr(headers, "items"):
        return {}
    return {str(name).lower(): str(value) for name, value in headers.items()}


def _detail(chain: list[BaseException]) -> str:
    """The provider's own words, shortened and without secrets."""
    error = chain[0]
    body: Any = getattr(error, "body", None)
    if isinstance(body, Mapping) and isinstance(body.get("error"), Mapping):
        body = body["error"]
    text = body.get("message") if isinstance(body, Mapping) else None
    return shortened(text if isinstance(text, str) and text else str(error))


def _root(chain: list[BaseException]) -> str:
    """The innermost exception that says anything: "Connection error." helps nobody."""
    for link in reversed(chain):
        # Time-outs are built from cancellations, which say nothing about the server.
        if isinstance(link, Exception) and str(link):
            return shortened(f"{type(link).__name__}: {link}")
    return type(chain[0]).__name__


def _clean(arg: object) -> object:
    text = arg if isinstance(arg, str) else str(arg)
    cleaned = redact(text)
    return arg if cleaned == text else cleaned


def _set(error: BaseException, name: str, value: object) -> None:
    try:
        setattr(error, name, value)
    except AttributeError:
        # Read-only on this class; str() of the exception, which args decide, is clean already.
        return
