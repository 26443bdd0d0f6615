"""Which model a config gets, and why it may get none."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from langchain_openai import ChatOpenAI

from execsvc.engine.nodes.executor import NodeError
from execsvc.engine.nodes.llm import LlmNode
from execsvc.engine.nodes.llm_models import LlmModels
from execsvc.engine.nodes.llm_providers import check_parameters
from tests.integration.llm.harness import NETWORK, Recorder, failure, llm_config
from tests.servers import ChatServer

FIELDS_OF_THE_SERVER = [
    {"api_key": "sk-mine-12345678"},
    {"openai_api_key": "sk-mine-12345678"},
    {"base_url": "http://elsewhere.example/v1"},
    {"openai_api_base": "http://elsewhere.example/v1"},
    {"openai_proxy": "http://elsewhere.example"},
    {"default_headers": {"Authorization": "mine"}},
    {"http_client": 1},
    {"async_client": 1},
    {"callbacks": []},
    {"cache": True},
    {"max_retries": 9},
    {"timeout": 1},
    {"stream_chunk_timeout": 1},
    {"model": "another"},
]


async def test_a_model_is_built_once_for_the_same_settings() -> None:
    models = LlmModels()
    first, same, other = (
        llm_config(model="openai:m", prompt=prompt, parameters=parameters, base_url="http://127.0.0.1:9/v1")
        for prompt, parameters in (("a", {"temperature": 0}), ("b", {"temperature": 0}), ("a", {"temperature": 1}))
    )

    built = await asyncio.gather(*(models.get(config, NETWORK) for config in (first, same, other, first)))
    again = await models.get(first, NETWORK)

    assert built[0].model is built[1].model is built[3].model is again.model
    assert built[0].model is not built[2].model


async def test_models_of_one_loop_share_their_connections() -> None:
    models = LlmModels()
    configs = [llm_config(model=f"openai:m{n}", prompt="a", base_url=f"http://127.0.0.1:{n}/v1") for n in (8, 9)]

    first, second = [(await models.get(config, NETWORK)).model for config in configs]
    await NETWORK.aclose()

    client: Any = first
    assert client.http_async_client is second.http_async_client  # type: ignore[attr-defined]
    assert client.http_async_client.is_closed
    assert client.root_client is None, "a blocking client would be built for nothing"


async def test_no_more_models_are_kept_than_allowed() -> None:
    models = LlmModels(size=2)
    configs = [llm_config(model="echo:", prompt=f"{n}", parameters={"delay": n}) for n in range(3)]

    built = [await models.get(config, NETWORK) for config in configs]
    kept, evicted = await models.get(configs[2], NETWORK), await models.get(configs[0], NETWORK)

    assert kept is built[2]
    assert evicted is not built[0]
    assert evicted.model is not built[0].model


async def test_a_config_in_the_place_of_another_gets_its_own_model() -> None:
    models = LlmModels()

    for number in range(300):
        # Each config may take the memory, and so the id, of one before it.
        config = llm_config(model="echo:", prompt="x", parameters={"delay": number})
        prepared = await models.get(config, NETWORK)
        assert prepared.config is config


async def test_the_key_is_read_from_the_environment_at_each_request(
    node: LlmNode, chat: ChatServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = llm_config(model="openai:ok", prompt="whose key", base_url=chat.base_url)

    for value in ("first-key-0123", "second-key-0123", None):
        if value is None:
            monkeypatch.delenv("OPENAI_API_KEY")
        else:
            monkeypatch.setenv("OPENAI_API_KEY", value)
        await node.run(config, Recorder().context)

    sent = [request["authorization"] for request in chat.requests(prompt="whose key")]
    assert sent == ["Bearer first-key-0123", "Bearer second-key-0123", "Bearer none"]


async def test_a_missing_key_is_named(node: LlmNode) -> None:
    error = await failure(node, llm_config(model="openai:gpt-4o-mini", prompt="hi"))

    assert (error.type, error.retryable) == ("LLM_NO_API_KEY", False)
    assert "OPENAI_API_KEY" in error.message


async def test_a_missing_package_is_named_with_the_extra_that_brings_it(node: LlmNode) -> None:
    error = await failure(node, llm_config(model="xai:grok", prompt="hi"))

    assert (error.type, error.retryable) == ("LLM_PROVIDER_MISSING", False)
    assert 'pip install "execsvc[xai]"' in error.message


async def test_a_package_without_an_extra_is_named_itself(node: LlmNode) -> None:
    error = await failure(node, llm_config(model="upstage:solar", prompt="hi"))

    assert error.type == "LLM_PROVIDER_MISSING"
    assert "pip install langchain-upstage" in error.message


async def test_an_unknown_provider_is_refused_with_the_known_ones(node: LlmNode) -> None:
    error = await failure(node, llm_config(model="nosuch:model", prompt="hi"))

    assert (error.type, error.retryable) == ("LLM_UNKNOWN_PROVIDER", False)
    assert "openai" in error.message


@pytest.mark.parametrize("parameters", FIELDS_OF_THE_SERVER, ids=lambda parameters: next(iter(parameters)))
async def test_a_workflow_cannot_set_what_belongs_to_the_server(
    node: LlmNode, chat: ChatServer, parameters: dict[str, Any]
) -> None:
    name = next(iter(parameters))
    prompt = f"take over {name}"
    config = llm_config(model="openai:ok", prompt=prompt, parameters=parameters, base_url=chat.base_url)

    error = await failure(node, config)

    assert (error.type, error.retryable) == ("LLM_BAD_PARAMETERS", False)
    assert f"parameters.{name} " in error.message
    assert chat.requests(prompt=prompt) == []


async def test_a_workflow_cannot_set_headers_by_the_arguments_of_a_call(node: LlmNode, chat: ChatServer) -> None:
    parameters = {"model_kwargs": {"extra_headers": {"Host": "elsewhere.example"}}}
    config = llm_config(model="openai:ok", prompt="smuggle", parameters=parameters, base_url=chat.base_url)

    error = await failure(node, config)

    assert (error.type, chat.requests(prompt="smuggle")) == ("LLM_BAD_PARAMETERS", [])
    assert "parameters.model_kwargs.extra_headers " in error.message


def test_fields_of_the_openai_model_that_reach_outside_are_reserved() -> None:
    fields = {name for name in ChatOpenAI.model_fields if not _allowed(name)}
    aliases = {field.alias for field in ChatOpenAI.model_fields.values() if field.alias and not _allowed(field.alias)}

    assert fields >= {
        *("openai_api_key", "openai_api_base", "openai_proxy", "default_headers", "http_client", "http_async_client"),
        *("client", "async_client", "root_client", "root_async_client", "http_socket_options", "request_timeout"),
        *("max_retries", "stream_chunk_timeout", "callbacks", "cache", "rate_limiter", "custom_get_token_ids"),
    }
    assert aliases >= {"api_key", "base_url", "timeout"}


def test_what_steers_an_answer_is_allowed() -> None:
    names = "temperature top_p top_k max_tokens max_completion_tokens stop seed n frequency_penalty reasoning_effort"
    assert [name for name in names.split() if not _allowed(name)] == []


def _allowed(name: str) -> bool:
    try:
        check_parameters({name: 1})
    except NodeError:
        return False
    return True


@pytest.mark.parametrize("parameters", [{"temperature": "hot"}, {"no_such_thing": 1}])
async def test_a_parameter_that_the_model_does_not_take_is_explained(
    node: LlmNode, chat: ChatServer, parameters: dict[str, Any]
) -> None:
    config = llm_config(model="openai:ok", prompt="hi", parameters=parameters, base_url=chat.base_url)

    error = await failure(node, config)

    assert (error.type, error.retryable) == ("LLM_BAD_PARAMETERS", False)
    assert next(iter(parameters)) in error.message
