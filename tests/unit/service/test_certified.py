"""Who shows a certificate, as the file says, and what the file may say."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from execsvc.errors import CredentialsInvalid, IdentityUnusable
from execsvc.model import ActorKind, Principal, Role
from execsvc.service.certified import Certified
from tests.support.authorities import Authority
from tests.support.clocks import HandClock

AUTHORITY = Authority()
NOW = datetime.now(UTC)
Known = Callable[[str], Certified]


def entry(**fields: str) -> str:
    """An entry of the file; an operator's of the namespace ``n`` unless told otherwise."""
    given = {"namespace": "n", "role": "operator"} | fields
    return "[[client]]\n" + "".join(f"{key} = '{value}'\n" for key, value in given.items() if value)


@pytest.fixture
def clock() -> HandClock:
    """A clock that begins now."""
    return HandClock(int(NOW.timestamp() * 1_000_000))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """The file."""
    return tmp_path / "clients.toml"


@pytest.fixture
def known(file: Path, clock: HandClock) -> Known:
    """Reads a text as the file."""

    def read(text: str) -> Certified:
        file.write_text(text, encoding="utf-8")
        return Certified(file, clock)

    return read


SPIFFE = "spiffe://prod.example/ns/billing/sa/api"
CERTIFICATE = AUTHORITY.issue(
    "CN=billing api,OU=Payments\\, EU,O=Example", uris=(SPIFFE,), hosts=("api.billing.internal",)
).certificate


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"uri": SPIFFE}, SPIFFE),
        ({"uri": "spiffe://prod.example/ns/billing/sa/*"}, SPIFFE),
        ({"uri": "spiffe://prod.example/ns/*/sa/a*"}, SPIFFE),
        ({"dns": "api.billing.internal"}, "api.billing.internal"),
        ({"dns": "*.BILLING.internal"}, "api.billing.internal"),
        ({"cn": "billing api"}, "billing api"),
        ({"subject": "CN=billing api,OU=Payments\\, EU,O=Example"}, "CN=billing api,OU=Payments\\, EU,O=Example"),
        ({"cn": "billing api", "name": "billing"}, "billing"),
    ],
)
def test_an_entry_knows_a_certificate_by_what_it_says(known: Known, fields: dict[str, str], name: str) -> None:
    assert known(entry(**fields)).of(CERTIFICATE) == Principal(
        kind=ActorKind.CERTIFICATE, name=name, namespace="n", role=Role.OPERATOR
    )


@pytest.mark.parametrize(
    "fields",
    [
        {"uri": "spiffe://prod.example/ns/*"},
        {"uri": "spiffe://prod.example/*/sa/api"},
        {"uri": "spiffe://prod.example/ns/billing/sa/ap"},
        {"uri": "spiffe://prod.example/ns/billing/sa/api/"},
        {"uri": "spiffe://prodxexample/ns/billing/sa/api"},
        {"uri": "SPIFFE://prod.example/ns/billing/sa/API"},
        {"dns": "*.internal"},
        {"dns": "billing api"},
        {"cn": "api.billing.internal"},
        {"cn": "billing*"},
        {"cn": "Billing api"},
        {"subject": "CN=billing api"},
        {"subject": "CN=billing api,O=Example,OU=Payments\\, EU"},
    ],
    ids=str,
)
def test_what_is_not_said_exactly_so_is_nobody(known: Known, fields: dict[str, str]) -> None:
    with pytest.raises(CredentialsInvalid) as refused:
        known(entry(**fields)).of(CERTIFICATE)
    # For the log, so that an entry can be written.
    assert SPIFFE in refused.value.logged
    assert SPIFFE not in refused.value.message


def test_the_first_entry_that_fits_counts(known: Known) -> None:
    certified = known(
        entry(uri="spiffe://prod.example/ns/other/*", namespace="wrong")
        + entry(uri=SPIFFE, role="reader")
        + entry(cn="billing api", role="admin")
    )
    assert certified.of(CERTIFICATE).role is Role.READER


def test_an_entry_that_is_removed_counts_no_more_and_one_that_is_added_does(known: Known, file: Path) -> None:
    certified = known(entry(cn="billing api"))
    other = AUTHORITY.issue("CN=other").certificate
    certified.of(CERTIFICATE)

    file.write_text(entry(cn="other", name="someone"), encoding="utf-8")
    with pytest.raises(CredentialsInvalid):
        certified.of(CERTIFICATE)
    assert certified.of(other).name == "someone"


def test_a_file_that_cannot_be_used_leaves_the_entries_in_use_and_is_told_once(
    known: Known, file: Path, caplog: pytest.LogCaptureFixture
) -> None:
    certified = known(entry(cn="billing api"))
    file.write_text("[[client]", encoding="utf-8")
    for _ in range(3):
        assert certified.of(CERTIFICATE).name == "billing api"
    os.remove(file)
    assert certified.of(CERTIFICATE).name == "billing api"
    assert [record.message.partition(":")[0] for record in caplog.records if record.levelname == "WARNING"] == [
        f"the certificates in {file} cannot be used"
    ] * 2


def test_a_certificate_that_expires_while_its_connection_lasts_counts_no_more(known: Known, clock: HandClock) -> None:
    certified = known(entry(cn="short"))
    short = AUTHORITY.issue("CN=short", end=NOW + timedelta(minutes=5)).certificate
    assert certified.of(short).name == "short"
    clock.advance(301)
    with pytest.raises(CredentialsInvalid) as refused:
        certified.of(short)
    assert "expired" in refused.value.logged


def test_a_certificate_without_a_name_is_nobody(known: Known) -> None:
    for pem in (AUTHORITY.issue().certificate, b"no certificate"):
        with pytest.raises(CredentialsInvalid):
            known(entry(cn="x")).of(pem)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "[[client]]"),
        ("[client]\nrole = 'admin'", "[[client]]"),
        (entry(cn="a") + "[defaults]", "[[client]]"),
        (entry(cn="a") + entry(), "entry 2: it is to have one of uri, dns, subject, cn"),
        (entry(cn="a", uri="b"), "no more than one"),
        (entry(cn="a", role="king"), "role is to be one of reader, operator, admin"),
        (entry(cn="a", role=""), "role is to be one of"),
        (entry(cn="a", namespace="a b"), "namespace is to have"),
        (entry(cn="a", namespace=""), "namespace is to have"),
        (entry(cn="a", naem="b"), "'naem' is none of"),
        (entry(cn="a", name="x" * 129), "128 characters"),
        (entry(subject="billing"), "subject 'billing' is none"),
        ("[[client]]\ncn = 1", "a text that is not empty"),
        ("client = [1]", "a text"),
        ("[[client]\n", "line 1"),
    ],
)
def test_what_the_file_may_not_say_is_told(known: Known, text: str, told: str, file: Path) -> None:
    with pytest.raises(IdentityUnusable) as refused:
        known(text)
    assert str(file) in refused.value.message
    assert told in refused.value.message


def test_a_file_that_is_not_there_is_told(file: Path, clock: HandClock) -> None:
    with pytest.raises(IdentityUnusable, match="No such file"):
        Certified(file, clock)
