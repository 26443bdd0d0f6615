"""Answers by JSON Schema."""

from __future__ import annotations

import json

import pytest

from execsvc.engine.nodes.llm import LlmNode
from execsvc.model import TokenUsage
from tests.integration.llm.harness import ANSWER_SCHEMA, Recorder, failure, llm_config
from tests.servers import ChatServer


@pytest.mark.parametrize("model", ["json", "json-fenced"])
async def test_the_output_is_the_value_and_the_usage_is_kept(node: LlmNode, chat: ChatServer, model: str) -> None:
    config = llm_config(
        model=f"openai:{model}", prompt='give {"answer":"yes"}', base_url=chat.base_url, response_schema=ANSWER_SCHEMA
    )

    result = await node.run(config, Recorder().context)

    assert result.output == {"answer": "yes"}
    assert isinstance(result.usage, TokenUsage)
    assert result.usage.input_tokens == 2


async def test_the_server_is_asked_for_the_schema(node: LlmNode, chat: ChatServer) -> None:
    schema = {**ANSWER_SCHEMA, "title": "No name: it has spaces"}
    config = llm_config(model="openai:json", prompt="schema please", base_url=chat.base_url, response_schema=schema)

    await node.run(config, Recorder().context)

    (request,) = chat.requests(prompt="schema please")
    asked = request["body"]["response_format"]
    assert asked["type"] == "json_schema"
    assert asked["json_schema"]["name"] == "answer"
    assert asked["json_schema"]["schema"]["properties"] == ANSWER_SCHEMA["properties"]


@pytest.mark.parametrize(
    ("schema", "answer"),
    [
        ({"type": "object", "required": ["a"]}, {"a": 1}),
        ({"type": "object", "additionalProperties": {"type": "integer"}}, {"a": 1}),
        ({"anyOf": [{"type": "object", "required": ["a"]}, {"type": "object", "required": ["b"]}]}, {"a": 1}),
    ],
)
async def test_a_schema_need_not_list_properties(
    node: LlmNode, chat: ChatServer, schema: dict[str, object], answer: object
) -> None:
    config = llm_config(model="openai:json", prompt=json.dumps(answer), base_url=chat.base_url, response_schema=schema)
    assert (await node.run(config, Recorder().context)).output == answer


@pytest.mark.parametrize(
    ("model", "prompt", "reason"),
    [
        ("json-wrong", "x", "$.answer: 'answer' is required"),
        ("json", '{"answer": 5}', "$.answer: must be of type string"),
        ("json", '{"answer": "a", "n": NaN}', "NaN"),
        ("json", '{"answer": "a", "n": 1e999}', "1e999"),
        ("json-truncated", "x", "length"),
        ("ok", "prose", "not JSON"),
        ("ok", '{"answer": "half', "not JSON"),
    ],
)
async def test_a_wrong_answer_is_refused_and_may_be_asked_for_again(
    node: LlmNode, chat: ChatServer, model: str, prompt: str, reason: str
) -> None:
    config = llm_config(model=f"openai:{model}", prompt=prompt, base_url=chat.base_url, response_schema=ANSWER_SCHEMA)

    error = await failure(node, config)

    assert (error.type, error.retryable) == ("LLM_BAD_OUTPUT", True)
    assert reason in error.message
