"""Which model providers there are: the extra to install, the environment variable of the key, what may be set."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from execsvc.egress import url_problem
from execsvc.engine.nodes.executor import NodeError

#: Provider of the built-in offline model.
OFFLINE = "echo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What is known of a provider before its package is loaded."""

    #: Module that its package brings; its distribution has the same name with hyphens.
    package: str
    #: Extra of this distribution that brings its package; empty: there is none.
    extra: str = ""
    #: Environment variables of its API key, any one of which is enough; empty: it needs none, or has other means.
    keys: tuple[str, ...] = ()
    #: Whether its class builds on ChatOpenAI and so takes our HTTP client.
    openai_client: bool = False


#: Any other provider that LangChain's init_chat_model knows works as well, once its package is installed.
PROVIDERS = {
    "anthropic": Provider(package="langchain_anthropic", extra="anthropic", keys=("ANTHROPIC_API_KEY",)),
    "azure_openai": Provider(
        package="langchain_openai", keys=("AZURE_OPENAI_API_KEY", "OPENAI_API_KEY"), openai_client=True
    ),
    "bedrock": Provider(package="langchain_aws", extra="aws"),
    "bedrock_converse": Provider(package="langchain_aws", extra="aws"),
    "cohere": Provider(package="langchain_cohere", keys=("COHERE_API_KEY",)),
    "deepseek": Provider(
        package="langchain_deepseek", extra="deepseek", keys=("DEEPSEEK_API_KEY",), openai_client=True
    ),
    "fireworks": Provider(package="langchain_fireworks", keys=("FIREWORKS_API_KEY",)),
    "google_genai": Provider(
        package="langchain_google_genai", extra="google-genai", keys=("GOOGLE_API_KEY", "GEMINI_API_KEY")
    ),
    "groq": Provider(package="langchain_groq", extra="groq", keys=("GROQ_API_KEY",)),
    "mistralai": Provider(package="langchain_mistralai", extra="mistralai", keys=("MISTRAL_API_KEY",)),
    "ollama": Provider(package="langchain_ollama", extra="ollama"),
    "openai": Provider(package="langchain_openai", keys=("OPENAI_API_KEY",), openai_client=True),
    "openrouter": Provider(package="langchain_openrouter", keys=("OPENROUTER_API_KEY",)),
    "perplexity": Provider(package="langchain_perplexity", keys=("PPLX_API_KEY",)),
    "together": Provider(package="langchain_together", keys=("TOGETHER_API_KEY",), openai_client=True),
    "xai": Provider(package="langchain_xai", extra="xai", keys=("XAI_API_KEY",), openai_client=True),
}

# LangChain passes parameters to the model's constructor, which also takes credentials, addresses and code hooks.
# A definition comes from a client: it must not point the server's key at another host, nor hold a key itself.
_RESERVED = re.compile(
    r"(?:^|_)(?:key|token|secret|password|credentials?|auth|url|uri|base|endpoint|host|proxy|headers?|client|"
    r"transport|socket|timeout|retries|callbacks?|cache|file|path|env)(?:$|_)"
)
_RESERVED_NAMES = frozenset(
    {
        "config_prefix",
        "configurable_fields",
        "custom_get_token_ids",
        "disable_streaming",
        "metadata",
        "model",
        "model_name",
        "model_provider",
        "name",
        "rate_limiter",
        "tags",
        "verbose",
    }
)


def operator_hosts(environment: Mapping[str, str]) -> tuple[str, ...]:
    """Give the hosts that need no naming, as rules: OpenAI's own, and those of its variables for an address."""
    hosts = ["https://api.openai.com"]
    for name in ("OPENAI_BASE_URL", "OPENAI_API_BASE"):
        url = environment.get(name, "")
        if url and not url_problem(url):
            hosts.append(urlsplit(url).netloc.rpartition("@")[2])
    return tuple(hosts)


def find_provider(model: str) -> tuple[str, str]:
    """Split ``provider:model``; the model's own name may hold further colons.

    Raises:
        NodeError: LLM_UNKNOWN_PROVIDER where no provider is named.
    """
    provider, colon, name = model.partition(":")
    if not colon or not provider or (not name and provider != OFFLINE):
        raise NodeError(
            "LLM_UNKNOWN_PROVIDER",
            f'model is {model!r}; write "provider:model" as in "openai:gpt-4o-mini", or "echo:" for the offline model',
        )
    return provider, name


def check_parameters(parameters: Mapping[str, Any]) -> None:
    """Refuse parameters that are no business of a workflow: connections, credentials, retries, hooks.

    Raises:
        NodeError: LLM_BAD_PARAMETERS.
    """
    # What model_kwargs holds becomes an argument of the provider's call, which takes headers as well.
    nested = parameters.get("model_kwargs")
    places = {f"model_kwargs.{name}": name for name in nested} if isinstance(nested, Mapping) else {}
    for place, name in ({name: name for name in parameters} | places).items():
        if name in _RESERVED_NAMES or _RESERVED.search(name.lower()):
            raise NodeError(
                "LLM_BAD_PARAMETERS",
                f"parameters.{place} cannot be set by a workflow; keys come from the server's environment, retries and "
                "timeouts from the node's own settings",
            )
