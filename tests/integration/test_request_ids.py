"""Every call has an id: the caller's or one made for it, in the answer, in errors and in the lines of the log."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from execsvc.log_fields import fields_of
from execsvc_client import AsyncExecutionClient, v1
from tests.integration.conftest import StartServer, Stubs
from tests.integration.gateway.conftest import started
from tests.support.statuses import refusal
from tests.support.workflows import ECHO, chain, node, output, workflow


class Lines(logging.Handler):
    """Keeps what the log says, each line with its fields."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[tuple[str, dict[str, str]]] = []
        self._loop = asyncio.get_running_loop()
        self._more = asyncio.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append((record.getMessage(), fields_of(record)))
        self._loop.call_soon_threadsafe(self._more.set)

    async def about(self, text: str) -> dict[str, str]:
        """The fields of the one line that holds a text. It may come after the answer it tells of."""
        async with asyncio.timeout(30):
            while not (found := [said for message, said in self.lines if text in message]):
                self._more.clear()
                await self._more.wait()
        (only,) = found
        return only


@pytest.fixture
async def lines() -> AsyncIterator[Lines]:
    """The log of the service, all of it."""
    handler, logger = Lines(), logging.getLogger("execsvc")
    level = logger.level
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    yield handler
    logger.removeHandler(handler)
    logger.setLevel(level)


async def trailers(call: Any) -> dict[str, Any]:
    """The trailing metadata of a call."""
    return dict(await call.trailing_metadata())


async def test_a_caller_is_answered_with_its_own_id(stubs: Stubs, lines: Lines) -> None:
    request, sent = v1.GetServerInfoRequest(), (("x-request-id", "mine/1"),)

    assert (await trailers(stubs.server.GetServerInfo(request, metadata=sent)))["x-request-id"] == "mine/1"
    assert await lines.about("GetServerInfo OK") == {"request_id": "mine/1"}


async def test_a_call_without_an_id_gets_one_of_its_own(stubs: Stubs) -> None:
    ids = [(await trailers(stubs.server.GetServerInfo(v1.GetServerInfoRequest())))["x-request-id"] for _ in range(2)]

    assert len(set(ids)) == 2
    assert all(len(found) == 32 for found in ids)


async def test_streams_and_errors_have_it_too(stubs: Stubs, lines: Lines) -> None:
    sent = (("x-request-id", "mine-2"),)

    stream = stubs.executions.StreamLogs(v1.StreamLogsRequest(execution_id="nope"), metadata=sent)
    # ``refusal`` looks for it in the details.
    await refusal(stream.read())

    assert (await trailers(stream))["x-request-id"] == "mine-2"
    assert await lines.about("StreamLogs NOT_FOUND") == {"request_id": "mine-2", "execution_id": "nope"}


async def test_the_answer_to_a_bug_says_where_to_look_for_it(
    stubs: Stubs, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError("hunter2")

    monkeypatch.setattr("execsvc.wire.responses.server_info", broken)

    found = await refusal(stubs.server.GetServerInfo(v1.GetServerInfoRequest(), metadata=(("x-request-id", "bug-1"),)))

    assert found.message == "internal error; the server's log has the details under request id bug-1"
    assert (await lines.about("GetServerInfo failed"))["request_id"] == "bug-1"


async def test_a_refused_caller_can_be_found_in_the_log(start_server: StartServer, lines: Lines) -> None:
    async with start_server(auth="token"), grpc.aio.insecure_channel(start_server.address) as channel:
        sent = (("x-request-id", "who-1"), ("authorization", "Bearer wrong"))
        found = await refusal(Stubs(channel).server.GetServerInfo(v1.GetServerInfoRequest(), metadata=sent))

    assert found.code == grpc.StatusCode.UNAUTHENTICATED
    assert await lines.about("its credential is not valid") == {"request_id": "who-1"}


async def test_lines_of_a_run_name_execution_and_node_and_no_request(
    client: AsyncExecutionClient, stubs: Stubs, lines: Lines
) -> None:
    crash = workflow("a > out", a=node("odd", how="crash"), out=output())

    await client.execute(ECHO, {}, execution_id="before")
    await client.execute(crash, {}, execution_id="e")
    await client.wait("e")

    assert await lines.about("raised") == {"namespace": "default", "execution_id": "e", "node_id": "a", "attempt": "1"}


async def test_the_log_has_no_payloads_even_at_debug(client: AsyncExecutionClient, lines: Lines) -> None:
    await client.execute(ECHO, {"text": "pay-load"}, execution_id="e", labels={"team": "pay-load"})
    await client.wait("e")
    await client.get("e")
    [entry async for entry in client.logs("e")]
    with pytest.raises(Exception, match="unknown field"):
        await client.execute(chain("pay-load", x="pay-load"), {})

    assert len(lines.lines) > 4
    assert "pay-load" not in json.dumps(lines.lines)


async def test_http_requests_hand_their_id_on_to_the_server(
    client: AsyncExecutionClient, start_server: StartServer, lines: Lines
) -> None:
    async with started(start_server.address) as http:
        given = await http.calls.get("/api/v1/execute/nope/status", headers={"X-Request-Id": "web-1"})
        made = await http.calls.get("/api/v1/node-types", headers={"X-Request-Id": "not fit"})
        nowhere = await http.calls.get("/nowhere")

    assert (given.status_code, given.headers["x-request-id"]) == (404, "web-1")
    assert await lines.about("GetStatus NOT_FOUND") == {"request_id": "web-1", "execution_id": "nope"}
    assert (await lines.about("ListNodeTypes OK"))["request_id"] == made.headers["x-request-id"] != "not fit"
    assert len(nowhere.headers["x-request-id"]) == 32
