"""The offline model behind ``echo:``: no network, no intelligence; it repeats the last user message."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Mapping
from typing import Any

from langchain_core.callbacks.manager import (
    AsyncCallbackManager,
    AsyncCallbackManagerForLLMRun,
    CallbackManagerForLLMRun,
)
from langchain_core.language_models import BaseChatModel, LanguageModelInput
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.messages.ai import UsageMetadata
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables import Runnable, RunnableConfig, RunnableLambda
from langchain_core.runnables.config import ensure_config

from execsvc.engine.nodes.schema_sample import Wanted

#: Answers of up to this many words come in one piece, unless a delay asks to see them grow.
_ONE_PIECE_WORDS = 8
#: Longer ones in at most this many, so that a huge prompt does not hold the event loop.
_MOST_PIECES = 64
_WORD = re.compile(r"\S+\s*|\s+")


class EchoChatModel(BaseChatModel):
    """Offline stand-in for a language model, for demos and tests: it repeats the last user message.

    It counts words as tokens. Asked for structured output it answers the first JSON value in that message that
    fits the schema, else a minimal value that does.
    """

    #: Seconds an answer takes, spread over its pieces.
    delay: float = 0.0

    @property
    def _llm_type(self) -> str:
        return "echo"

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        text = _answer(messages, kwargs.get("wanted"))
        message = AIMessage(
            content=text,
            usage_metadata=_usage(messages, text),
            response_metadata={"finish_reason": "stop", "model_name": "echo"},
        )
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        if self.delay:
            await asyncio.sleep(self.delay)
        if kwargs.get("wanted") is None:
            return self._generate(messages, stop, None, **kwargs)
        # To find what fits a schema can take seconds.
        return await asyncio.to_thread(self._generate, messages, stop, None, **kwargs)

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        text = _answer(messages, kwargs.get("wanted"))
        *pieces, last = _pieces(text, by_word=self.delay > 0)
        wait = self.delay / (len(pieces) + 1)
        for piece in pieces:
            if wait:
                await asyncio.sleep(wait)
            yield ChatGenerationChunk(message=AIMessageChunk(content=piece))
        if wait:
            await asyncio.sleep(wait)
        yield ChatGenerationChunk(
            message=AIMessageChunk(
                content=last,
                usage_metadata=_usage(messages, text),
                response_metadata={"finish_reason": "stop", "model_name": "echo"},
                chunk_position="last",
            )
        )

    async def astream(
        self,
        input: LanguageModelInput,
        config: RunnableConfig | None = None,
        *,
        stop: list[str] | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[AIMessageChunk]:
        """Stream the answer. Callbacks and traces work as with any model.

        LangChain assembles about 150 µs of run records a call for callback handlers, even where there is none;
        echo answers in less, and benchmarks run it thousands of times a second. So without handlers there is no record.
        """
        found = ensure_config(config)
        listeners = AsyncCallbackManager.configure(
            found.get("callbacks"), self.callbacks, self.verbose, found.get("tags"), self.tags
        )
        if listeners.handlers:
            async for message in super().astream(input, config, stop=stop, **kwargs):
                yield message
            return
        plain = isinstance(input, list) and all(isinstance(message, BaseMessage) for message in input)
        messages: Any = input if plain else self._convert_input(input).to_messages()
        async for chunk in self._astream(messages, stop, None, **kwargs):
            yield chunk.message  # type: ignore[misc]

    def with_structured_output(
        self, schema: Any, *, include_raw: bool = False, **kwargs: Any
    ) -> Runnable[LanguageModelInput, Any]:
        """Answer JSON for a JSON Schema; other kinds of schema are refused with TypeError."""
        if not isinstance(schema, Mapping):
            raise TypeError("the echo model takes a JSON Schema")

        def read(raw: AIMessage) -> Any:
            value = json.loads(raw.text)
            return {"raw": raw, "parsed": value, "parsing_error": None} if include_raw else value

        return self.bind(wanted=Wanted(schema)) | RunnableLambda(read)


def _answer(messages: list[BaseMessage], wanted: Wanted | None) -> str:
    for message in reversed(messages):
        if isinstance(message, HumanMessage):
            break
    else:
        message = messages[-1]
    content = message.content
    text = content if isinstance(content, str) else str(message.text)
    return text if wanted is None else json.dumps(wanted.find(text), ensure_ascii=False)


def _usage(messages: list[BaseMessage], answer: str) -> UsageMetadata:
    asked = sum(len(str(message.content).split()) for message in messages)
    answered = len(answer.split())
    return UsageMetadata(input_tokens=asked, output_tokens=answered, total_tokens=asked + answered)


def _pieces(text: str, *, by_word: bool) -> list[str]:
    """Cut a text so that joining the pieces gives it back; at least one piece, at most 64."""
    if not by_word and text.count(" ") < _ONE_PIECE_WORDS and len(text) <= 1024:
        return [text]
    if len(text) > 65_536:
        step = -(-len(text) // _MOST_PIECES)
        return [text[start : start + step] for start in range(0, len(text), step)]
    words = _WORD.findall(text) or [""]
    step = -(-len(words) // _MOST_PIECES)
    return ["".join(words[start : start + step]) for start in range(0, len(words), step)]
