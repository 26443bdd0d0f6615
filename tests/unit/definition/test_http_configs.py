"""What an http node's config may say: each slip is refused with its place, and no data can change where a call goes."""

from __future__ import annotations

from typing import Any

import pytest

from execsvc.definition import HttpConfig, Plan, parse_definition
from execsvc.egress import Egress
from execsvc.errors import InvalidRequest

URL = "https://api.example/v1/users/{{input.id}}"


def planned(egress: Egress | None = None, **config: Any) -> Plan:
    definition = {
        "nodes": [{"id": "call", "type": "http", "config": {"url": URL} | config}, {"id": "out", "type": "output"}],
        "edges": [{"source": "call", "target": "out"}],
    }
    return parse_definition(definition, egress=egress)


def compiled(**config: Any) -> HttpConfig:
    found = planned(**config).nodes[0].config
    assert isinstance(found, HttpConfig)
    return found


def problems_of(egress: Egress | None = None, **config: Any) -> list[tuple[str, str, str]]:
    with pytest.raises(InvalidRequest) as refused:
        planned(egress, **config)
    place = "definition.nodes[0].config"
    assert all(problem.path.startswith(place) for problem in refused.value.problems)
    return [(p.path.removeprefix(place).lstrip("."), p.reason, p.message) for p in refused.value.problems]


def test_a_url_is_parted_into_what_is_literal_and_what_is_not() -> None:
    config = compiled(url="HTTPS://api.example:8443/v1/{{input.id}}/x?a=1&b={{input.b}}")

    assert (config.method, config.origin, config.path.source) == (
        "GET",
        "HTTPS://api.example:8443",
        "/v1/{{input.id}}/x",
    )
    assert config.search is not None
    assert config.search.source == "a=1&b={{input.b}}"
    assert config.expected == ((200, 299),)


@pytest.mark.parametrize(
    "url",
    [
        "{{input.url}}",
        "https://{{input.host}}/",
        "https://api.example{{input.rest}}",
        "https://api.example:{{input.port}}/",
        "https://api.{{input.region}}.example/",
        "https://api.example{{#input.more}}.evil{{/input.more}}/",
        "{{=<% %>=}}https://<%input.host%>/",
        "https://{{! no comment }}api.example/",
        "{{input.scheme}}://api.example/",
    ],
)
def test_scheme_host_and_port_come_from_no_data(url: str) -> None:
    ((path, reason, message),) = problems_of(url=url)

    assert (path, reason) == ("url", "INVALID_VALUE")
    assert "https://api.example/v1/users/{{input.id}}" in message


@pytest.mark.parametrize(
    ("url", "text"),
    [
        ("ftp://api.example/", "must start with http:// or https://"),
        ("api.example/x", "must start with http:// or https://"),
        ("https://", "must name a host"),
        ("https:///x", "must name a host"),
        ("https://user:password@api.example/", "belongs into headers, as secret:NAME"),
        ("https://secret:KEY@api.example/", "belongs into headers, as secret:NAME"),
        ("https://secret:KEY/", "belongs into headers, as secret:NAME"),
        ("https://a<%b%>/", "must name a host"),
        ("https://api.example:99999/", "Port out of range"),
        ("https://api.example/x#top", "has a fragment"),
        ("https://api.example/x?a=1#top", "has a fragment"),
        ("https://api.example/a b", "write them as %20"),
        ("https://api.example/a\nb", "write them as %20"),
        ("https://api.example/a\\b", "write them as %20"),
        ("https://api.example/a/../b", "has a segment . or .."),
        ("https://api.example/{{colour}}", "unknown variable 'colour'"),
        ("https://api.example/{{#input.a}}?b=1{{/input.a}}", ""),
    ],
)
def test_a_url_that_is_none_is_refused_with_what_would_be_right(url: str, text: str) -> None:
    found = problems_of(url=url)

    assert {path for path, _, _ in found} == {"url"}
    assert text in found[0][2]


@pytest.mark.parametrize(
    "url", ["http://10.0.0.5/x", "http://169.254.169.254/{{input.x}}", "http://localhost:8/?a={{input.a}}"]
)
def test_a_host_that_may_not_be_called_is_refused_with_the_workflow(url: str) -> None:
    ((path, reason, message),) = problems_of(Egress(), url=url)

    assert (path, reason) == ("url", "ADDRESS_NOT_ALLOWED")
    assert "--egress " in message


@pytest.mark.parametrize(
    ("config", "path", "reason", "text"),
    [
        ({"url": ""}, "url", "INVALID_VALUE", ""),
        ({"method": "post"}, "method", "INVALID_VALUE", "'POST'"),
        ({"method": "CONNECT"}, "method", "INVALID_VALUE", ""),
        ({"json": "1"}, "json", "CONFLICT", "a GET sends no body"),
        ({"body": "x", "method": "HEAD"}, "body", "CONFLICT", "a HEAD sends no body"),
        ({"json": "1", "body": "x", "method": "POST"}, "body", "CONFLICT", "'json' or 'body'"),
        ({"form": {"a": "b"}, "body": "x", "method": "POST"}, "body", "CONFLICT", "'form' or 'body'"),
        ({"json": "1 +", "method": "POST"}, "json", "CEL_SYNTAX", ""),
        ({"json": "nodes.out", "method": "POST"}, "json", "NODE_NOT_UPSTREAM", ""),
        ({"body": "{{nodes.out}}", "method": "POST"}, "body", "NODE_NOT_UPSTREAM", ""),
        ({"query": {"a": "{{x}}"}}, "query.a", "TEMPLATE_UNKNOWN_NAME", ""),
        ({"query": {"a": 1}}, "query.a", "WRONG_TYPE", ""),
        ({"form": {"a": "{{input"}, "method": "POST"}, "form.a", "TEMPLATE_SYNTAX", ""),
        ({"headers": {"Host": "x"}}, "headers.Host", "INVALID_VALUE", "no header that a workflow may set"),
        ({"headers": {"content-length": "1"}}, 'headers["content-length"]', "INVALID_VALUE", "may set"),
        ({"headers": {"Transfer-Encoding": "x"}}, 'headers["Transfer-Encoding"]', "INVALID_VALUE", "may set"),
        ({"headers": {"Accept-Encoding": "br"}}, 'headers["Accept-Encoding"]', "INVALID_VALUE", "may set"),
        ({"headers": {"Proxy-Authorization": "x"}}, 'headers["Proxy-Authorization"]', "INVALID_VALUE", "may set"),
        ({"headers": {"X A": "x"}}, 'headers["X A"]', "INVALID_VALUE", "may set"),
        ({"headers": {"X:": "x"}}, 'headers["X:"]', "INVALID_VALUE", "may set"),
        ({"headers": {"X": "a\r\nY: b"}}, "headers.X", "INVALID_VALUE", "one line of ASCII"),
        ({"headers": {"X": "ü"}}, "headers.X", "INVALID_VALUE", "one line of ASCII"),
        ({"headers": {"X": "a", "x": "b"}}, "headers.x", "CONFLICT", "the same header as 'X'"),
        ({"expected_status": ["2xx", "99"]}, "expected_status[1]", "INVALID_VALUE", ""),
        ({"expected_status": ["1xx"]}, "expected_status[0]", "INVALID_VALUE", ""),
        ({"expected_status": [200]}, "expected_status[0]", "WRONG_TYPE", ""),
        ({"expected_status": ["204-200"]}, "expected_status[0]", "INVALID_VALUE", "ends before it begins"),
        ({"max_redirects": 11}, "max_redirects", "INVALID_VALUE", "10"),
        ({"max_redirects": -1}, "max_redirects", "INVALID_VALUE", ""),
        ({"response_format": "xml"}, "response_format", "INVALID_VALUE", ""),
        ({"verb": "GET"}, "verb", "UNKNOWN_FIELD", ""),
    ],
)
def test_each_slip_is_refused_with_its_place(config: dict[str, Any], path: str, reason: str, text: str) -> None:
    ((found_path, found_reason, message),) = problems_of(**config)

    assert (found_path, found_reason) == (path, reason)
    assert text in message


def test_all_slips_are_told_at_once() -> None:
    found = problems_of(url="x", headers={"Host": "x"}, json="1 +", expected_status=["9-1"])

    assert [path for path, _, _ in found] == ["expected_status[0]"]
    found = problems_of(url="x", headers={"Host": "x"}, json="1 +")
    assert [path for path, _, _ in found] == ["url", "json", "json", "headers.Host"]


def test_what_says_nothing_changes_no_digest() -> None:
    empty: dict[str, Any] = {"method": "GET", "query": {}, "headers": {}, "json": "", "form": {}, "body": ""}
    empty |= {"expected_status": [], "max_redirects": 0, "response_format": "auto"}

    assert planned(**empty).digest == planned().digest


def test_secrets_are_named_wherever_they_may_stand_and_nowhere_else() -> None:
    plan = planned(
        url="https://api.example/secret:PATH?key=secret:QUERY",
        query={"a": "secret:PARAMETER"},
        headers={"Authorization": "Bearer secret:HEADER"},
        form={"client_secret": "secret:FORM"},
        method="POST",
    )

    assert set(plan.nodes[0].secrets) == {"PATH", "QUERY", "PARAMETER", "HEADER", "FORM"}
    assert planned(body="secret:BODY", method="POST").nodes[0].secrets == ("BODY",)
    assert planned(json="'secret:NOBODY'", method="POST").nodes[0].secrets == ()


def test_statuses_are_codes_classes_and_ranges() -> None:
    assert compiled(expected_status=["200", "4xx", "300-304"]).expected == ((200, 200), (400, 499), (300, 304))
