"""Errors of providers whose packages are not installed here, and the words of errors."""

from __future__ import annotations

import httpx
import pytest

from execsvc.engine.nodes.foreign_words import redact, retry_after
from execsvc.engine.nodes.llm_errors import describe, node_error, scrub

REQUEST = httpx.Request("POST", "http://model.example/v1")


def with_status(status: int, **headers: str) -> Exception:
    """Make the error that packages built on httpx raise."""
    response = httpx.Response(status, headers=headers, request=REQUEST)
    return httpx.HTTPStatusError(f"status {status}", request=REQUEST, response=response)


class CodeError(Exception):
    """As Google's packages raise it: the status is ``code``."""

    code = 503


class ResponseMapError(Exception):
    """As botocore raises it: the response is a dict."""

    response = {"ResponseMetadata": {"HTTPStatusCode": 429}}  # noqa: RUF012 - as the original


@pytest.mark.parametrize(
    ("error", "type", "retryable"),
    [
        (with_status(429), "LLM_RATE_LIMITED", True),
        (with_status(500), "LLM_UNAVAILABLE", True),
        (with_status(403), "LLM_AUTH", False),
        (with_status(418), "LLM_REJECTED", False),
        (with_status(302), "LLM_FAILED", False),
        (CodeError("busy"), "LLM_UNAVAILABLE", True),
        (ResponseMapError("throttled"), "LLM_RATE_LIMITED", True),
        (httpx.ConnectError("refused"), "LLM_UNREACHABLE", True),
        (httpx.ReadError("reset"), "LLM_UNREACHABLE", True),
        (httpx.ReadTimeout(""), "LLM_UNREACHABLE", True),
        (httpx.RemoteProtocolError("peer closed connection"), "LLM_BAD_RESPONSE", True),
        (httpx.RemoteProtocolError("Server disconnected without sending a response."), "LLM_UNREACHABLE", True),
        (ConnectionResetError("reset"), "LLM_UNREACHABLE", True),
        (TimeoutError(), "LLM_UNREACHABLE", True),
        (ValueError({"message": "busy", "code": 502}), "LLM_UNAVAILABLE", True),
        (KeyError("choices"), "LLM_BAD_RESPONSE", True),
        (ValueError("nobody knows"), "LLM_FAILED", False),
    ],
    ids=lambda value: repr(value)[:60],
)
def test_errors_are_known_by_their_shape(error: Exception, type: str, retryable: bool) -> None:
    found = node_error(error, where="some:model", now=0)

    assert (found.type, found.retryable) == (type, retryable)
    assert found.message.startswith("some:model ")


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "1.5"}, 1.5),
        ({"retry-after": "-3"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "Thu, 01 Jan 1970 00:02:00 GMT"}, 20.0),
        ({"retry-after": "Thu, 01 Jan 1970 00:00:00 GMT"}, 0.0),
        ({"retry-after-ms": "250", "retry-after": "1"}, 0.25),
    ],
)
def test_retry_after_is_read_in_all_its_forms(headers: dict[str, str], seconds: float | None) -> None:
    assert retry_after(headers, now=100.0) == seconds


def test_headers_are_found_whatever_their_case() -> None:
    assert node_error(with_status(503, **{"RETRY-AFTER": "4"}), where="m", now=0).retry_after == 4.0


@pytest.mark.parametrize(
    "secret",
    ["sk-proj-abcdefgh12345678", "gsk_0123456789abcdef", "AIzaSyA0123456789abcdefghij", "Bearer abc.def-ghi/j"],
)
def test_what_looks_like_a_key_is_redacted(secret: str) -> None:
    text = redact(f"the key '{secret}' is wrong")

    assert secret.removeprefix("Bearer ") not in text
    assert text.endswith("' is wrong")


def test_secrets_of_the_environment_are_redacted_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VENDOR_TOKEN", "hush-hush-0001")
    monkeypatch.setenv("SOME_VENDOR_TOKEN_LONG", "hush-hush-0001-and-more")
    monkeypatch.setenv("SOME_VENDOR_REGION", "far-away-0001")

    text = redact("hush-hush-0001 hush-hush-0001-and-more far-away-0001")

    assert text == "[redacted] [redacted] far-away-0001"


def test_secrets_are_taken_out_of_the_errors_behind_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VENDOR_KEY", "hush-hush-0001")
    inner = ValueError({"key": "hush-hush-0001"})
    outer = RuntimeError("hush-hush-0001")
    outer.__cause__ = inner

    scrub(outer)

    assert "hush" not in str(outer) + str(inner)


def test_a_long_tale_is_cut_short() -> None:
    assert len(node_error(ValueError("x" * 10_000), where="m", now=0).message) < 600


@pytest.mark.parametrize(
    ("base_url", "text"),
    [
        ("", "p:m"),
        ("https://user:pass@host.example:8443/v1?key=1", "p:m at https://host.example:8443/v1"),
        ("http://host:port/", "p:m at its base_url"),
    ],
)
def test_a_model_is_described_without_what_its_address_hides(base_url: str, text: str) -> None:
    assert describe("p:m", base_url) == text
