"""Build LangChain chat models from llm configs and keep them: keys, provider packages, and which HTTP client."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import re
import secrets as random
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from execsvc.definition.plan import LlmConfig
from execsvc.definition.schemas import compile_schema
from execsvc.egress import AddressNotAllowed
from execsvc.egress.network import Network
from execsvc.engine.nodes.executor import NodeError
from execsvc.engine.nodes.foreign_words import redact
from execsvc.engine.nodes.llm_credentials import has_key, options_of
from execsvc.engine.nodes.llm_errors import describe, scrub
from execsvc.engine.nodes.llm_providers import OFFLINE, PROVIDERS, find_provider

# LangChain and the providers' packages take seconds to import: each is loaded when a node first needs it.
if TYPE_CHECKING:
    import httpx2
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import BaseMessage
    from langchain_core.runnables import Runnable

_NO_SECRETS: Mapping[str, str] = {}
#: Of this process alone, so that what is kept of secrets tells nobody which they are.
_KEY = random.token_bytes(32)
#: Sent to OpenAI-compatible servers where there is no key: many local ones need none, the SDK insists on one.
_NO_KEY = "none"
#: Name OpenAI gives a JSON Schema by; it allows no other characters.
_SCHEMA_NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """How a structured answer is asked for and checked."""

    #: Answers ``{"raw": message, "parsed": value, "parsing_error": error}``.
    runnable: Runnable[Any, Any]
    #: Made by ``compile_schema``.
    validator: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An llm config, ready to be called."""

    #: The very object it was made from.
    config: LlmConfig
    model: BaseChatModel
    #: Message class for each of the config's messages.
    kinds: tuple[type[BaseMessage], ...]
    #: None: the answer is text.
    answer: Answer | None
    #: Whether it is the built-in model, which asks nobody.
    offline: bool
    #: Model and server, for people.
    where: str
    #: Host that gets no key of the server's, since the operator's list does not name it; empty: there is none.
    without_key: str


class _Loop:
    """What belongs to one event loop: connections cannot move to another."""

    def __init__(self, network: Network) -> None:
        self.network = network
        #: By id of the config, which ``Prepared.config`` keeps alive, so that an id is never another's, and by what
        #: stands for the secrets.
        self.prepared: OrderedDict[tuple[int, bytes], Prepared] = OrderedDict()
        self.models: OrderedDict[tuple[str, str, bytes], BaseChatModel] = OrderedDict()
        #: Held while a model is built, so that a burst builds it once.
        self.building = asyncio.Lock()


class LlmModels:
    """The models in use. Belongs to no event loop; what it keeps for one is dropped with it.

    Args:
        size: how many models, and how many configs, are kept for each event loop; the least used go first.
        connect_timeout: seconds to wait for a connection.
        read_timeout: seconds to wait for the next bytes of an answer.
    """

    def __init__(self, *, size: int = 256, connect_timeout: float = 10.0, read_timeout: float = 600.0) -> None:
        self._size = size
        self._connect_timeout = connect_timeout
        self._read_timeout = read_timeout
        self._loops: WeakKeyDictionary[asyncio.AbstractEventLoop, _Loop] = WeakKeyDictionary()

    async def get(self, config: LlmConfig, network: Network, secrets: Mapping[str, str] = _NO_SECRETS) -> Prepared:
        """Answer the config's model, built at most once. Raises NodeError where that is impossible.

        Args:
            secrets: values of those the config names; with others the model is another one.
        """
        running = asyncio.get_running_loop()
        loop = self._loops.get(running)
        if loop is None or loop.network is not network:
            loop = self._loops[running] = _Loop(network)
        key = (id(config), _stand_in(secrets))
        prepared = loop.prepared.get(key)
        if prepared is None:
            prepared = _prepare(config, await self._model(loop, config, secrets), network)
            _keep(loop.prepared, key, prepared, self._size)
        else:
            loop.prepared.move_to_end(key)
        return prepared

    def forget(self) -> None:
        """Forget the models of the running event loop. They may be asked for again."""
        self._loops.pop(asyncio.get_running_loop(), None)

    async def _model(self, loop: _Loop, config: LlmConfig, secrets: Mapping[str, str]) -> BaseChatModel:
        options = options_of(config, secrets)
        key = (config.model, config.base_url, _stand_in(options))
        model = loop.models.get(key)
        if model is None:
            async with loop.building:
                model = loop.models.get(key)
                if model is None:
                    model = await self._build(loop, config, options)
        _keep(loop.models, key, model, self._size)
        return model

    async def _build(self, loop: _Loop, config: LlmConfig, options: dict[str, Any]) -> BaseChatModel:
        provider, name = find_provider(config.model)
        if provider == OFFLINE:
            return _echo(config)
        options.setdefault("max_retries", 0)
        if config.base_url:
            options["base_url"] = config.base_url
        client = _client(loop.network, config, provider)
        # A thread, since importing a provider's package takes a second or two.
        return await asyncio.to_thread(self._construct, client, config, provider, name, options)

    def _construct(
        self, client: httpx2.AsyncClient | None, config: LlmConfig, provider: str, name: str, options: dict[str, Any]
    ) -> BaseChatModel:
        known = PROVIDERS.get(provider)
        if known is not None and find_spec(known.package) is None:
            raise _missing(provider, "")
        try:
            from langchain.chat_models import init_chat_model

            if client is not None:
                # The config's own key counts.
                options = self._openai_options(client, config, provider) | options
            else:
                options["timeout"] = self._read_timeout
            if not has_key(config):
                _require_key(config, provider)
            model: BaseChatModel = init_chat_model(name, model_provider=provider, **options)
        except NodeError:
            raise
        except ImportError as error:
            raise _missing(provider, str(error)) from error
        except Exception as error:
            raise _refused(error, config) from scrub(error)
        return model

    def _openai_options(self, client: httpx2.AsyncClient, config: LlmConfig, provider: str) -> dict[str, Any]:
        import openai

        timeout = openai.Timeout(self._read_timeout, connect=self._connect_timeout)
        options = {
            "http_async_client": client,
            "timeout": timeout,
            # It waits by asyncio.wait_for, which on CPython 3.11 forgets a cancellation that comes together with a
            # chunk (python/cpython#86296); the read timeout ends a quiet stream as well.
            "stream_chunk_timeout": None,
            "stream_usage": config.parameters.get("stream_usage", True),
        }
        if provider == "openai":
            # Read at each request: the key is in no object that could be printed, and may change.
            options["api_key"] = _openai_key
        return options


def _stand_in(values: Mapping[str, Any]) -> bytes:
    """Stand for values in a key without being one of them."""
    if not values:
        return b""
    text = json.dumps(values, sort_keys=True, default=str)
    return hashlib.blake2b(text.encode(errors="surrogatepass"), key=_KEY, digest_size=16).digest()


def _client(network: Network, config: LlmConfig, provider: str) -> httpx2.AsyncClient | None:
    """Choose the HTTP client; None where the provider's package has one of its own. Raises NodeError."""
    known = PROVIDERS.get(provider)
    if known is not None and known.openai_client:
        return network.models if config.base_url else network.providers
    if config.base_url and not network.egress.trusts(config.base_url):
        # Nothing could be checked on the way, and the key goes along.
        raise NodeError(
            AddressNotAllowed.type,
            f"models of {provider} take only a base_url whose host the operator names: "
            f"--egress {_host(config.base_url)} (EXECSVC_EGRESS)",
        )
    return None


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


async def _openai_key() -> str:
    return os.environ.get("OPENAI_API_KEY") or _NO_KEY


def _keep(cache: OrderedDict[Any, Any], key: object, value: object, size: int) -> None:
    cache[key] = value
    cache.move_to_end(key)
    while len(cache) > size:
        cache.popitem(last=False)


def _echo(config: LlmConfig) -> BaseChatModel:
    from execsvc.engine.nodes.echo_model import EchoChatModel

    # Other parameters mean nothing to it, and must not stop a workflow from being tried without its real model.
    delay = config.parameters.get("delay", 0)
    if isinstance(delay, bool) or not isinstance(delay, int | float) or not 0 <= delay <= 3600:
        raise NodeError("LLM_BAD_PARAMETERS", f"delay is {delay!r}; for echo it is a number of seconds, 0 to 3600")
    return EchoChatModel(delay=delay)


def _prepare(config: LlmConfig, model: BaseChatModel, network: Network) -> Prepared:
    from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

    keyed = not config.base_url or has_key(config) or network.egress.trusts(config.base_url)
    kinds: dict[str, type[BaseMessage]] = {"system": SystemMessage, "user": HumanMessage, "assistant": AIMessage}
    return Prepared(
        config=config,
        model=model,
        kinds=tuple(kinds[role] for role, _ in config.messages),
        answer=None if config.response_schema is None else _answer(config, config.response_schema, model),
        offline=config.model.partition(":")[0] == OFFLINE,
        where=describe(config.model, config.base_url),
        without_key="" if keyed else _host(config.base_url),
    )


def _answer(config: LlmConfig, schema: Mapping[str, Any], model: BaseChatModel) -> Answer:
    # Providers ask for a name and find it in the title; LangChain takes only what has properties for a schema.
    title = str(schema.get("title", ""))
    named = {"properties": {}, **schema, "title": title if _SCHEMA_NAME.fullmatch(title) else "answer"}
    structured: Callable[..., Runnable[Any, Any]] = model.with_structured_output
    try:
        try:
            runnable = structured(named, method="json_schema", include_raw=True)
        except (NotImplementedError, TypeError, ValueError):
            # Not every provider has that method; the default one, usually tool calling, is there for all of them.
            runnable = structured(named, include_raw=True)
    except Exception as error:
        raise _refused(error, config) from scrub(error)
    return Answer(runnable=runnable, validator=compile_schema(dict(schema)))


def _require_key(config: LlmConfig, provider: str) -> None:
    known = PROVIDERS.get(provider)
    if known is None or not known.keys or any(os.environ.get(name) for name in known.keys):
        return
    # A compatible server elsewhere need not want a key.
    if provider == "openai" and (
        config.base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")
    ):
        return
    raise _no_key(config.model, known.keys[0])


def _no_key(model: str, variable: str) -> NodeError:
    return NodeError("LLM_NO_API_KEY", f"{model} needs an API key: set {variable} in the server's environment")


def _missing(provider: str, hint: str) -> NodeError:
    known = PROVIDERS.get(provider)
    named = re.search(r"pip install [\w.-]+", hint)
    if known is not None:
        install = (
            f'pip install "execsvc[{known.extra}]"' if known.extra else f"pip install {known.package.replace('_', '-')}"
        )
    else:
        install = named[0] if named else f"pip install langchain-{provider}"
    return NodeError("LLM_PROVIDER_MISSING", f"the package for {provider} models is not installed: {install}")


def _refused(error: Exception, config: LlmConfig) -> NodeError:
    """Explain why LangChain or the provider's package would not build the model."""
    problems: Any = getattr(error, "errors", None)
    if callable(problems):
        # Pydantic's own text repeats the input, which may hold a key.
        found: Any = problems(include_input=False, include_url=False, include_context=False)
        text = "; ".join(f"{'.'.join(map(str, problem['loc'])) or 'parameters'}: {problem['msg']}" for problem in found)
    else:
        text = str(error)
    text = redact(text)[:500]
    variable = re.search(r"\b[A-Z][A-Z0-9_]*_(?:API_)?(?:KEY|TOKEN)\b", text)
    if variable:
        return _no_key(config.model, variable[0])
    if "nsupported provider" in text or "Unsupported model_provider" in text:
        return NodeError(
            "LLM_UNKNOWN_PROVIDER", f"{config.model}: there is no such provider; known are {known_names()}"
        )
    return NodeError("LLM_BAD_PARAMETERS", f"{config.model} cannot be set up: {text}")


def known_names() -> str:
    """The providers by name, for people."""
    return ", ".join([OFFLINE, *sorted(PROVIDERS)])
