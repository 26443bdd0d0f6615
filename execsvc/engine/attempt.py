"""One attempt of a node: run its executor, encode what it answers, and turn whatever goes wrong into an ErrorInfo."""

from __future__ import annotations

import asyncio
import logging
import random
from typing import Any, Final

import orjson

from execsvc.definition import MAX_DEPTH, PlanNode, Problems, RetryPolicy, check_json
from execsvc.egress import Refusal
from execsvc.engine.lanes import Lanes
from execsvc.engine.messages import bounded
from execsvc.engine.nodes.executor import EffectNode, NodeContext, NodeError, NodeResult, PureNode
from execsvc.model import ErrorInfo, TokenUsage
from execsvc.record import record

logger = logging.getLogger(__name__)

#: Bytes of JSON text of one node's result.
MAX_OUTPUT: Final = 4 * 1024 * 1024
#: Seconds a provider's Retry-After is honoured for at most.
MAX_RETRY_AFTER: Final = 3600.0


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
    lanes: Lanes, executor: EffectNode, node: PlanNode, context: NodeContext
) -> Success | Failure:
    """Run an effect node as a LangGraph task, within the node's timeout."""
    limit = asyncio.timeout(None if node.timeout is None else node.timeout / 1e6)
    try:
        async with limit:
            result = await lanes.run(lambda: executor.run(node.config, context))
        return _success(result)
    except TimeoutError as error:
        if not limit.expired():
            return _failure(error, context)
        seconds = (node.timeout or 0) / 1e6
        return _failure(
            NodeError("NODE_TIMEOUT", f"no result within the node's timeout of {seconds:g} s", retryable=True), context
        )
    except asyncio.CancelledError as error:
        if (current := asyncio.current_task()) is not None and current.cancelling():
            raise
        # Nobody cancelled this: something the node awaited was, which is a failure like any other.
        return _failure(error, context)
    except (Exception, SystemExit) as error:
        # Code of a node must not be able to end the server.
        return _failure(error, context)


def backoff(policy: RetryPolicy, failure: Failure, *, before: int = 0) -> float:
    """Seconds to wait before the next attempt: exponential with jitter, and no less than was asked for.

    Args:
        before: attempts that the policy does not count.
    """
    initial, most = policy.initial_backoff / 1e6, policy.max_backoff / 1e6
    wait = initial * policy.multiplier ** (failure.error.attempt - before - 1) + random.uniform(0, initial / 2)
    return max(min(wait, most), min(failure.retry_after or 0.0, MAX_RETRY_AFTER))


def _success(result: NodeResult) -> Success:
    output = encode(result.output)
    return Success(value=result.output, output=output, branch=result.branch, usage=result.usage)


def encode(value: Any) -> bytes:
    """JSON text of a node's result.

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
    if output.count(b"{") + output.count(b"[") > MAX_DEPTH or b"null" in output:
        problems = Problems()
        check_json(value, "output", problems)
        if len(problems):
            first = problems.in_order()[0]
            raise NodeError("OUTPUT_NOT_JSON", f"{first.path}: {first.message}")
    return output


def _failure(error: BaseException, context: NodeContext) -> Failure:
    retry_after = usage = None
    if isinstance(error, Refusal):
        error = NodeError(error.type, error.message)
    if isinstance(error, NodeError):
        kind, message = bounded(error.type), bounded(error.message)
        retryable, retry_after, usage = error.retryable, error.retry_after, error.usage
    else:
        # Whatever the text of an unforeseen error holds belongs in the server's log, not in front of a client.
        logger.error("node %s of execution %s raised", context.node_id, context.execution_id, exc_info=error)
        kind, message, retryable = "NODE_CRASHED", f"the node raised {type(error).__name__}", False
    return Failure(
        error=ErrorInfo(
            type=kind, message=message, node_id=context.node_id, retryable=retryable, attempt=context.attempt
        ),
        retry_after=retry_after,
        usage=usage,
    )
