"""How a call fails, by status, connection, redirect or address; what it says, and what it keeps to itself."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from execsvc.engine.nodes.http import HttpNode
from tests.integration.http_node.conftest import Callers, Names
from tests.integration.http_node.harness import Caller
from tests.servers.answers import Answer, Asked, answering, sends

SECRET = {"KEY": "k3y/+0123456789"}
#: Reaches this machine's first two addresses.
HERE = "127.0.0.0/31"


@pytest.mark.parametrize(
    ("status", "type", "retryable"),
    [
        (400, "HTTP_UNEXPECTED_STATUS", False),
        (401, "HTTP_UNEXPECTED_STATUS", False),
        (404, "HTTP_UNEXPECTED_STATUS", False),
        (408, "HTTP_UNAVAILABLE", True),
        (409, "HTTP_UNEXPECTED_STATUS", False),
        (425, "HTTP_UNAVAILABLE", True),
        (429, "HTTP_RATE_LIMITED", True),
        (500, "HTTP_UNAVAILABLE", True),
        (503, "HTTP_UNAVAILABLE", True),
        (304, "HTTP_UNEXPECTED_STATUS", False),
    ],
)
async def test_a_status_says_whether_another_attempt_could_mend_it(
    caller: Caller, status: int, type: str, retryable: bool
) -> None:
    async with answering(sends('{"why":\n"because"}', status=f"{status} Some")) as server:
        error = await caller.fails(f"{server.url}/a?q=hidden", method="POST")

    assert (error.type, error.retryable) == (type, retryable)
    assert error.message.startswith(f"POST {server.url}/a ")
    assert str(status) in error.message
    if status != 304:
        assert error.message.endswith(': {"why": "because"}')


@pytest.mark.parametrize(("value", "wait"), [("7", 7.0), ("Thu, 01 Jan 1970 00:02:00 GMT", 20.0), ("soon", None)])
async def test_a_server_says_how_long_to_wait(callers: Callers, value: str, wait: float | None) -> None:
    for status in ("429 Slow", "503 Down"):
        async with answering(sends("", status=status, Retry_After=value)) as server:
            error = await callers(node=HttpNode(now=lambda: 100.0)).fails(server.url)
        assert error.retry_after == wait


async def test_statuses_that_are_expected_are_results(caller: Caller) -> None:
    async with answering(sends("gone", status="404 Not Found")) as server:
        output = await caller.call(server.url, expected_status=["2xx", "404"])
        error = await caller.fails(server.url, expected_status=["200-299"])
    async with answering(sends("made")) as server:
        unexpected = await caller.fails(server.url, expected_status=["201"])

    assert (output["status"], output["body"]) == (404, "gone")
    assert (error.type, unexpected.type) == ("HTTP_UNEXPECTED_STATUS", "HTTP_UNEXPECTED_STATUS")


async def test_what_a_server_says_is_cut_short_and_told_without_secrets(caller: Caller) -> None:
    async def reflect(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await sends(f"no: {asked.line} {asked.headers} {'x' * 100_000}", status="400 Bad")(asked, writer)

    async with answering(reflect) as server:
        url = f"{server.url}/secret:KEY/x?k=secret:KEY"
        error = await caller.fails(url, secrets=SECRET, headers={"X-Key": "secret:KEY"})

    assert "[redacted]" in error.message
    assert len(error.message) < 1_000
    assert not any(shown in str(error) + str(caller.recorder.logged) for shown in ("k3y", "0123456789"))


async def test_a_secret_with_spaces_is_recognised_in_what_a_server_says(caller: Caller) -> None:
    async with answering(sends("you\nsent  correct  horse\tbattery  today", status="400 Bad")) as server:
        error = await caller.fails(server.url, secrets={"KEY": "correct  horse\tbattery"}, headers={"X-A": "1"})

    assert error.message.endswith(": you sent [redacted] today")


async def test_nobody_at_the_address_is_retryable(caller: Caller) -> None:
    async with answering(sends("")) as server:
        url = server.url
    error = await caller.fails(f"{url}/x")

    assert (error.type, error.retryable) == ("HTTP_UNREACHABLE", True)
    assert error.message.startswith(f"GET {url}/x cannot be reached: ConnectError")


async def hangs_up(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.close()


async def breaks_off(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
    await writer.drain()
    writer.close()


async def babbles(asked: Asked, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail.example ESMTP\r\n\r\n")
    await writer.drain()
    writer.close()


@pytest.mark.parametrize(
    ("answer", "type"),
    [(hangs_up, "HTTP_UNREACHABLE"), (breaks_off, "HTTP_BAD_RESPONSE"), (babbles, "HTTP_BAD_RESPONSE")],
)
async def test_a_connection_that_breaks_is_retryable(caller: Caller, answer: Answer, type: str) -> None:
    async with answering(answer) as server:
        error = await caller.fails(server.url)

    assert (error.type, error.retryable) == (type, True)


# Where calls go


@pytest.mark.parametrize(
    "url", ["http://10.0.0.1/", "http://169.254.169.254/latest", "http://127.0.0.9:1/", "http://[::1]/"]
)
async def test_an_address_that_is_not_public_is_refused(callers: Callers, url: str) -> None:
    error = await callers("*").fails(url, method="POST")

    assert (error.type, error.retryable) == ("ADDRESS_NOT_ALLOWED", False)
    assert error.message.startswith(f"POST {url}: ")
    assert "--egress " in error.message


async def test_a_name_that_changes_leads_nowhere_else(callers: Callers, names: Names) -> None:
    async with (
        answering(sends("open", Connection="close")) as outside,
        answering(sends("secret"), host="127.0.0.3", port=outside.port) as inside,
    ):
        names.answers = {"rebind": [["127.0.0.1"], ["127.0.0.3"]]}
        caller = callers(HERE)
        url = f"http://rebind:{outside.port}/"
        first = await caller.call(url)
        outside.requests.clear()
        await caller.network.aclose()
        error = await caller.fails(url)

    assert first["body"] == "open"
    assert error.type == "ADDRESS_NOT_ALLOWED"
    assert "rebind is at 127.0.0.3, a loopback address" in error.message
    assert (outside.requests, inside.connections) == ([], 0)


# Redirects


async def test_no_redirect_is_followed_unless_that_is_asked_for(caller: Caller) -> None:
    async with answering(sends("", status="302 Found", Location="http://127.0.0.1:1/")) as server:
        error = await caller.fails(server.url)
        output = await caller.call(server.url, expected_status=["302"])

    assert error.type == "HTTP_UNEXPECTED_STATUS"
    assert "max_redirects says how many are followed" in error.message
    assert output["headers"]["location"] == "http://127.0.0.1:1/"


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, "POST", "GET"),
        (302, "POST", "GET"),
        (303, "POST", "GET"),
        (303, "PUT", "GET"),
        (301, "PUT", "PUT"),
        (307, "POST", "POST"),
        (308, "POST", "POST"),
        (302, "HEAD", "HEAD"),
        (303, "HEAD", "HEAD"),
    ],
)
async def test_a_redirect_is_followed_as_browsers_do(caller: Caller, status: int, method: str, then: str) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        again = sends("", status=f"{status} Elsewhere", Location="/there?a=1")
        await (again if " /x" in asked.line else sends(""))(asked, writer)

    sent: dict[str, Any] = {} if method == "HEAD" else {"json": "{'a': 1}"}
    async with answering(answer) as server:
        output = await caller.call(f"{server.url}/x", method=method, headers={"X-A": "1"}, max_redirects=1, **sent)

    _, second = server.requests
    assert output["status"] == 200
    assert second.line == f"{then} /there?a=1 HTTP/1.1"
    assert second.headers["x-a"] == "1"
    if then in ("GET", "HEAD"):
        assert (second.body, "content-type" in second.headers) == (b"", False)
        assert "idempotency-key" not in second.headers
    else:
        assert second.body == b'{"a":1}'
        assert second.headers["idempotency-key"] == server.requests[0].headers["idempotency-key"]


async def test_credentials_follow_to_no_other_host(caller: Caller) -> None:
    headers = {"Authorization": "Bearer secret:KEY", "X-Key": "mine", "Cookie": "a=b", "Accept": "text/plain"}
    async with (
        answering(sends("there"), host="127.0.0.3") as other,
        answering(sends("", status="307 T", Location=f"{other.url}/next")) as server,
    ):
        await caller.call(server.url, None, SECRET, method="POST", json="1", headers=headers, max_redirects=1)

    first, second = server.requests[0].headers, other.requests[0].headers
    assert {"authorization", "x-key", "cookie"} <= first.keys()
    assert not {"authorization", "x-key", "cookie"} & second.keys()
    assert (second["accept"], second["idempotency-key"], other.requests[0].body) == ("text/plain", "u1/ask/1", b"1")
    assert second["host"] == f"127.0.0.3:{other.port}"


async def test_a_key_of_the_nodes_own_and_an_accept_with_a_secret_follow_to_no_other_host(caller: Caller) -> None:
    headers = {"Idempotency-Key": "mine", "Accept": "secret:KEY"}
    async with (
        answering(sends("there"), host="127.0.0.3") as other,
        answering(sends("", status="307 T", Location=other.url)) as server,
    ):
        await caller.call(server.url, None, SECRET, method="POST", headers=headers, max_redirects=1)

    assert "idempotency-key" not in other.requests[0].headers
    assert other.requests[0].headers["accept"] == "*/*"


@pytest.mark.parametrize("content", [{"body": "key=secret:KEY"}, {"form": {"key": "secret:KEY"}}])
async def test_a_body_with_a_secret_follows_to_no_other_host(caller: Caller, content: dict[str, Any]) -> None:
    async with (
        answering(sends("there"), host="127.0.0.3") as other,
        answering(sends("", status="307 T", Location=other.url)) as server,
    ):
        error = await caller.fails(server.url, secrets=SECRET, method="POST", max_redirects=1, **content)

    assert (error.type, error.retryable, other.connections) == ("HTTP_UNEXPECTED_STATUS", False, 0)
    assert "the body names secrets" in error.message


@pytest.mark.parametrize(
    ("location", "text"),
    [
        ("ftp://x/", "no http or https URL"),
        ("http://[", "no http or https URL"),
        ("http://a b/", "no http or https URL"),
        ("http://a:b/", "is no URL"),
    ],
)
async def test_a_redirect_to_nowhere_is_told(caller: Caller, location: str, text: str) -> None:
    async with answering(sends("", status="302 Found", Location=location)) as server:
        error = await caller.fails(server.url, max_redirects=3)

    assert error.type == "HTTP_UNEXPECTED_STATUS"
    assert text in error.message


async def test_redirects_in_a_circle_come_to_an_end(caller: Caller) -> None:
    async with answering(sends("", status="302 Found", Location="/again")) as server:
        error = await caller.fails(server.url, max_redirects=3)

    assert error.type == "HTTP_UNEXPECTED_STATUS"
    assert "more than 3 redirects" in error.message
    assert len(server.requests) == 4


async def test_a_redirect_is_checked_like_a_call(callers: Callers, names: Names) -> None:
    async with answering(sends("secret"), host="127.0.0.3") as inside:
        names.answers = {"inside": [["127.0.0.3"]]}
        for target in (inside.url, f"http://inside:{inside.port}", "http://169.254.169.254/latest"):
            async with answering(sends("", status="302 F", Location=target)) as server:
                error = await callers(HERE).fails(server.url, max_redirects=5)
            assert error.type == "ADDRESS_NOT_ALLOWED"

    assert inside.connections == 0


async def test_a_user_in_a_redirect_is_sent_to_nobody(caller: Caller) -> None:
    async def answer(asked: Asked, writer: asyncio.StreamWriter) -> None:
        target = f"http://user:password@{asked.headers['host']}/there"
        again = sends("", status="302 Found", Location=target)
        await (again if "/there" not in asked.line else sends(""))(asked, writer)

    async with answering(answer) as server:
        await caller.call(server.url, max_redirects=1)

    assert "authorization" not in server.requests[1].headers
