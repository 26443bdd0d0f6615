"""How each way a provider can fail reaches the engine."""

from __future__ import annotations

import asyncio
import logging
import socket
import traceback
from typing import Any

import pytest

from execsvc.engine.nodes import llm
from execsvc.engine.nodes.llm import LlmNode
from tests.integration.llm.harness import ANSWER_SCHEMA, Recorder, failure, llm_config
from tests.servers import ChatServer

TEXT: dict[str, Any] = {}
STRUCTURED: dict[str, Any] = {"response_schema": ANSWER_SCHEMA}


@pytest.mark.parametrize("kind", [TEXT, STRUCTURED], ids=["text", "structured"])
@pytest.mark.parametrize(
    ("behaviour", "type", "retryable"),
    [
        ("429", "LLM_RATE_LIMITED", True),
        ("429 code=insufficient_quota", "LLM_RATE_LIMITED", False),
        ("500", "LLM_UNAVAILABLE", True),
        ("502", "LLM_UNAVAILABLE", True),
        ("503", "LLM_UNAVAILABLE", True),
        ("529", "LLM_UNAVAILABLE", True),
        ("408", "LLM_UNAVAILABLE", True),
        ("401", "LLM_AUTH", False),
        ("403", "LLM_AUTH", False),
        ("400", "LLM_REJECTED", False),
        ("404", "LLM_REJECTED", False),
        ("413", "LLM_REJECTED", False),
        ("422", "LLM_REJECTED", False),
        ("malformed", "LLM_BAD_RESPONSE", True),
        ("html", "LLM_BAD_RESPONSE", True),
        ("drop", "LLM_BAD_RESPONSE", True),
        ("reset", "LLM_UNREACHABLE", True),
    ],
)
async def test_a_failure_is_named_and_says_whether_to_try_again(
    node: LlmNode, chat: ChatServer, behaviour: str, type: str, retryable: bool, kind: dict[str, Any]
) -> None:
    prompt = f"failing {behaviour} {len(kind)}".replace("=", " ")
    config = llm_config(model="openai:ok", prompt=f"@@{behaviour}@@ {prompt}", base_url=chat.base_url, **kind)

    error = await failure(node, config)

    assert (error.type, error.retryable) == (type, retryable), error.message
    assert error.message.startswith(f"openai:ok at {chat.base_url} ")
    assert error.__cause__ is not None
    assert len(chat.requests(prompt=prompt)) == 1, "repeating is the engine's business"


@pytest.mark.parametrize(
    ("behaviour", "type"),
    [
        ("cut", "LLM_BAD_RESPONSE"),
        ("error type=server_error", "LLM_UNAVAILABLE"),
        ("error type=rate_limit_exceeded", "LLM_RATE_LIMITED"),
        ("error type=strange", "LLM_BAD_RESPONSE"),
    ],
)
async def test_half_an_answer_is_not_taken_for_a_whole_one(
    node: LlmNode, chat: ChatServer, behaviour: str, type: str
) -> None:
    recorder = Recorder()
    config = llm_config(model="openai:ok", prompt=f"@@{behaviour}@@ one two", base_url=chat.base_url)

    error = await failure(node, config, recorder)

    assert recorder.tokens == ["one ", "two"]
    assert (error.type, error.retryable) == (type, True), error.message


async def test_a_rate_limit_says_how_long_to_wait_and_ends(node: LlmNode, chat: ChatServer) -> None:
    config = llm_config(model="openai:ok", prompt="@@429 after=7 times=1@@ patience", base_url=chat.base_url)

    error = await failure(node, config)
    result = await node.run(config, Recorder().context)

    assert error.retry_after == 7.0
    assert result.output == "patience"


async def test_a_date_in_retry_after_counts_from_now(chat: ChatServer) -> None:
    node = LlmNode(now=lambda: 1_445_412_450.0)
    prompt = "@@503 after=Wed,_21_Oct_2015_07:28:00_GMT@@ date"
    config = llm_config(model="openai:ok", prompt=prompt, base_url=chat.base_url)

    error = await failure(node, config)
    await node.aclose()

    assert error.retry_after == 30.0


@pytest.mark.parametrize("kind", [TEXT, STRUCTURED], ids=["text", "structured"])
@pytest.mark.parametrize("behaviour", ["silent", "hang", "hang words=1"])
async def test_a_server_that_goes_quiet_is_given_up(chat: ChatServer, behaviour: str, kind: dict[str, Any]) -> None:
    node = LlmNode(read_timeout=0.2)
    prompt = f"quiet {behaviour} {len(kind)}".replace("=", " ")
    config = llm_config(model="openai:ok", prompt=f"@@{behaviour}@@ {prompt}", base_url=chat.base_url, **kind)

    error = await failure(node, config)
    await asyncio.to_thread(chat.wait_for, "left", prompt=prompt)
    await node.aclose()

    assert (error.type, error.retryable) == ("LLM_UNREACHABLE", True), error.message
    assert "in time" in error.message


async def test_nobody_listening_is_unreachable(node: LlmNode) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        config = llm_config(model="openai:ok", prompt="hi", base_url=f"http://127.0.0.1:{taken.getsockname()[1]}/v1")

        error = await failure(node, config)

    assert (error.type, error.retryable) == ("LLM_UNREACHABLE", True), error.message


@pytest.mark.parametrize("kind", [TEXT, STRUCTURED], ids=["text", "structured"])
@pytest.mark.parametrize("behaviour", ["silent", "hang", "hang words=2"])
async def test_cancelling_closes_the_connection_at_once(
    node: LlmNode, chat: ChatServer, behaviour: str, kind: dict[str, Any]
) -> None:
    prompt = f"cancel {behaviour} {len(kind)}".replace("=", " ")
    config = llm_config(model="openai:ok", prompt=f"@@{behaviour}@@ {prompt}", base_url=chat.base_url, **kind)
    run = asyncio.ensure_future(node.run(config, Recorder().context))
    await asyncio.to_thread(chat.wait_for, "request", prompt=prompt)

    run.cancel()

    with pytest.raises(asyncio.CancelledError):
        await run
    await asyncio.to_thread(chat.wait_for, "left", prompt=prompt)


async def test_no_moment_of_a_cancellation_is_missed(node: LlmNode, chat: ChatServer) -> None:
    """On CPython 3.11 ``asyncio.wait_for`` forgets a cancellation that comes just as what it waits for is there."""
    for turns in range(40):
        recorder = Recorder()
        prompt = f"@@hang words=30@@ moment {turns} " + "word " * 30
        config = llm_config(model="openai:ok", prompt=prompt, base_url=chat.base_url)
        run = asyncio.ensure_future(node.run(config, recorder.context))
        await recorder.until(1)
        for _ in range(turns):
            await asyncio.sleep(0)

        run.cancel()

        await asyncio.wait({run}, timeout=20)
        assert run.cancelled(), f"cancelled {turns} turns after the first word, it goes on"


@pytest.mark.parametrize("kind", [TEXT, STRUCTURED], ids=["text", "structured"])
async def test_a_key_that_the_server_repeats_is_seen_nowhere(
    node: LlmNode,
    chat: ChatServer,
    kind: dict[str, Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    canary = "canary.9f8e7d6c5b4a-not-a-real-key"
    monkeypatch.setenv("OPENAI_API_KEY", canary)
    caplog.set_level(logging.DEBUG)
    recorder = Recorder()
    prompt = f"leak {len(kind)}"
    config = llm_config(model="openai:401-echo-key", prompt=prompt, base_url=chat.base_url, **kind)

    error = await failure(node, config, recorder)

    (request,) = chat.requests(prompt=prompt)
    assert request["authorization"] == f"Bearer {canary}", "or the test shows nothing"
    assert error.type == "LLM_AUTH"
    assert "[redacted]" in error.message
    seen = [error.message, repr(error), *traceback.format_exception(error), str(recorder.logged), caplog.text]
    assert not [text for text in seen if canary in text]


@pytest.mark.parametrize("kind", [TEXT, STRUCTURED], ids=["text", "structured"])
async def test_an_answer_without_end_is_not_read_to_its_end(
    node: LlmNode, chat: ChatServer, kind: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(llm, "ANSWER_LIMIT", 5)
    recorder = Recorder()
    config = llm_config(model="openai:ok", prompt="one two three four", base_url=chat.base_url, **kind)

    error = await failure(node, config, recorder)

    assert (error.type, error.retryable) == ("OUTPUT_TOO_LARGE", False)
    assert len("".join(recorder.tokens)) <= 5


async def test_a_template_that_fails_on_its_data_fails_the_node(node: LlmNode) -> None:
    config = llm_config(model="echo:", prompt="{{input.text}}{{input.text}}")

    error = await failure(node, config, Recorder(text="x" * 3_000_000))

    assert (error.type, error.retryable) == ("TEMPLATE_TOO_LARGE", False)
