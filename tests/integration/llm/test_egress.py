"""Which servers a workflow may name for a model, what they are sent, and how much they may answer."""

from __future__ import annotations

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from execsvc.egress import Egress
from execsvc.egress.bounds import Bounds
from execsvc.egress.network import Network
from execsvc.engine import operator_hosts
from execsvc.engine.nodes.llm import LlmNode
from tests.integration.llm.harness import ANSWER_SCHEMA, Recorder, failure, llm_config
from tests.servers import ChatServer
from tests.servers.answers import Asked, answering, sends

KEY = "canary.1a2b3c4d-not-a-real-key"
#: Reaches this machine without naming it.
REACHED = "127.0.0.0/8"
STRUCTURED: dict[str, Any] = {"response_schema": ANSWER_SCHEMA}
EVENTS = b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"

Opened = Callable[..., Network]


@pytest.fixture
async def opened() -> AsyncIterator[Opened]:
    """Makes networks with a list, which are closed again."""
    networks: list[Network] = []

    def opened(*rules: str, trusted: tuple[str, ...] = (), **bounds: Any) -> Network:
        networks.append(Network(Egress(rules, trusted=trusted), bounds=Bounds(**bounds)))
        return networks[-1]

    yield opened
    for network in networks:
        await network.aclose()


@pytest.fixture(autouse=True)
def _key(no_keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_ORG_ID", "OPENAI_PROJECT_ID", "OPENAI_ADMIN_KEY"):
        monkeypatch.setenv(name, KEY)


@pytest.mark.parametrize("kind", [{}, STRUCTURED], ids=["text", "structured"])
async def test_a_server_that_only_the_workflow_names_never_gets_the_key(
    node: LlmNode, opened: Opened, kind: dict[str, Any]
) -> None:
    async with answering(sends('{"error": {"message": "who are you?"}}', status="401 Unauthorized")) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url, **kind)
        error = await failure(node, config, Recorder(opened(REACHED)))

    (asked,) = server.requests
    assert KEY not in str(asked)
    assert error.type == "LLM_AUTH"
    host = server.url.removeprefix("http://")
    assert (
        f"the server's own key goes to hosts that the operator names: --egress {host} (EXECSVC_EGRESS)" in error.message
    )


async def test_a_server_that_the_operator_names_gets_the_key(node: LlmNode, opened: Opened, chat: ChatServer) -> None:
    config = llm_config(model="openai:ok", prompt="named", base_url=chat.base_url)

    await node.run(config, Recorder(opened(f"127.0.0.1:{chat.port}")).context)

    assert chat.requests(prompt="named")[0]["authorization"] == f"Bearer {KEY}"


async def test_the_key_does_not_follow_a_redirect(node: LlmNode, opened: Opened) -> None:
    """Also headers that the HTTP library would take along."""
    async with (
        answering(sends("{}", status="401 Unauthorized"), host="127.0.0.3") as other,
        answering(sends("", status="307 Temporary Redirect", Location=other.url)) as server,
    ):
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url)
        await failure(node, config, Recorder(opened(f"127.0.0.1:{server.port}", REACHED)))

    assert KEY in str(server.requests)
    assert other.requests
    assert KEY not in str(other.requests)


@pytest.mark.parametrize("variable", ["OPENAI_BASE_URL", "OPENAI_API_BASE"])
async def test_the_server_that_the_environment_names_is_the_operators_choice(
    node: LlmNode, opened: Opened, chat: ChatServer, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, chat.base_url)
    monkeypatch.setenv("OPENAI_BASE_URL", chat.base_url)

    network = opened(trusted=operator_hosts({variable: chat.base_url}))
    for number, config in enumerate(({}, {"base_url": chat.base_url})):
        await node.run(
            llm_config(model="openai:ok", prompt=f"{variable} {number}", **config), Recorder(network).context
        )
        assert chat.requests(prompt=f"{variable} {number}")[0]["authorization"] == f"Bearer {KEY}"


def test_openais_own_address_needs_no_naming() -> None:
    egress = Egress(["localhost"], trusted=operator_hosts({"OPENAI_BASE_URL": "ftp://x", "OPENAI_API_BASE": ""}))

    assert egress.trusts("https://api.openai.com/v1")
    assert not egress.trusts("http://api.openai.com/v1")


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/v1", "http://localhost:9/v1", "http://169.254.169.254/latest"])
@pytest.mark.parametrize("kind", [{}, STRUCTURED], ids=["text", "structured"])
async def test_an_address_that_is_not_public_is_refused_with_what_lets_it_through(
    node: LlmNode, opened: Opened, url: str, kind: dict[str, Any]
) -> None:
    error = await failure(node, llm_config(model="openai:gpt", prompt="hi", base_url=url, **kind), Recorder(opened()))

    assert (error.type, error.retryable) == ("ADDRESS_NOT_ALLOWED", False)
    assert error.message.startswith(f"openai:gpt at {url}: ")
    assert "--egress " in error.message


@pytest.mark.parametrize("provider", ["anthropic", "ollama", "nosuch"])
async def test_a_provider_with_a_client_of_its_own_takes_named_addresses_alone(
    node: LlmNode, opened: Opened, provider: str
) -> None:
    config = llm_config(model=f"{provider}:m", prompt="hi", base_url="http://gpu.example:11434")

    refused = await failure(node, config, Recorder(opened()))
    named = await failure(node, config, Recorder(opened("gpu.example:11434")))

    assert refused.type == "ADDRESS_NOT_ALLOWED"
    assert "--egress gpu.example:11434 " in refused.message
    assert named.type in ("LLM_PROVIDER_MISSING", "LLM_NO_API_KEY", "LLM_UNKNOWN_PROVIDER")


# How much is read


def piece(text: str) -> bytes:
    """An event of a stream, as a chunk."""
    delta = {"choices": [{"index": 0, "delta": {"content": text}}]}
    data = f"data: {json.dumps(delta)}\n\n".encode()
    return b"%x\r\n%s\r\n" % (len(data), data)


async def test_a_stream_without_end_is_given_up(node: LlmNode, opened: Opened) -> None:
    async def flood(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        while True:
            # Nothing that would count as an answer.
            writer.write(piece(""))
            await writer.drain()

    async with answering(flood) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url)
        error = await failure(node, config, Recorder(opened(REACHED, stream=100_000)))

    assert (error.type, error.retryable) == ("RESPONSE_TOO_LARGE", False)
    assert f"{server.url} answers with more than 100000 bytes" in error.message


async def test_an_event_without_end_is_given_up(node: LlmNode, opened: Opened) -> None:
    async def flood(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS + b"6\r\ndata: \r\n")
        while True:
            writer.write(b"3e8\r\n" + b"x" * 1000 + b"\r\n")
            await writer.drain()

    async with answering(flood) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url)
        error = await failure(node, config, Recorder(opened(REACHED, event=100_000)))

    assert error.type == "RESPONSE_TOO_LARGE"
    assert "sends an event of more than 100000 bytes" in error.message


async def test_a_stream_in_drops_is_given_up(node: LlmNode, opened: Opened) -> None:
    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(EVENTS)
        while True:
            writer.write(piece("."))
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(drip) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url)
        error = await failure(node, config, Recorder(opened(REACHED, time=0.3)))

    assert (error.type, error.retryable) == ("LLM_UNREACHABLE", True)


@pytest.mark.parametrize("kind", [{}, STRUCTURED], ids=["text", "structured"])
async def test_an_answer_that_unpacks_to_a_thousandfold_is_given_up(
    node: LlmNode, opened: Opened, kind: dict[str, Any]
) -> None:
    packed = gzip.compress(b" " * 20_000_000)
    for status in ("200 OK", "500 Internal Server Error"):
        answer = sends(packed, status=status, Content_Type="application/json", Content_Encoding="gzip")
        async with answering(answer) as server:
            config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url, **kind)
            error = await failure(node, config, Recorder(opened(REACHED)))
        assert error.type == "RESPONSE_TOO_LARGE", error.message


async def test_a_packed_answer_is_read(node: LlmNode, opened: Opened) -> None:
    message = {"role": "assistant", "content": '{"answer": "packed"}'}
    answer = {"id": "1", "object": "chat.completion", "created": 1, "model": "gpt"}
    answer |= {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    packed = gzip.compress(json.dumps(answer).encode())

    async with answering(sends(packed, Content_Type="application/json", Content_Encoding="gzip")) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url, **STRUCTURED)
        result = await node.run(config, Recorder(opened(REACHED)).context)

    assert result.output == {"answer": "packed"}


@pytest.mark.parametrize("kind", [{}, STRUCTURED], ids=["text", "structured"])
async def test_an_answer_nested_without_end_is_a_broken_one(
    node: LlmNode, opened: Opened, kind: dict[str, Any]
) -> None:
    async with answering(sends("[" * 1_000_000, Content_Type="application/json")) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url, **kind)
        error = await failure(node, config, Recorder(opened(REACHED)))

    assert (error.type, error.retryable) == ("LLM_BAD_RESPONSE", True), error.message


@pytest.mark.parametrize("kind", [{}, STRUCTURED], ids=["text", "structured"])
async def test_headers_without_end_are_a_broken_answer(node: LlmNode, opened: Opened, kind: dict[str, Any]) -> None:
    async def flood(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: " + b"y" * 10_000 + b"\r\n")
            await writer.drain()

    async with answering(flood) as server:
        config = llm_config(model="openai:gpt", prompt="hi", base_url=server.url, **kind)
        error = await failure(node, config, Recorder(opened(REACHED)))

    assert (error.type, error.retryable) == ("LLM_BAD_RESPONSE", True)
