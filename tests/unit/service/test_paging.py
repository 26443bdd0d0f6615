"""Page tokens hold a position, and are good for their own list and arguments only."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from execsvc.errors import InvalidRequest
from execsvc.service.paging import MAX_PAGE, PageToken, page_size

TOKENS = PageToken("executions", "state = FAILED", "")


def why(tokens: PageToken, token: str, types: tuple[type, ...] = (int, int)) -> str:
    with pytest.raises(InvalidRequest) as refused:
        tokens.read(token, types)
    (problem,) = refused.value.problems
    assert (problem.path, problem.reason) == ("page_token", "INVALID_PAGE_TOKEN")
    return problem.message


@given(st.integers(0, 2**63 - 1), st.text())
def test_a_token_gives_back_its_position(number: int, text: str) -> None:
    token = TOKENS.make(number, text)
    assert TOKENS.read(token, (int, str)) == (number, text)
    assert token.isascii()


def test_no_token_is_no_position() -> None:
    assert TOKENS.read("", (int, int)) is None


@pytest.mark.parametrize(
    "other",
    [
        PageToken("executions", "state = STOPPED", ""),
        PageToken("executions", "state = FAILED", "end_time"),
        PageToken("executions", "", "state = FAILED"),
        PageToken("workflows", "state = FAILED", ""),
        PageToken("logs", "executions"),
    ],
)
def test_a_token_of_another_list_or_of_other_arguments_is_refused(other: PageToken) -> None:
    assert "made with other arguments" in why(TOKENS, other.make(1, 2))


def forged(*position: Any) -> str:
    arguments = json.loads(base64.urlsafe_b64decode(TOKENS.make(1)))[0]
    return base64.urlsafe_b64encode(json.dumps([arguments, *position]).encode()).decode()


@pytest.mark.parametrize(
    "token",
    ["x", "====", "é", "a b", "\0", "Zg==", base64.b64encode(b"[]").decode(), base64.b64encode(b"7").decode()]
    + [base64.b64encode(b'{"a": 1}').decode(), base64.b64encode(b"null").decode(), "A" * 100_000]
    + [forged(*position) for position in [(), (1,), (1, 2, 3), ("1", 2), (True, 1), (1.0, 2), (None, 1), ([1], 2)]]
    + [forged(*position) for position in [(-1, 1), (1, 2**63), (2**64 - 1, 1), (10**400, 1), ({"a": 1}, 1)]],
    ids=lambda token: token[:20],
)
def test_what_this_service_did_not_make_is_refused(token: str) -> None:
    assert "none that this service made" in why(TOKENS, token)


@given(st.text() | st.binary().map(lambda raw: base64.urlsafe_b64encode(raw).decode()))
def test_any_text_is_refused_or_is_no_token(text: str) -> None:
    if text:
        why(TOKENS, text)


@pytest.mark.parametrize(
    ("asked", "given"), [(0, 50), (1, 1), (1_000, MAX_PAGE), (1_001, MAX_PAGE), (2**31 - 1, MAX_PAGE)]
)
def test_a_page_has_as_many_entries_as_asked_for_up_to_a_limit(asked: int, given: int) -> None:
    assert page_size(asked, default=50) == given


def test_a_negative_page_size_is_refused() -> None:
    with pytest.raises(InvalidRequest) as refused:
        page_size(-1, default=50)
    assert refused.value.problems[0].path == "page_size"
