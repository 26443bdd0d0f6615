"""What an llm node makes of a good answer."""

from __future__ import annotations

import asyncio

import pytest
import uvloop

from execsvc.engine.nodes.llm import LlmNode
from execsvc.model import LogLevel, TokenUsage
from tests.integration.llm.harness import NETWORK, Recorder, llm_config
from tests.servers import ChatServer


async def test_pieces_are_handed_on_in_order_and_make_up_the_output(node: LlmNode, chat: ChatServer) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:ok", prompt="one two three", base_url=chat.base_url)

    result = await node.run(config, recorder.context)

    assert recorder.tokens == ["one ", "two ", "three"]
    assert result.output == "one two three"


async def test_pieces_arrive_while_the_model_still_writes(node: LlmNode, chat: ChatServer) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:ok", prompt="@@hang words=2@@ early to rise", base_url=chat.base_url)

    run = asyncio.ensure_future(node.run(config, recorder.context))
    await recorder.until(tokens=2)

    assert not run.done()
    run.cancel()
    with pytest.raises(asyncio.CancelledError):
        await run


async def test_usage_is_what_the_server_counted(node: LlmNode, chat: ChatServer) -> None:
    config = llm_config(model="openai:ok", system="be brief", prompt="one two three", base_url=chat.base_url)

    result = await node.run(config, Recorder().context)

    assert result.usage == TokenUsage(input_tokens=5, output_tokens=3, total_tokens=8)


async def test_the_conversation_is_sent_as_written_with_its_templates_filled(node: LlmNode, chat: ChatServer) -> None:
    config = llm_config(
        model="openai:ok",
        system="you help {{input.who}}",
        messages=[
            {"role": "user", "content": "hello"},
            {"role": "assistant", "content": "hi"},
            {"role": "user", "content": "conversation <{{input.topic}}> & more"},
        ],
        parameters={"temperature": 0.25, "max_tokens": 7, "stop": ["END"]},
        base_url=chat.base_url,
    )

    await node.run(config, Recorder(who="Ada", topic="a&b").context)

    (request,) = chat.requests(prompt="conversation <a&b> & more")
    assert [(message["role"], message["content"]) for message in request["body"]["messages"]] == [
        ("system", "you help Ada"),
        ("user", "hello"),
        ("assistant", "hi"),
        ("user", "conversation <a&b> & more"),
    ]
    assert request["body"]["temperature"] == 0.25
    assert request["body"]["max_tokens" if "max_tokens" in request["body"] else "max_completion_tokens"] == 7
    assert request["body"]["stop"] == ["END"]


@pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")
async def test_content_in_blocks_is_read_as_text(node: LlmNode, chat: ChatServer) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:blocks", prompt="one two", base_url=chat.base_url)

    result = await node.run(config, recorder.context)

    assert (result.output, recorder.tokens) == ("one two", ["one ", "two"])


async def test_a_character_split_between_pieces_is_whole_again(node: LlmNode, chat: ChatServer) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:surrogates", prompt="smile", base_url=chat.base_url)

    result = await node.run(config, recorder.context)

    assert result.output == "😀"
    assert recorder.tokens == ["😀"]


async def test_an_answer_cut_by_its_token_limit_is_reported(node: LlmNode, chat: ChatServer) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:length", prompt="one two", base_url=chat.base_url)

    result = await node.run(config, recorder.context)

    assert result.output == "one two"
    (warning,) = [entry for entry in recorder.logged if entry[0] is LogLevel.WARNING]
    assert warning[2]["finish_reason"] == "length"


async def test_the_log_says_which_model_was_asked_but_never_what(node: LlmNode, chat: ChatServer) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:ok", prompt="confidential matter", base_url=chat.base_url)

    await node.run(config, recorder.context)

    assert recorder.logged == [(LogLevel.DEBUG, "asking the model", {"model": "openai:ok", "messages": 1})]


async def test_a_closed_node_can_be_used_again(node: LlmNode, chat: ChatServer) -> None:
    config = llm_config(model="openai:ok", prompt="again", base_url=chat.base_url)

    first = await node.run(config, Recorder().context)
    await node.aclose()
    second = await node.run(config, Recorder().context)

    assert first == second


def test_one_node_serves_several_event_loops_uvloop_among_them(chat: ChatServer) -> None:
    node = LlmNode()
    config = llm_config(model="openai:ok", prompt="loops", base_url=chat.base_url)

    async def ask() -> object:
        try:
            return (await node.run(config, Recorder().context)).output
        finally:
            await node.aclose()
            await NETWORK.aclose()

    assert [asyncio.run(ask()), uvloop.run(ask()), asyncio.run(ask())] == ["loops"] * 3


async def test_many_calls_at_once_do_not_mix(node: LlmNode, chat: ChatServer) -> None:
    recorders = [Recorder() for _ in range(40)]
    configs = [
        llm_config(model="openai:ok", prompt=f"caller {number} of forty", base_url=chat.base_url)
        for number in range(len(recorders))
    ]

    results = await asyncio.gather(
        *(node.run(config, recorder.context) for config, recorder in zip(configs, recorders, strict=True))
    )

    assert [result.output for result in results] == [f"caller {number} of forty" for number in range(40)]
    assert ["".join(recorder.tokens) for recorder in recorders] == [result.output for result in results]
