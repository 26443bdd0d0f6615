"""JSON Web Tokens: whose are taken, which are not, and how keys change."""

# ruff: noqa: ASYNC240
# Nothing else runs on the loop of these tests.

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import jwt
import pytest

from execsvc.errors import CredentialsInvalid, IdentityUnusable
from execsvc.model import ActorKind, Principal, Role
from execsvc.service import JwtRules
from execsvc.service.jwts import ALGORITHMS, FRESH, MOST_BYTES, PAUSE, Jwts
from tests.support.jwts import AUDIENCE, ISSUER, Signer, key_set, now, served


@pytest.fixture(scope="module")
def signer() -> Signer:
    """The provider's key."""
    return Signer("one")


@pytest.fixture
def rules(signer: Signer, tmp_path: Path) -> JwtRules:
    """Rules with a file of keys."""
    (tmp_path / "keys.json").write_text(key_set(signer))
    return JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=str(tmp_path / "keys.json"))


class Clock:
    """Seconds that go on when told to."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


async def refused(jwts: Jwts, token: str) -> bool:
    """Whether a token is of no use."""
    try:
        await jwts.of(token)
    except CredentialsInvalid:
        return True
    return False


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "EdDSA"])
async def test_a_genuine_token_says_who_shows_it(algorithm: str, tmp_path: Path) -> None:
    signer = Signer("k", algorithm)
    (tmp_path / "keys.json").write_text(key_set(signer))
    jwts = Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=str(tmp_path / "keys.json")))

    found = await jwts.of(signer.token(namespace="team-a", role="admin"))

    assert found == Principal(kind=ActorKind.JWT, name="ada", namespace="team-a", role=Role.ADMIN)


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://evil.example"},
        {"iss": None},
        {"aud": "another"},
        {"aud": ["another", "third"]},
        {"aud": None},
        {"exp": 1_000_000_000},
        {"exp": None},
        {"exp": "soon"},
        {"nbf": 4_000_000_000},
        {"sub": None},
        {"namespace": None},
        {"namespace": ""},
        {"namespace": "a b"},
        {"namespace": ["default"]},
        {"role": None},
        {"role": "king"},
        {"role": []},
        {"role": {"admin": True}},
        {"role": "ADMIN"},
        {"role": "reader,admin"},
    ],
    ids=str,
)
async def test_a_token_that_does_not_say_what_it_must_is_of_no_use(
    rules: JwtRules, signer: Signer, claims: dict[str, Any]
) -> None:
    assert await refused(Jwts(rules), signer.token(**claims))


def unsigned(signer: Signer) -> str:
    """A token that says of itself that it needs no signature."""
    payload = signer.token().split(".")[1]
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none", "typ": "JWT", "kid": "one"}).encode())
    return f"{header.rstrip(b'=').decode()}.{payload}."


def signed_with_the_public_key(signer: Signer) -> str:
    """A token for whose signature nothing secret is needed where the algorithm is believed."""
    header = base64.urlsafe_b64encode(json.dumps({"alg": "HS256", "typ": "JWT", "kid": "one"}).encode())
    text = f"{header.rstrip(b'=').decode()}.{signer.token().split('.')[1]}"
    mac = hmac.new(signer.pem(), text.encode(), hashlib.sha256).digest()
    return f"{text}.{base64.urlsafe_b64encode(mac).rstrip(b'=').decode()}"


def altered(signer: Signer) -> str:
    """A token whose claims were changed after it was signed."""
    header, _, signature = signer.token().split(".")
    return f"{header}.{signer.token(role='admin').split('.')[1]}.{signature}"


@pytest.mark.parametrize(
    "forge",
    [
        unsigned,
        signed_with_the_public_key,
        altered,
        lambda signer: Signer("one").token(),
        lambda signer: signer.token(header={"kid": "two"}),
        lambda signer: signer.token(header={"jwk": Signer("x").public()})[:-4] + "AAAA",
        lambda signer: "..",
        lambda signer: "a.b.c",
        lambda signer: "é.é.é",
        lambda signer: "\ud800.x.y",
        lambda signer: f"{base64.urlsafe_b64encode(b'[' * 5000).decode()}.a.b",
    ],
)
async def test_a_forged_token_is_of_no_use(rules: JwtRules, signer: Signer, forge: Callable[[Signer], str]) -> None:
    jwts = Jwts(rules)

    assert await refused(jwts, forge(signer))
    assert (await jwts.of(signer.token())).name == "ada"


async def test_clocks_may_differ_a_little(rules: JwtRules, signer: Signer) -> None:
    jwts = Jwts(replace(rules, leeway=300))
    late, early = signer.token(exp=now() - 60), signer.token(nbf=now() + 60)

    assert (await jwts.of(late)).name == (await jwts.of(early)).name == "ada"
    assert await refused(Jwts(replace(rules, leeway=0)), late)


async def test_the_highest_of_several_roles_counts_and_claims_have_the_names_they_are_given(
    rules: JwtRules, signer: Signer
) -> None:
    jwts = Jwts(replace(rules, role_claim="roles", namespace_claim="https://execsvc/ns"))
    claims = {"namespace": None, "role": None, "https://execsvc/ns": "n", "roles": ["other", "reader", "operator", 3]}

    assert await jwts.of(signer.token(**claims)) == Principal(
        kind=ActorKind.JWT, name="ada", namespace="n", role=Role.OPERATOR
    )


async def test_a_token_without_the_name_of_its_key_takes_the_only_one(tmp_path: Path) -> None:
    first, second = Signer(None), Signer("two")
    path = tmp_path / "keys.json"
    path.write_text(key_set(first))
    rules = JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=str(path))

    assert (await Jwts(rules).of(first.token())).name == "ada"
    path.write_text(json.dumps({"keys": [{**first.public(), "kid": "one"}, second.public()]}))
    assert await refused(Jwts(rules), first.token())


async def test_a_file_that_changes_is_read_anew_and_one_that_is_broken_is_not(
    rules: JwtRules, signer: Signer, caplog: pytest.LogCaptureFixture
) -> None:
    jwts, other = Jwts(rules), Signer("two")
    path = Path(rules.keys)
    assert await refused(jwts, other.token())

    path.write_text(key_set(other))
    os.utime(path, ns=(1, 1))
    assert (await jwts.of(other.token())).name == "ada"
    assert await refused(jwts, signer.token())
    path.write_text("{")
    assert (await jwts.of(other.token())).name == "ada"
    assert (await jwts.of(other.token())).name == "ada"
    assert len([record for record in caplog.records if "the keys in use stay" in record.message]) == 1
    path.unlink()
    assert (await jwts.of(other.token())).name == "ada"


@pytest.mark.parametrize(
    "content",
    ["", "[]", "{}", '{"keys": {}}', '{"keys": []}', '{"keys": [{"kty": "oct", "k": "c2VjcmV0", "kid": "one"}]}'],
)
def test_a_file_without_keys_is_refused_at_the_start(tmp_path: Path, content: str) -> None:
    path = tmp_path / "keys.json"
    path.write_text(content)

    with pytest.raises(IdentityUnusable, match=r"keys\.json cannot be used: "):
        Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=str(path)))


def test_a_file_that_is_not_there_is_refused_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(IdentityUnusable, match="No such file"):
        Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=str(tmp_path / "nothing.json")))


def test_no_algorithm_is_taken_with_which_whoever_checks_could_sign() -> None:
    assert not [name for name in ALGORITHMS if name.startswith("HS") or name == "none"]


async def test_keys_of_a_url_are_asked_for_once_and_then_now_and_then(signer: Signer) -> None:
    clock = Clock()
    with served(key_set(signer)) as provider:
        jwts = Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=provider.url), clock)
        for _ in range(3):
            assert (await jwts.of(signer.token())).name == "ada"
        assert provider.asked == 1
        clock.now += FRESH
        await jwts.of(signer.token())
        assert provider.asked == 2


async def test_an_unknown_key_is_asked_for_but_not_as_often_as_somebody_likes(signer: Signer) -> None:
    clock, other = Clock(), Signer("two")
    with served(key_set(signer)) as provider:
        jwts = Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=provider.url), clock)
        await jwts.of(signer.token())
        provider.content = key_set(signer, other)
        for _ in range(20):
            assert await refused(jwts, other.token())
        assert provider.asked == 1
        clock.now += PAUSE
        assert (await jwts.of(other.token())).name == "ada"
        assert provider.asked == 2


@pytest.mark.parametrize(
    "trouble",
    [
        {"status": 500},
        {"content": "<html>"},
        {"content": '{"keys": []}'},
        {"content": " " * (MOST_BYTES + 1)},
        {"status": 302, "headers": {"Location": "https://evil.example/jwks.json"}},
    ],
    ids=lambda trouble: str(trouble)[:40],
)
async def test_keys_in_use_stay_while_the_url_is_in_trouble(
    signer: Signer, trouble: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    with served(key_set(signer)) as provider:
        jwts = Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=provider.url), clock)
        await jwts.of(signer.token())
        for name, value in trouble.items():
            setattr(provider, name, value)
        clock.now += FRESH
        for _ in range(3):
            assert (await jwts.of(signer.token())).name == "ada"
        assert provider.asked == 2
        assert "those in use stay" in caplog.text


async def test_a_url_that_is_not_there_yet_refuses_and_is_tried_again(signer: Signer) -> None:
    clock = Clock()
    with served("") as provider:
        jwts = Jwts(JwtRules(issuer=ISSUER, audience=AUDIENCE, keys=provider.url), clock)
        assert await refused(jwts, signer.token())
        provider.content = key_set(signer)
        clock.now += PAUSE
        assert (await jwts.of(signer.token())).name == "ada"


async def test_nothing_of_a_refused_token_is_logged(
    rules: JwtRules, signer: Signer, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    token = signer.token(sub="hunter2", exp=now() - 9999)

    assert await refused(Jwts(rules), token)
    assert "ExpiredSignatureError" in caplog.text
    assert "hunter2" not in caplog.text
    assert not any(part in caplog.text for part in token.split("."))


def test_the_library_is_one_that_knows_the_algorithms() -> None:
    assert set(ALGORITHMS) <= set(jwt.algorithms.get_default_algorithms())
