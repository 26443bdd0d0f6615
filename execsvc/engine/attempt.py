"""One attempt of a node: run its executor, encode what it answers, and turn whatever goes wrong into an ErrorInfo."""

from __future__ import annotations

import asyncio
import logging
import random
from contextlib import nullcontext
from typing import Any, Final

import orjson

from execsvc.definition import MAX_DEPTH, PlanNode, Problems, RetryPolicy, check_json
from execsvc.egress import Refusal
from execsvc.engine.lanes import Lanes
from execsvc.engine.messages import bounded
from execsvc.engine.nodes.executor import MAX_OUTPUT, EffectNode, NodeContext, NodeError, NodeResult, PureNode
from execsvc.engine.secrecy import OPEN, Reveal, secrecy_of
from execsvc.engine.tracing import within
from execsvc.log_fields import current_fields, fields
from execsvc.model import ErrorInfo, TokenUsage
from execsvc.record import record
from execsvc.secrets import NOTHING, Scrubber

logger = logging.getLogger(__name__)

#: Seconds a provider's Retry-After is honoured for at most.
MAX_RETRY_AFTER: Final = 3600.0
#: Around the work of a node without a timeout: ``asyncio.timeout(None)`` costs each several times as much.
_NO_LIMIT: Final = nullcontext()


@record(frozen=True, slots=True, kw_only=True)
class Success:
    """An attempt that gave a result."""

    value: Any
    #: The same as JSON text.
    output: bytes
    branch: str | None
    usage: TokenUsage | None


@record(frozen=True, slots=True, kw_only=True)
class Failure:
    """An attempt that failed."""

    error: ErrorInfo
    #: Seconds that whoever refused asked to wait for.
    retry_after: float | None = None
    usage: TokenUsage | None = None


def attempt_inline(executor: PureNode, node: PlanNode, context: NodeContext) -> Success | Failure:
    """Run a pure node on the spot."""
    try:
        return _success(executor.run(node.config, context))
    except (Exception, SystemExit) as error:
        return _failure(error, context)


async def attempt_in_lane(
    lanes: Lanes, executor: EffectNode, node: PlanNode, context: NodeContext, *, reveal: Reveal
) -> Success | Failure:
    """Run an effect node as a LangGraph task, within the node's timeout.

    Args:
        reveal: gives the values of secrets; asked where the node names any.
    """
    limit = None if node.timeout is None else asyncio.timeout(node.timeout / 1e6)
    secrecy = OPEN
    try:
        async with limit or _NO_LIMIT:
            if node.secrets:
                secrecy = await secrecy_of(node.secrets, context, reveal)
                context = secrecy.context or context
            said = {**current_fields(), "node_id": node.id, "attempt": str(context.attempt)}

            async def work() -> NodeResult:
                # A lane's task knows nothing of whoever waits for it.
                with fields(said):
                    return await secrecy.inside(executor.run(node.config, context))

            result = await lanes.run(work if context.trace is None else within(context.trace, work))
        if secrecy.scrubber:
            # Beside the loop: a look through megabytes takes a while.
            return await asyncio.to_thread(_success, result, secrecy.scrubber)
        return _success(result)
    except TimeoutError as error:
        if limit is None or not limit.expired():
            return _failure(error, context, secrecy.scrubber)
        seconds = (node.timeout or 0) / 1e6
        return _failure(
            NodeError("NODE_TIMEOUT", f"no result within the node's timeout of {seconds:g} s", retryable=True), context
        )
    except asyncio.CancelledError as error:
        if (current := asyncio.current_task()) is not None and current.cancelling():
            raise
        # Nobody cancelled this: something the node awaited was, which is a failure like any other.
        return _failure(error, context, secrecy.scrubber)
    except (Exception, SystemExit) as error:
        # Code of a node must not be able to end the server.
        return _failure(error, context, secrecy.scrubber)
    finally:
        secrecy.end()


def backoff(policy: RetryPolicy, failure: Failure, *, before: int = 0) -> float:
    """Seconds to wait before the next attempt: exponential with jitter, and no less than was asked for.

    Args:
        before: attempts that the policy does not count.
    """
    initial, most = policy.initial_backoff / 1e6, policy.max_backoff / 1e6
    wait = initial * policy.multiplier ** (failure.error.attempt - before - 1) + random.uniform(0, initial / 2)
    return max(min(wait, most), min(failure.retry_after or 0.0, MAX_RETRY_AFTER))


def failed(error: NodeError, context: NodeContext) -> Failure:
    """Make a failure of what went wrong after an attempt itself."""
    return _failure(error, context)


def _success(result: NodeResult, scrubber: Scrubber = NOTHING) -> Success:
    value, output = result.output, encode(result.output, checked=result.checked)
    if scrubber and (hidden := scrubber.hide_in(value, output)) is not value:
        value, output = hidden, encode(hidden, checked=result.checked)
    branch = result.branch if result.branch is None else scrubber.hide(result.branch)
    return Success(value=value, output=output, branch=branch, usage=result.usage)


def encode(value: Any, *, checked: bool = False) -> bytes:
    """JSON text of a node's result.

    Args:
        checked: whether it was looked through already.

    Raises:
        NodeError: OUTPUT_NOT_JSON or OUTPUT_TOO_LARGE.
    """
    try:
        output = orjson.dumps(value)
    except (TypeError, ValueError, RecursionError) as error:
        raise NodeError("OUTPUT_NOT_JSON", f"the result is no JSON value: {error}") from error
    if len(output) > MAX_OUTPUT:
        raise NodeError("OUTPUT_TOO_LARGE", f"the result has {len(output)} bytes; at most {MAX_OUTPUT} are allowed")
    # Both are rare, and so are the outputs that could have them at all.
    if not checked and (output.count(b"{") + output.count(b"[") > MAX_DEPTH or b"null" in output):
        problems = Problems()
        check_json(value, "output", problems)
        if len(problems):
            first = problems.in_order()[0]
            raise NodeError("OUTPUT_NOT_JSON", f"{first.path}: {first.message}")
    return output


def _failure(error: BaseException, context: NodeContext, scrubber: Scrubber = NOTHING) -> Failure:
    retry_after = usage = None
    if isinstance(error, Refusal):
        error = NodeError(error.type, error.message)
    if isinstance(error, NodeError):
        kind, message = bounded(scrubber.hide(error.type)), bounded(scrubber.hide(error.message))
        retryable, retry_after, usage = error.retryable, error.retry_after, error.usage
    else:
        # Whatever the text of an unforeseen error holds belongs in the server's log, not in front of a client.
        about = {"node_id": context.node_id, "attempt": context.attempt}
        logger.error(
            "node %s of execution %s raised", context.node_id, context.execution_id, exc_info=error, extra=about
        )
        kind, message, retryable = "NODE_CRASHED", f"the node raised {type(error).__name__}", False
    return Failure(
        error=ErrorInfo(
            type=kind, message=message, node_id=context.node_id, retryable=retryable, attempt=context.attempt
        ),
        retry_after=retry_after,
        usage=usage,
    )
