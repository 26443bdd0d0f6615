"""Put the values of secrets into what a model is made of: its key, its headers, its parameters."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from execsvc.definition.plan import LlmConfig
from execsvc.engine.nodes.executor import NodeError
from execsvc.engine.nodes.llm_providers import OFFLINE, PROVIDERS, check_parameters, find_provider
from execsvc.secrets import SecretText

#: Where providers look for a key.
_KEY_HEADERS: Final = frozenset({"api-key", "authorization", "x-api-key"})


def options_of(config: LlmConfig, secrets: Mapping[str, str]) -> dict[str, Any]:
    """Give what the model's class is called with of what the config says, values of secrets filled in.

    Raises:
        NodeError: LLM_UNKNOWN_PROVIDER, or LLM_BAD_PARAMETERS for what a workflow may not set, or this provider does
            not take.
    """
    provider, _ = find_provider(config.model)
    options: dict[str, Any] = {name: _revealed(value, secrets) for name, value in config.parameters.items()}
    if provider == OFFLINE:
        # It takes whatever the real model would, so that a workflow can be tried without one.
        return options
    references = {
        name for name, value in config.parameters.items() if isinstance(value, SecretText) and value.is_reference
    }
    check_parameters(options, references)
    known = PROVIDERS.get(provider)
    if config.api_key is not None:
        if known is not None and not known.keys:
            raise NodeError("LLM_BAD_PARAMETERS", f"{provider} models take no api_key")
        options[known.key_field if known is not None else "api_key"] = _sendable(
            "api_key", config.api_key.reveal(secrets)
        )
    if config.headers:
        if known is not None and not (known.headers or known.openai_client):
            raise NodeError("LLM_BAD_PARAMETERS", f"{provider} models take no headers")
        options["default_headers"] = {
            name: _sendable(f"headers.{name}", text.reveal(secrets)) for name, text in config.headers.items()
        }
    return options


def own_headers_of(config: LlmConfig) -> frozenset[str]:
    """Name the headers that hold what the config says, and so nothing of the server's, in lower case."""
    named = {name.lower() for name in config.headers}
    return frozenset(named | _KEY_HEADERS if has_key(config) else named)


def has_key(config: LlmConfig) -> bool:
    """Whether a config names a key of its own; the server's is not used then."""
    return config.api_key is not None or "api_key" in config.parameters


def _revealed(value: Any, secrets: Mapping[str, str]) -> Any:
    if isinstance(value, SecretText):
        return value.reveal(secrets)
    if isinstance(value, Mapping):
        return {name: _revealed(part, secrets) for name, part in value.items()}
    if isinstance(value, list):
        return [_revealed(part, secrets) for part in value]
    return value


def _sendable(field: str, text: str) -> str:
    # A line end would begin another header; HTTP libraries refuse it with words that repeat the value.
    if not text.isprintable() or not text.isascii():
        raise NodeError("SECRET_UNUSABLE", f"{field}: what is filled in cannot be sent: it is not one line of ASCII")
    return text
