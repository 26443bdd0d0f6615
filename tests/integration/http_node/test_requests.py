"""What an http node sends: data stays data, types survive, and nothing is sent that nobody asked for."""

from __future__ import annotations

import json
import re
import threading
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from execsvc.engine.nodes.http_request import make_request
from tests.integration.http_node.harness import Caller, http_config
from tests.integration.llm.harness import Recorder
from tests.servers.answers import answering, sends
from tests.support.threads import Watched

OK = sends("{}", Content_Type="application/json")
SECRET = {"KEY": "k3y-0123456789"}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"])
async def test_every_method_is_sent(caller: Caller, method: str) -> None:
    async with answering(sends("")) as server:
        output = await caller.call(f"{server.url}/x", method=method)

    assert server.requests[0].line == f"{method} /x HTTP/1.1"
    assert output == {"status": 200, "headers": {"content-length": "0"}, "body": None}


async def test_values_are_encoded_wherever_they_stand_in_a_url(caller: Caller) -> None:
    data = {"id": "a b?c=d#e&f%2F..", "q": "x&admin=1", "n": 5, "o": {"ü": [1]}}
    async with answering(OK) as server:
        await caller.call(
            f"{server.url}/v1/{{{{input.id}}}}/n{{{{input.n}}}}?q={{{{input.q}}}}&fix=%20",
            data,
            query={"o": "{{input.o}}", "none": "{{input.none}}", "a b": "1"},
        )

    path, _, query = server.requests[0].line.split()[1].partition("?")
    assert path == "/v1/a%20b%3Fc%3Dd%23e%26f%252F../n5"
    assert parse_qsl(query) == [("q", "x&admin=1"), ("fix", " "), ("o", '{"ü":[1]}'), ("a b", "1")]


async def test_a_secret_and_the_workflow_itself_may_have_slashes_in_a_path(caller: Caller) -> None:
    async with answering(OK) as server:
        url = f"{server.url}/{{{{input.a}}}}%2F{{{{input.b}}}}/secret:HOOK"
        await caller.call(url, {"a": "group", "b": "project"}, {"HOOK": "T0/B0/0123456"})

    assert server.requests[0].line.split()[1] == "/group%2Fproject/T0%2FB0%2F0123456"


async def test_a_list_becomes_a_parameter_for_each_item(caller: Caller) -> None:
    async with answering(OK) as server:
        url = f"{server.url}/x?{{{{#input.tags}}}}tag={{{{.}}}}&{{{{/input.tags}}}}"
        await caller.call(url, {"tags": ["a&b", "c"]})

    assert parse_qsl(server.requests[0].line.split()[1].partition("?")[2]) == [("tag", "a&b"), ("tag", "c")]


@pytest.mark.parametrize("value", [".", "..", "", None, "/", "\\", "7/", "../x", "a/..", "a/b", "a\\b", "..;a", ".;"])
async def test_data_that_would_make_another_path_is_refused_before_anything_is_sent(
    caller: Caller, value: str | None
) -> None:
    async with answering(OK) as server:
        error = await caller.fails(f"{server.url}/users/{{{{input.id}}}}/keys", {"id": value}, method="DELETE")

    assert (error.type, error.retryable, server.connections) == ("HTTP_INVALID_REQUEST", False, 0)
    assert error.message.startswith("url: ")


@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(st.text(), st.text())
async def test_no_data_changes_host_path_or_parameters(segment: str, parameter: str) -> None:
    url = "https://api.example/v1/{{input.s}}/end?a={{input.p}}&z=1"
    recorder = Recorder(s=segment, p=parameter)
    if re.search(r"[/\\]", segment) or segment.partition(";")[0] in ("", ".", ".."):
        # Refused, or harmless.
        return
    request = await make_request(http_config(url, query={"q": "{{input.p}}"}), recorder.context)

    parts = urlsplit(str(request.url))
    assert (parts.scheme, parts.netloc, parts.fragment) == ("https", "api.example", "")
    assert [unquote(part, errors="surrogatepass") for part in parts.path.split("/")] == ["", "v1", segment, "end"]
    expected = [("a", parameter), ("z", "1"), ("q", parameter)]
    assert parse_qsl(parts.query, keep_blank_values=True) == [pair for pair in expected if pair != ("q", "")]


async def test_json_keeps_types_and_text_is_no_syntax(caller: Caller) -> None:
    data = {"n": 3, "name": '"}, {"admin": true, "x": "'}
    async with answering(OK) as server:
        await caller.call(
            server.url, data, method="POST", json="{'n': input.n, 'half': 0.5, 'name': input.name, 'no': null}"
        )

    asked = server.requests[0]
    assert asked.headers["content-type"] == "application/json"
    assert json.loads(asked.body) == {"n": 3, "half": 0.5, "name": data["name"], "no": None}


async def test_a_form_is_encoded_and_leaves_out_what_is_not_there(caller: Caller) -> None:
    form = {
        "grant_type": "client_credentials",
        "scope": "{{input.s}}",
        "client_secret": "secret:KEY",
        "x": "{{input.x}}",
    }
    async with answering(OK) as server:
        await caller.call(server.url, {"s": "a b&c=d"}, SECRET, method="POST", form=form)

    asked = server.requests[0]
    assert asked.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qsl(asked.body.decode()) == [
        ("grant_type", "client_credentials"),
        ("scope", "a b&c=d"),
        ("client_secret", SECRET["KEY"]),
    ]


async def test_a_text_is_sent_as_it_renders_under_the_type_that_the_headers_name(caller: Caller) -> None:
    async with answering(OK) as server:
        await caller.call(server.url, {"x": "<ü>"}, method="PUT", body="a {{input.x}}")
        await caller.call(
            server.url, {"x": 1}, method="PUT", body="<x>{{input.x}}</x>", headers={"Content-Type": "application/xml"}
        )

    plain, xml = server.requests
    assert (plain.headers["content-type"], plain.body.decode()) == ("text/plain; charset=utf-8", "a <ü>")
    assert (xml.headers["content-type"], xml.body) == ("application/xml", b"<x>1</x>")


async def test_headers_are_filled_in_and_left_out_where_they_are_empty(caller: Caller) -> None:
    headers = {"X-User": "{{input.user}}", "Authorization": "Bearer secret:KEY", "X-None": "{{input.none}}"}
    async with answering(OK) as server:
        await caller.call(server.url, {"user": " ada "}, SECRET, headers={**headers, "User-Agent": "mine"})

    sent = server.requests[0].headers
    assert (sent["x-user"], sent["authorization"], sent["user-agent"]) == ("ada", f"Bearer {SECRET['KEY']}", "mine")
    assert "x-none" not in sent


@pytest.mark.parametrize("value", ["a\r\nX-Evil: 1", "a\nb", "a\x00b", "ü", "\x7f"])
async def test_data_cannot_begin_another_header(caller: Caller, value: str) -> None:
    async with answering(OK) as server:
        error = await caller.fails(server.url, {"v": value}, headers={"X-A": "a{{input.v}}b"})

    assert (error.type, error.retryable, server.connections) == ("HTTP_INVALID_REQUEST", False, 0)
    assert error.message.startswith("headers.X-A: ")
    assert value not in error.message


async def test_a_secret_that_is_no_line_is_named_and_not_shown(caller: Caller) -> None:
    async with answering(OK) as server:
        error = await caller.fails(server.url, secrets={"KEY": "0123456\n789"}, headers={"X-A": "secret:KEY"})

    assert (error.type, server.connections) == ("SECRET_UNUSABLE", 0)
    assert "0123456" not in error.message


async def test_a_filled_in_value_names_no_secret(caller: Caller) -> None:
    async with answering(OK) as server:
        await caller.call(f"{server.url}/{{{{input.x}}}}", {"x": "secret:KEY"}, SECRET, headers={"X-A": "{{input.x}}"})

    assert server.requests[0].line.split()[1] == "/secret%3AKEY"
    assert server.requests[0].headers["x-a"] == "secret:KEY"


@pytest.mark.parametrize(("method", "sent"), [("GET", False), ("HEAD", False), ("POST", True), ("DELETE", True)])
async def test_what_may_change_something_has_a_key_against_doing_it_twice(
    caller: Caller, method: str, sent: bool
) -> None:
    async with answering(sends("")) as server:
        await caller.call(server.url, method=method)

    assert server.requests[0].headers.get("idempotency-key") == (caller.recorder.context.series_key if sent else None)


@pytest.mark.parametrize(
    ("own", "sent"), [("{{input.order}}-charge", "7-charge"), ("", None), ("{{input.x}}", "u1/ask/1")]
)
async def test_a_node_may_have_a_key_of_its_own_or_none(caller: Caller, own: str, sent: str | None) -> None:
    async with answering(OK) as server:
        await caller.call(server.url, {"order": 7}, method="POST", headers={"Idempotency-Key": own})

    assert server.requests[0].headers.get("idempotency-key") == sent


async def test_what_is_too_much_to_send_is_not_sent(caller: Caller) -> None:
    long: dict[str, Any] = {"text": "x" * 5_000_000}
    half, long_line = {"text": "x" * 3_000_000}, {"text": "x" * 10_000}
    async with answering(OK) as server:
        body = await caller.fails(server.url, long, method="POST", json="input.text")
        form = await caller.fails(server.url, half, method="POST", form={"a": "{{input.text}}", "b": "{{input.text}}"})
        url = await caller.fails(f"{server.url}/{{{{input.text}}}}", {"text": "x" * 20_000})
        query = await caller.fails(server.url, long_line, query={f"q{n}": "{{input.text}}" for n in range(20)})
        headers = await caller.fails(server.url, long_line, headers={f"X-{n}": "{{input.text}}" for n in range(9)})

    assert {error.type for error in (body, form)} == {"OUTPUT_TOO_LARGE"}
    assert {error.type for error in (url, query, headers)} == {"HTTP_INVALID_REQUEST"}
    assert server.connections == 0


async def test_many_templates_are_filled_in_beside_the_loop(caller: Caller) -> None:
    items = Watched([1, 2])
    query = {f"q{number}": "{{#input.l}}x{{/input.l}}" for number in range(14)}
    async with answering(OK) as server:
        await caller.call(server.url, {"l": items}, query=query)

    assert server.requests[0].line == "GET /?" + "&".join(f"q{number}=xx" for number in range(14)) + " HTTP/1.1"
    assert len(items.threads) == 1
    assert threading.get_ident() not in items.threads


async def test_connections_are_used_again(caller: Caller) -> None:
    async with answering(OK) as server:
        for _ in range(5):
            await caller.call(server.url)
        for status in ("404 Not Found", "500 Failed"):
            async with answering(sends("x", status=status)) as failing:
                for _ in range(3):
                    await caller.fails(failing.url)
            assert failing.connections == 1

    assert (server.connections, len(server.requests)) == (1, 5)


async def test_a_request_shows_nothing_of_what_is_in_it() -> None:
    config = http_config(
        "https://api.example/a?token={{input.t}}", headers={"X-A": "{{input.t}}"}, body="{{input.t}}", method="POST"
    )

    request = await make_request(config, Recorder(t="hidden-text").context)

    assert "hidden-text" not in repr(request)
    assert request.where == "POST https://api.example/a"
