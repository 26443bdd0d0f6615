"""Run llm nodes: ask a chat model, stream its answer, count its tokens."""

from __future__ import annotations

import asyncio
import json
import math
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, ClassVar, Literal, cast

from execsvc.definition.expressions import ExpressionError
from execsvc.definition.plan import LlmConfig
from execsvc.definition.problems import Problems
from execsvc.definition.schemas import check
from execsvc.definition.scope import Scope
from execsvc.definition.templates import FEW, render_all
from execsvc.egress.transport import own_headers
from execsvc.engine.nodes.executor import NodeContext, NodeError, NodeResult
from execsvc.engine.nodes.foreign_words import redact
from execsvc.engine.nodes.llm_credentials import own_headers_of
from execsvc.engine.nodes.llm_errors import node_error, scrub
from execsvc.engine.nodes.llm_models import Answer, LlmModels, Prepared
from execsvc.engine.tracing import ModelCall, ModelRequest
from execsvc.model import LogLevel, TokenUsage

if TYPE_CHECKING:
    from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage

#: Longest answer that is read, in characters; as much as a node may put out.
ANSWER_LIMIT = 4 * 1024 * 1024

#: Where providers say why an answer ended; ``status`` is OpenAI's Responses API.
_FINISH_KEYS = ("finish_reason", "stop_reason", "done_reason", "status")
#: Endings that leave an answer incomplete, lower-case.
_INCOMPLETE = frozenset({"content_filter", "incomplete", "length", "max_tokens", "safety"})


class LlmNode:
    """Executor of llm nodes.

    The provider is asked once an attempt: repeating is the engine's business, and so is the node's timeout.

    Args:
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds without a byte after which an answer is given up.
        now: seconds since the epoch, to read Retry-After dates by.
    """

    effect: ClassVar[Literal[True]] = True

    def __init__(
        self,
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 600.0,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._models = LlmModels(connect_timeout=connect_timeout, read_timeout=read_timeout)
        self._now = now

    async def run(self, config: LlmConfig, context: NodeContext) -> NodeResult:
        """Ask the model; the output is its text, or with a response schema the value it answered.

        Raises:
            NodeError: LLM_RATE_LIMITED, LLM_UNAVAILABLE, LLM_UNREACHABLE, LLM_BAD_RESPONSE and LLM_BAD_OUTPUT are
                retryable; LLM_AUTH, LLM_REJECTED, LLM_NO_API_KEY, LLM_PROVIDER_MISSING, LLM_UNKNOWN_PROVIDER,
                LLM_BAD_PARAMETERS, OUTPUT_TOO_LARGE and LLM_FAILED are not; nor is a template that fails.
        """
        own_headers.set(own_headers_of(config))
        prepared = await self._models.get(config, context.network, context.secrets)
        try:
            texts = await _texts(config, context.scope)
        except ExpressionError as error:
            raise NodeError(error.type, error.message) from error
        messages = [kind(content=text) for kind, text in zip(prepared.kinds, texts, strict=True)]
        facts: dict[str, Any] = {"model": config.model, "messages": len(messages)}
        if prepared.offline:
            facts["offline"] = True
        context.log(LogLevel.DEBUG, "asking the model", facts)
        if context.trace is None or not context.trace.sampled:
            return await self._call(prepared, messages, context, None)
        with context.trace.model_call(_request(prepared, messages)) as call:
            return await self._call(prepared, messages, context, call)

    async def _call(
        self, prepared: Prepared, messages: list[BaseMessage], context: NodeContext, call: ModelCall | None
    ) -> NodeResult:
        try:
            if prepared.answer is not None:
                return await _ask(prepared, prepared.answer, messages, call)
            return await _stream(prepared, messages, context, call)
        except NodeError:
            raise
        except Exception as error:
            raise node_error(error, where=prepared.where, now=self._now(), without_key=prepared.without_key) from scrub(
                error
            )

    async def aclose(self) -> None:
        """Forget the models of the running event loop. The node may be run again."""
        self._models.forget()


async def _texts(config: LlmConfig, scope: Scope) -> list[str]:
    templates = [template for _, template in config.messages]
    if len(templates) > FEW:
        return await asyncio.to_thread(render_all, templates, scope)
    return render_all(templates, scope)


def _request(prepared: Prepared, messages: list[BaseMessage]) -> ModelRequest:
    config = prepared.config
    provider, _, model = config.model.partition(":")
    roles = [role for role, _ in config.messages]
    return ModelRequest(
        provider=provider,
        model=model,
        base_url=config.base_url,
        parameters=config.parameters,
        messages=[(role, str(message.content)) for role, message in zip(roles, messages, strict=True)],
        structured=prepared.answer is not None,
        stream=prepared.answer is None,
    )


async def _stream(
    prepared: Prepared, messages: list[BaseMessage], context: NodeContext, call: ModelCall | None
) -> NodeResult:
    pieces: list[str] = []
    length = 0
    usage: TokenUsage | None = None
    ending = ""
    answered: dict[str, Any] = {}
    #: First half of a character that a server has split between two pieces.
    held = ""
    emit = context.emit_token
    # Closed at once on any way out, so that the connection is not left to the garbage collector.
    stream = cast("AsyncGenerator[AIMessageChunk, None]", prepared.model.astream(messages))
    async with aclosing(stream) as chunks:
        async for chunk in chunks:
            content = chunk.content
            piece = content if isinstance(content, str) else str(chunk.text)
            if piece:
                length += len(piece)
                if length > ANSWER_LIMIT:
                    raise _too_large(prepared, usage)
                pieces.append(piece)
                if held or not piece.isascii():
                    piece, held = _split(held + piece)
                if piece:
                    emit(piece)
            found = _usage(chunk)
            if found is not None:
                usage = found if usage is None else usage + found
            ending = _ending(chunk) or ending
            if call is not None:
                answered |= chunk.response_metadata | ({"id": chunk.id} if chunk.id else {})
    text = _well_formed("".join(pieces))
    if call is not None:
        call.answered(text, metadata=answered, finish_reason=ending, usage=usage)
    if not ending and _tells_ending(prepared):
        raise NodeError(
            "LLM_BAD_RESPONSE",
            f"{prepared.where} broke off before its answer was complete",
            retryable=True,
            usage=usage,
        )
    if ending in _INCOMPLETE:
        context.log(
            LogLevel.WARNING,
            f"the model ended its answer early: {ending}",
            {"model": prepared.config.model, "finish_reason": ending},
        )
    return NodeResult(output=text, usage=usage)


async def _ask(prepared: Prepared, answer: Answer, messages: list[BaseMessage], call: ModelCall | None) -> NodeResult:
    reply = await answer.runnable.ainvoke(messages)
    raw: AIMessage = reply["raw"]
    usage = _usage(raw)
    if call is not None:
        metadata = raw.response_metadata | ({"id": raw.id} if raw.id else {})
        call.answered(str(raw.text), metadata=metadata, finish_reason=_ending(raw), usage=usage)
    if len(str(raw.text)) > ANSWER_LIMIT:
        raise _too_large(prepared, usage)
    try:
        value = _value(raw, reply.get("parsed"))
    except (ValueError, TypeError, RecursionError) as error:
        ending = _ending(raw)
        why = f" (it ended early: {ending})" if ending in _INCOMPLETE else ""
        raise _bad_output(prepared, f"it is not JSON{why}: {error}", usage) from None
    problems = Problems()
    # It can take seconds, whatever the schema and the model are like.
    await asyncio.to_thread(check, answer.validator, value, "$", problems)
    if problems:
        reason = "; ".join(f"{found.path}: {found.message}" for found in problems.in_order())
        raise _bad_output(prepared, reason, usage)
    return NodeResult(output=value, usage=usage)


def _value(raw: AIMessage, parsed: Any) -> Any:
    """Read the value of a structured answer. Raises ValueError where there is none."""
    if raw.tool_calls:
        value = raw.tool_calls[0]["args"]
        text = json.dumps(value if parsed is None else parsed, allow_nan=False)
    else:
        # LangChain's parser completes JSON that was cut off, and so would pass half an answer for a whole one.
        text = str(raw.text).strip()
        if text.startswith("```") and text.endswith("```"):
            text = text.removeprefix("```").removesuffix("```").removeprefix("json")
        if not text:
            refusal = raw.additional_kwargs.get("refusal")
            raise ValueError(f"the model refused: {refusal}" if refusal else "the answer is empty")
    return json.loads(_well_formed(text), parse_float=_finite, parse_constant=_no_constant)


def _bad_output(prepared: Prepared, reason: str, usage: TokenUsage | None) -> NodeError:
    message = f"{prepared.where} did not answer what response_schema asks for: {reason}"
    return NodeError("LLM_BAD_OUTPUT", redact(message)[:1000], retryable=True, usage=usage)


def _too_large(prepared: Prepared, usage: TokenUsage | None) -> NodeError:
    message = f"{prepared.where} answers more than {ANSWER_LIMIT} characters"
    return NodeError("OUTPUT_TOO_LARGE", message, usage=usage)


def _usage(message: AIMessage | AIMessageChunk) -> TokenUsage | None:
    found = message.usage_metadata
    if not found:
        return None
    return TokenUsage(
        input_tokens=found["input_tokens"], output_tokens=found["output_tokens"], total_tokens=found["total_tokens"]
    )


def _ending(message: AIMessage | AIMessageChunk) -> str:
    metadata = message.response_metadata
    for key in _FINISH_KEYS:
        value = metadata.get(key)
        if value:
            return str(value).lower()
    return ""


def _tells_ending(prepared: Prepared) -> bool:
    """Whether a stream without an ending was cut: the chat completions API always names one."""
    return prepared.config.model.partition(":")[0] in ("openai", "azure_openai")


def _well_formed(text: str) -> str:
    """Make text that UTF-8 can hold: join surrogates that a stream split, replace lone ones."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")
    return text


def _split(text: str) -> tuple[str, str]:
    """Cut off a last high surrogate, whose other half is still to come, and make the rest well-formed."""
    if "\ud800" <= text[-1] <= "\udbff":
        return _well_formed(text[:-1]), text[-1]
    return _well_formed(text), ""


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text} is too large a number")
    return number


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON value")
