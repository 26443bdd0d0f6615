"""What becomes of an answer: JSON, text or base64, within bounds of size and time, whatever a server sends."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
from typing import Any

import pytest

from execsvc.engine.nodes.http import HttpNode
from execsvc.engine.nodes.http_answer import BODY_LIMIT
from tests.integration.http_node.conftest import Callers
from tests.integration.http_node.harness import Caller
from tests.servers.answers import Asked, answering, sends

HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: %s\r\nTransfer-Encoding: chunked\r\n\r\n"


async def body_of(caller: Caller, data: bytes | str, type: str, **config: Any) -> Any:
    async with answering(sends(data, Content_Type=type)) as server:
        return await caller.call(server.url, **config)


@pytest.mark.parametrize(
    "type", ["application/json", "application/json; charset=utf-8", "application/problem+json", "text/json"]
)
async def test_json_is_parsed_where_the_content_type_says_so(caller: Caller, type: str) -> None:
    output = await body_of(caller, '{"n": 9007199254740993, "x": [null, 1.5], "ü": "é"}', type)

    assert output["body"] == {"n": 9007199254740993, "x": [None, 1.5], "ü": "é"}


async def test_the_result_has_status_headers_and_body(caller: Caller) -> None:
    answer = sends("hi", status="201 Created", ETag='"1"', Content_Type="text/plain", Set_Cookie="session=s3cret")
    async with answering(answer) as server:
        output = await caller.call(server.url)

    # A cookie is a credential.
    headers = {"etag": '"1"', "content-type": "text/plain", "content-length": "2"}
    assert output == {"status": 201, "headers": headers, "body": "hi"}


@pytest.mark.parametrize(
    ("data", "type", "body"),
    [
        ("grüße".encode(), "text/plain; charset=utf-8", "grüße"),
        ("grüße".encode("latin-1"), "text/plain; charset=ISO-8859-1", "grüße"),
        ("grüße".encode("utf-16"), 'text/plain; charset="utf-16"', "grüße"),
        ("日本".encode("shift_jis"), "text/html; charset=Shift_JIS", "日本"),
        ("\ufeffbom".encode(), "text/plain", "bom"),
        ("grüße".encode("latin-1"), "text/plain", "gr�\ufffde"),
        (b"a\xffb", "text/plain; charset=punycode", "a\ufffdb"),
        (b"a,b", "text/csv; charset=rot13", "a,b"),
        (b"\x00nul", "text/plain", "\x00nul"),
        (b"<x/>", "application/xml", "<x/>"),
        (b"key: value", "", "key: value"),
    ],
)
async def test_text_is_decoded_whatever_it_says_of_itself(caller: Caller, data: bytes, type: str, body: str) -> None:
    output = await body_of(caller, data, type)

    assert output["body"] == body
    assert "encoding" not in output


async def test_what_is_no_text_is_base64_and_says_so(caller: Caller) -> None:
    output = await body_of(caller, b"\x89PNG\xff\xfe\x00", "image/png")

    assert (base64.b64decode(output["body"]), output["encoding"]) == (b"\x89PNG\xff\xfe\x00", "base64")


@pytest.mark.parametrize(
    ("wanted", "type", "expected"),
    [
        ("json", "text/plain", {"a": 1}),
        ("text", "application/json", '{"a": 1}'),
        ("base64", "application/json", base64.b64encode(b'{"a": 1}').decode()),
    ],
)
async def test_the_node_may_say_what_the_body_is(caller: Caller, wanted: str, type: str, expected: Any) -> None:
    output = await body_of(caller, '{"a": 1}', type, response_format=wanted)

    assert output["body"] == expected
    assert ("encoding" in output) == (wanted == "base64")


@pytest.mark.parametrize("status", ["200 OK", "204 No Content"])
async def test_an_answer_without_a_body_has_null(caller: Caller, status: str) -> None:
    async with answering(sends("", status=status, Content_Type="application/json")) as server:
        assert (await caller.call(server.url))["body"] is None


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ("<html>", "is no JSON"),
        ("{", "is no JSON"),
        ("[NaN]", "is no JSON"),
        ("[1e999]", "is no JSON"),
        ('["\\ud800"]', "is no JSON"),
        (b'["\xff"]', "is no JSON"),
        ("[" * 5_000, "is no JSON"),
        ("[" * 31 + "]" * 31, "nest deeper than 30"),
        ("[18446744073709551616]", "64 bits"),
        ('{"id": 9223372036854775808}', "body.id: integers must fit into 64 bits"),
    ],
)
async def test_json_that_is_none_or_would_lose_something_is_told(caller: Caller, data: bytes | str, text: str) -> None:
    async with answering(sends(data, Content_Type="application/json")) as server:
        error = await caller.fails(f"{server.url}/x?q=hidden")

    assert (error.type, error.retryable) == ("HTTP_BAD_JSON", False)
    assert error.message.startswith(f"GET {server.url}/x answered ")
    assert text in error.message


async def test_long_fractions_are_no_long_integers(caller: Caller) -> None:
    output = await body_of(caller, "[0.123456789012345678901234567890, 12]", "application/json")

    assert output["body"] == [0.12345678901234568, 12]


async def test_json_in_another_encoding_and_with_a_mark_at_its_beginning_is_read(caller: Caller) -> None:
    marked = await body_of(caller, b'\xef\xbb\xbf{"a": 1}', "application/json")
    wide = await body_of(caller, '{"ü": 1}'.encode("utf-16"), "application/json; charset=utf-16")

    assert (marked["body"], wide["body"]) == ({"a": 1}, {"ü": 1})


async def test_a_large_answer_is_read_and_one_that_is_too_large_is_not(caller: Caller) -> None:
    rows = [{"id": number, "name": "x" * 20, "none": None} for number in range(60_000)]
    large = await body_of(caller, json.dumps(rows), "application/json")
    assert large["body"] == rows

    async with answering(sends(b" " * (BODY_LIMIT + 1), Content_Type="application/json")) as server:
        error = await caller.fails(server.url)
    assert (error.type, error.retryable) == ("RESPONSE_TOO_LARGE", False)


@pytest.mark.parametrize("type", [b"application/json", b"text/event-stream", b"application/octet-stream"])
async def test_an_answer_without_end_is_not_read_to_its_end(caller: Caller, type: bytes) -> None:
    async def flood(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD % type)
        while True:
            writer.write(b"10000\r\n" + b"\n\nx" * 21845 + b"x\r\n")
            await writer.drain()

    async with answering(flood) as server:
        error = await caller.fails(server.url)

    assert error.type == "RESPONSE_TOO_LARGE"
    # Also of a stream of events, which a model's answer may have more of.
    assert f"more than {BODY_LIMIT} bytes" in error.message


async def test_json_of_too_many_parts_is_not_made(caller: Caller) -> None:
    async with answering(sends("[" + "[]," * 300_000 + "[]]", Content_Type="application/json")) as server:
        error = await caller.fails(server.url)

    assert error.type == "RESPONSE_TOO_LARGE"
    assert "250000 lists and objects" in error.message


@pytest.mark.parametrize("status", ["200 OK", "500 Failed"])
async def test_a_bomb_is_not_unpacked_beyond_the_bound(caller: Caller, status: str) -> None:
    bomb = gzip.compress(b" " * 100_000_000)
    answer = sends(bomb, status=status, Content_Type="application/json", Content_Encoding="gzip")
    async with answering(answer) as server:
        error = await caller.fails(server.url)

    assert error.type == ("RESPONSE_TOO_LARGE" if status.startswith("200") else "HTTP_UNAVAILABLE")


async def test_a_packed_answer_is_read(caller: Caller) -> None:
    packed = gzip.compress(b'{"a": 1}')
    async with answering(sends(packed, Content_Type="application/json", Content_Encoding="gzip")) as server:
        output = await caller.call(server.url)

    assert output == {"status": 200, "headers": {"content-type": "application/json"}, "body": {"a": 1}}


@pytest.mark.parametrize("encoding", ["br", "gzip"])
async def test_what_cannot_be_unpacked_is_a_broken_answer(caller: Caller, encoding: str) -> None:
    async with answering(sends("plain", Content_Encoding=encoding)) as server:
        error = await caller.fails(server.url)

    assert (error.type, error.retryable) == ("HTTP_BAD_RESPONSE", True)


async def test_an_answer_in_drops_is_given_up(callers: Callers) -> None:
    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD % b"text/plain")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(drip) as server:
        error = await callers(time=0.3).fails(server.url)

    assert (error.type, error.retryable) == ("HTTP_UNREACHABLE", True)


async def test_redirects_in_drops_have_their_time_together(callers: Callers) -> None:
    async def slowly(asked: Asked, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.2)
        writer.write(b"HTTP/1.1 302 Found\r\nLocation: /next\r\nContent-Length: 0\r\n\r\n")

    async with answering(slowly) as server:
        error = await callers(time=0.5).fails(server.url, max_redirects=10)

    assert (error.type, error.retryable) == ("HTTP_UNREACHABLE", True)
    assert len(server.requests) < 6


async def test_a_server_that_goes_quiet_is_given_up(callers: Callers) -> None:
    async def silent(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(HEAD % b"text/plain" + b"5\r\nhello\r\n")

    async with answering(silent) as server:
        error = await callers(node=HttpNode(read_timeout=0.2)).fails(server.url)

    assert (error.type, error.retryable) == ("HTTP_UNREACHABLE", True)
    assert "did not answer in time" in error.message
