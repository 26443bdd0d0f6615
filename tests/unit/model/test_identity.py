"""API tokens: their form, their secret, and when they open."""

from __future__ import annotations

from dataclasses import replace

import pytest

from execsvc.model import ApiToken, Role, actor_of
from execsvc.model.identity import NAMESPACE, digest_of, new_token, token_id_of
from tests.support.tokens import DAY, NOW, token


def test_a_token_has_256_bits_that_are_stored_nowhere() -> None:
    asked: list[int] = []

    def random(size: int) -> bytes:
        asked.append(size)
        return bytes(range(size))

    text, stored = new_token(namespace="a", role=Role.READER, name="n", now=NOW, expire_time=None, random=random)

    assert asked[-1] * 8 == 256
    assert text == "exs_abcdefghijkl_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
    secret = text.rpartition("_")[2]
    assert all(secret not in str(value) for value in (stored.token_id, stored.digest, stored.name))
    assert "digest" not in repr(stored)
    assert stored.digest == digest_of(text)


def test_no_two_tokens_are_alike() -> None:
    texts = {token()[0] for _ in range(1000)}

    assert len({token_id_of(text) for text in texts}) == len(texts) == 1000


@pytest.mark.parametrize(
    ("change", "opens"),
    [
        ({}, True),
        ({"expire_time": NOW + 1}, True),
        ({"expire_time": NOW}, False),
        ({"revoke_time": NOW + DAY}, False),
        ({"expire_time": NOW + DAY, "revoke_time": 0}, False),
    ],
)
def test_a_token_opens_until_it_expires_or_is_revoked(change: dict[str, int], opens: bool) -> None:
    text, stored = token()
    stored = replace(stored, **change)  # type: ignore[arg-type]

    assert stored.opened_by(text, NOW) is opens
    assert not stored.opened_by(text[:-1] + ("A" if text[-1] != "A" else "B"), NOW)
    assert (stored.state(NOW) == "active") is opens


def test_a_token_opens_nothing_in_the_place_of_another() -> None:
    (text, first), (_, second) = token(), token()
    forged = second.token_id + text[len(first.token_id) :]

    assert token_id_of(forged) == second.token_id
    assert not second.opened_by(forged, NOW)
    assert not first.opened_by(forged, NOW)


@pytest.mark.parametrize(
    "text", ["", "exs_", "exs_ABCDEFGHIJKL", "exs_abcdefghijk", "exs_abcdefghijkl_x", "ghp_abcdefghijkl", "\ud800", "é"]
)
def test_what_is_no_token_has_no_id(text: str) -> None:
    assert token_id_of(text) is None
    assert not token()[1].opened_by(text, NOW)


def test_each_role_may_do_what_those_before_it_may() -> None:
    assert [[role.allows(least) for least in Role] for role in Role] == [
        [True, False, False],
        [True, True, False],
        [True, True, True],
    ]


@pytest.mark.parametrize(
    ("name", "fits"), [("team-a", True), ("a.b:c_D", True), ("", False), ("a b", False), ("a/b", False)]
)
def test_namespaces_are_named_as_ids_are(name: str, fits: bool) -> None:
    assert (NAMESPACE.fullmatch(name) is not None) is fits


def test_who_shows_a_token_is_known_by_its_id_and_shown_with_its_name() -> None:
    def told(stored: ApiToken) -> tuple[str, str]:
        return stored.principal.name, actor_of(stored.principal, address="", request_id="").shown

    named = token(name="ci")[1]
    assert told(named) == (named.token_id, f"ci ({named.token_id})")
    nameless = token()[1]
    assert told(nameless) == (nameless.token_id, nameless.token_id)
