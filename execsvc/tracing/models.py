"""Spans of calls to language models, by OpenTelemetry's conventions for generative AI."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import urlsplit

import orjson
from opentelemetry.sdk.trace import Tracer

from execsvc.engine import ModelRequest, NodeError
from execsvc.engine.secrecy import hidden_here
from execsvc.model import TokenUsage
from execsvc.tracing.client_spans import ClientSpan

#: What the conventions call providers that we call otherwise.
_PROVIDERS: Final = {
    "azure_openai": "azure.ai.openai",
    "bedrock": "aws.bedrock",
    "bedrock_converse": "aws.bedrock",
    "google_genai": "gcp.gemini",
    "mistralai": "mistral_ai",
    "xai": "x_ai",
}
#: Parameters that the conventions know; the same names under ``gen_ai.request``.
_NUMBERS: Final = ("temperature", "top_p", "top_k", "max_tokens", "frequency_penalty", "presence_penalty", "seed")
#: Ids that LangChain makes up where the provider gives none.
_MADE_UP: Final = ("lc_", "run-")


class ModelCallSpan(ClientSpan):
    """Implements ``engine.ModelCall``.

    Args:
        content: whether the span holds the messages and the answer.
    """

    def __init__(self, tracer: Tracer, request: ModelRequest, *, content: bool) -> None:
        model = request.model or request.provider
        super().__init__(tracer, f"chat {model}", content=content)
        self._answered = False
        if not self._span.is_recording():
            return
        self._span.set_attributes(
            {
                "gen_ai.operation.name": "chat",
                "gen_ai.provider.name": _PROVIDERS.get(request.provider, request.provider),
                "gen_ai.request.model": model,
                "gen_ai.request.stream": request.stream,
                "gen_ai.output.type": "json" if request.structured else "text",
            }
        )
        for name in _NUMBERS:
            value = request.parameters.get(name)
            if isinstance(value, int | float):
                self._span.set_attribute(f"gen_ai.request.{name}", value)
        if request.base_url:
            self._where(request.base_url)
        if content:
            self._prompt(request)

    def _where(self, base_url: str) -> None:
        try:
            url = urlsplit(base_url)
            port = url.port or (443 if url.scheme == "https" else 80)
        except ValueError:
            return
        if url.hostname:
            self._span.set_attributes({"server.address": url.hostname, "server.port": port})

    def _prompt(self, request: ModelRequest) -> None:
        system = [_text(text) for role, text in request.messages if role == "system"]
        others = [{"role": role, "parts": [_text(text)]} for role, text in request.messages if role != "system"]
        if system:
            self._span.set_attribute("gen_ai.system_instructions", _json(system))
        self._span.set_attribute("gen_ai.input.messages", _json(others))

    def failed(self, error: BaseException) -> None:
        """See ``ClientSpan``."""
        super().failed(error)
        if isinstance(error, NodeError) and not self._answered:
            self._used(error.usage)

    def answered(self, text: str, *, metadata: Mapping[str, Any], finish_reason: str, usage: TokenUsage | None) -> None:
        """See ``ModelCall``."""
        self._answered = True
        if not self._span.is_recording():
            return
        self._used(usage)
        if finish_reason:
            self._span.set_attribute("gen_ai.response.finish_reasons", [finish_reason])
        model, id = metadata.get("model_name") or metadata.get("model"), metadata.get("id")
        if isinstance(model, str):
            self._span.set_attribute("gen_ai.response.model", model)
        if isinstance(id, str) and not id.startswith(_MADE_UP):
            self._span.set_attribute("gen_ai.response.id", id)
        if self._content:
            answer = {"role": "assistant", "parts": [_text(text)], "finish_reason": finish_reason or "unknown"}
            self._span.set_attribute("gen_ai.output.messages", _json([answer]))

    def _used(self, usage: TokenUsage | None) -> None:
        if usage is not None:
            self._span.set_attribute("gen_ai.usage.input_tokens", usage.input_tokens)
            self._span.set_attribute("gen_ai.usage.output_tokens", usage.output_tokens)


def _text(text: str) -> dict[str, str]:
    # Whoever may see what was said must not see the secrets that it was said with.
    return {"type": "text", "content": hidden_here().hide(text)}


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
