"""The WebSocket: what happens comes out, control messages go in, and nothing that comes in breaks it."""

from __future__ import annotations

import json
from contextlib import AsyncExitStack
from typing import Any

import pytest
import websockets

from execsvc_client import AsyncExecutionClient
from tests.integration.conftest import StartServer
from tests.integration.gateway.conftest import Http, messages, started, until
from tests.support.nodes import Gates
from tests.support.workflows import ECHO, chain, node, output, workflow

pytestmark = pytest.mark.every_place


def sequences(seen: list[dict[str, Any]]) -> list[int]:
    """Sequences of the log entries among messages."""
    return [message["data"]["sequence"] for message in seen if message["type"] == "log"]


async def test_an_execution_is_followed_and_controlled(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a", "b")}, 202)
    await gates.entered("a")
    async with http.socket("e") as socket:
        seen = await until(socket, "status", status="running")
        await socket.send(json.dumps({"action": "pause", "request_id": "p", "reason": "lunch"}))
        seen += await until(socket, "control", status="paused")
        assert (seen[-1]["action"], seen[-1]["request_id"]) == ("pause", "p")
        gates.open("a")
        await socket.send(json.dumps({"action": "resume"}))
        seen += await until(socket, "control")
        assert seen[-1]["request_id"] is None
        gates.open("b")
        seen += await until(socket, "end", status="completed")

    assert sequences(seen) == list(range(1, len(sequences(seen)) + 1))
    assert seen[-1]["last_sequence"] == sequences(seen)[-1]
    events = [message["data"]["metadata"]["event"] for message in seen if message["type"] == "log"]
    assert {"execution_paused", "execution_resumed"} <= set(events), events


async def test_a_retry_goes_on_where_the_end_was(http: Http, gates: Gates) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a"), "input_data": {"n": 1}}, 202)
    await gates.entered("a")
    async with http.socket("e") as socket:
        await until(socket, "status", status="running")
        await socket.send('{"action": "stop"}')
        seen = await until(socket, "end", status="stopped")
        gates.open("a")
        await socket.send('{"action": "retry", "input_data": {"n": 2}}')
        again = await until(socket, "end", status="completed")

    assert sequences(again)[0] == seen[-1]["last_sequence"] + 1
    assert (await http.get("/execute/e"))["input_data"] == {"n": 2}


async def test_a_socket_goes_on_after_a_place_and_filters(http: Http) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": ECHO}, 202)
    async with http.socket("e") as socket:
        everything = await until(socket, "end")
    last = everything[-1]["last_sequence"]
    async with http.socket("e", "?after=2&tokens=false") as socket:
        assert sequences(await until(socket, "end")) == list(range(3, last + 1))
    async with http.socket("e", "?node_id=start&level=info") as socket:
        logged = [message for message in await until(socket, "end") if message["type"] == "log"]
    assert {message["data"]["node_id"] for message in logged} == {"start"}


async def test_tokens_come_as_they_are_made(http: Http) -> None:
    asks = node("llm", model="echo:", prompt="one two three", parameters={"delay": 0.5})
    definition = workflow("start > a > out", start=node("input"), a=asks, out=output())
    await http.post("/execute", {"execution_id": "e", "definition": definition}, 202)
    async with http.socket("e") as socket:
        seen = await until(socket, "end")

    text = "".join(message["data"]["text"] for message in seen if message["type"] == "token")
    assert "one two three".endswith(text)


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        ("nonsense", "JSON_SYNTAX"),
        ("[]", "WRONG_TYPE"),
        ("{}", "REQUIRED"),
        ('{"action": "fly"}', "WRONG_TYPE"),
        ('{"action": "stop", "force": true}', "UNKNOWN_FIELD"),
        ('{"action": "stop", "input_data": {}}', "CONFLICT"),
        ('{"action": "stop", "request_id": "a b"}', "INVALID_ID"),
        (b"\xff", "INVALID_UTF8"),
        ('{"action": "retry", "input_data": {"a": NaN}}', "NOT_A_NUMBER"),
    ],
)
async def test_a_message_that_cannot_be_used_is_answered(http: Http, gates: Gates, sent: Any, reason: str) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
    await gates.entered("a")
    async with http.socket("e") as socket:
        await socket.send(sent)
        problem = (await until(socket, "problem"))[-1]["data"]
        assert (problem["status"], problem["errors"][0]["reason"]) == (400, reason)
        await socket.send('{"action": "stop"}')
        await until(socket, "control", status="stopped")


async def test_what_is_not_allowed_is_answered_with_the_state_and_the_request_it_answers(http: Http) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": ECHO}, 202)
    async with http.socket("e") as socket:
        await until(socket, "end")
        await socket.send('{"action": "pause", "request_id": "r"}')
        message = (await until(socket, "problem"))[-1]
    assert message["request_id"] == "r"
    assert (message["data"]["status"], message["data"]["state"]) == (409, "completed")


async def test_what_cannot_be_followed_is_told_before_the_close(http: Http) -> None:
    await http.post("/execute", {"execution_id": "e", "definition": ECHO}, 202)
    for execution_id, query, code in (("nope", "", 4404), ("e", "?after=999", 4416)):
        async with http.socket(execution_id, query) as socket:
            await until(socket, "problem", status=code - 4000)
            with pytest.raises(websockets.ConnectionClosed) as closed:
                await socket.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == code


async def test_pages_of_other_origins_get_no_socket_unless_they_are_let(
    client: AsyncExecutionClient, start_server: StartServer
) -> None:
    page = "http://page.example"
    async with started(start_server.address) as http:
        await http.post("/execute", {"execution_id": "e", "definition": ECHO}, 202)
        with pytest.raises(websockets.InvalidStatus, match="403"):
            await http.socket("e", origin=page)
        async with http.socket("e", origin=http.url) as socket:
            await until(socket, "end")
    async with started(start_server.address, cors=(page,)) as http, http.socket("e", origin=page) as socket:
        await until(socket, "end")


async def test_a_socket_goes_on_when_the_server_is_back(start_server: StartServer, gates: Gates) -> None:
    first = AsyncExitStack()
    client = await first.enter_async_context(start_server())
    address = start_server.address
    async with started(address) as http:
        await client.execute(chain("a", "b"), execution_id="e")
        gates.open("a")
        await gates.entered("b")
        async with http.socket("e") as socket:
            seen = await until(socket, "status", current_node="b")
            await first.aclose()
            await socket.send('{"action": "pause", "request_id": "r"}')
            seen += await until(socket, "problem", status=503)
            async with start_server(address=address):
                gates.open("b")
                seen += await until(socket, "end", status="completed")
    assert sequences(seen) == list(range(1, len(sequences(seen)) + 1))


async def test_a_socket_that_is_not_read_is_cut_off(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    talks = workflow("a > out", a=node("chatter", gate="a", log="x" * 4_000, burst=50), out=output())
    async with started(start_server.address, send_timeout=0.2) as http:
        await client.execute(talks, execution_id="e")
        await gates.entered("a")
        # With a queue this short the library stops reading at once.
        async with http.socket("e", max_queue=1, compression=None) as socket:
            await http.gone()
            assert http.buffered < 400_000
            gates.open("a")
            with pytest.raises(websockets.ConnectionClosed):
                async for _ in messages(socket):
                    pass


async def test_a_socket_closes_when_the_gateway_goes_down(
    client: AsyncExecutionClient, start_server: StartServer, gates: Gates
) -> None:
    async with AsyncExitStack() as stack:
        async with started(start_server.address) as http:
            await http.post("/execute", {"execution_id": "e", "definition": chain("a")}, 202)
            await gates.entered("a")
            socket = await stack.enter_async_context(http.socket("e"))
            await until(socket, "status", status="running")
        with pytest.raises(websockets.ConnectionClosed) as closed:
            async for _ in messages(socket):
                pass
    assert closed.value.rcvd is not None
    assert closed.value.rcvd.code == 1012
