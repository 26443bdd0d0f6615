"""What the operator's list lets through, and what is said of the rest."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from execsvc.egress import Egress, Verdict, parse_rule, url_problem

TRUSTED, BY_ADDRESS, REFUSED = Verdict.TRUSTED, Verdict.BY_ADDRESS, Verdict.REFUSED


def verdict(url: str, *rules: str) -> Verdict:
    """What a list says of ``scheme://host:port``."""
    scheme, _, rest = url.partition("://")
    host, _, port = rest.rpartition(":")
    return Egress(rules).verdict(scheme, host.strip("[]"), int(port))


@pytest.mark.parametrize(
    ("url", "rules", "expected"),
    [
        # Nothing said: public hosts, which their addresses decide.
        ("https://api.example:443", "", BY_ADDRESS),
        ("http://8.8.8.8:80", "", BY_ADDRESS),
        ("http://localhost:11434", "", BY_ADDRESS),
        ("http://127.0.0.1:80", "", REFUSED),
        ("http://::1:80", "", REFUSED),
        ("http://::ffff:127.0.0.1:80", "", REFUSED),
        ("http://169.254.169.254:80", "", REFUSED),
        ("http://2130706433:80", "", BY_ADDRESS),
        # Named: trusted, and nothing else is open.
        ("http://localhost:11434", "localhost:11434", TRUSTED),
        ("http://LOCALHOST.:11434", "localhost:11434", TRUSTED),
        ("http://localhost:11435", "localhost:11434", REFUSED),
        ("http://127.0.0.1:11434", "localhost:11434", REFUSED),
        ("https://api.example:443", "localhost", REFUSED),
        ("https://api.example:443", "localhost *", BY_ADDRESS),
        ("http://localhost:1", "localhost *", TRUSTED),
        ("http://127.0.0.1:8000", "127.0.0.1", TRUSTED),
        ("http://0:0:0:0:0:0:0:1:8000", "[::1]:8000", TRUSTED),
        ("http://::1:8001", "[::1]:8000", REFUSED),
        # A scheme holds for itself.
        ("https://api.example:443", "https://api.example", TRUSTED),
        ("https://api.example:8443", "https://api.example", TRUSTED),
        ("http://api.example:80", "https://api.example", REFUSED),
        # All below a name, and not the name.
        ("https://a.corp.example:443", "*.corp.example", TRUSTED),
        ("https://a.b.corp.example:443", "*.corp.example", TRUSTED),
        ("https://corp.example:443", "*.corp.example", REFUSED),
        ("https://evilcorp.example:443", "*.corp.example", REFUSED),
        # A network is reached, and not trusted.
        ("http://10.1.2.3:80", "10.0.0.0/8", BY_ADDRESS),
        ("http://11.1.2.3:80", "10.0.0.0/8", REFUSED),
        ("http://gpu:80", "10.0.0.0/8", BY_ADDRESS),
        ("http://8.8.8.8:80", "10.0.0.0/8", REFUSED),
        ("http://fd00::5:80", "fd00::/8", BY_ADDRESS),
    ],
)
def test_a_list_says_whom_it_trusts_and_what_only_an_address_decides(url: str, rules: str, expected: Verdict) -> None:
    assert verdict(url, *rules.split()) is expected


@pytest.mark.parametrize(
    ("address", "rules", "why"),
    [
        ("8.8.8.8", "", ""),
        ("10.0.0.1", "", "a private address"),
        ("8.8.8.8", "10.0.0.0/8", "an address that is not in the operator's list"),
        ("10.0.0.1", "10.0.0.0/8", ""),
        ("::ffff:10.0.0.1", "10.0.0.0/8", ""),
        ("10.0.0.1", "10.0.0.0/8 *", ""),
        ("192.168.0.1", "10.0.0.0/8 *", "a private address"),
        ("10.0.0.1", "10.0.0.1", "a private address"),
    ],
)
def test_the_address_that_a_name_leads_to_decides(address: str, rules: str, why: str) -> None:
    assert Egress(rules.split()).why_not(ip_address(address)) == why


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1", ""),
        ("10.0.0.1", ""),
        ("100.64.0.1", ""),
        ("8.8.8.8", ""),
        ("169.254.169.254", "an address of a cloud's metadata"),
        ("fe80::1", "a link-local address"),
        ("0.0.0.0", "an unspecified address"),
    ],
)
def test_a_trusted_name_may_be_on_a_private_network_but_not_lead_to_metadata(address: str, why: str) -> None:
    assert Egress(["gpu"]).why_not_trusted(ip_address(address)) == why
    written = f"[{address}]" if ":" in address else address
    assert Egress(["gpu", written]).why_not_trusted(ip_address(address)) == "", "it is named itself"


def test_a_list_of_trusted_hosts_alone_closes_nothing() -> None:
    egress = Egress([], trusted=["https://api.openai.com"])

    assert egress.verdict("https", "api.openai.com", 443) is TRUSTED
    assert egress.verdict("https", "other.example", 443) is BY_ADDRESS


@pytest.mark.parametrize(
    ("url", "rules", "text"),
    [
        (
            "http://127.0.0.1:11434/v1",
            "",
            "127.0.0.1 is a loopback address, which workflows may not call; "
            "the operator lets it with --egress 127.0.0.1:11434 (EXECSVC_EGRESS)",
        ),
        ("https://[::1]/v1", "", "[::1] is a loopback address, *--egress [::1] (*"),
        ("https://api.example/v1", "localhost", "api.example is a host that is not in the operator's list, *"),
        ("http://169.254.169.254/latest", "", "169.254.169.254 is an address of a cloud's metadata, *"),
    ],
)
def test_a_refusal_says_why_and_what_lets_the_host_through(url: str, rules: str, text: str) -> None:
    parts = text.split("*")
    found = Egress(rules.split()).refusal(url)

    assert found.startswith(parts[0])
    assert all(part in found for part in parts)
    assert len(parts) > 1 or found == text


@pytest.mark.parametrize(
    "text",
    ["", " ", "a b", "http://", "ftp://a", "a:0", "a:70000", "a/b", "http://a/b", "*:80", "https://*", "10.0.0.1/8"],
)
def test_a_rule_that_makes_no_sense_is_none(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_rule(text)


@pytest.mark.parametrize("text", ["[a]", "a*", "*.", "::1", "user@a", "é.example"])
def test_a_host_that_is_none_is_no_rule(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        parse_rule(text)


@pytest.mark.parametrize("url", ["http://a", "https://a:8443/v1", "http://[::1]:8/", "https://user:pw@a/x?y"])
def test_a_url_with_scheme_and_host_is_one(url: str) -> None:
    assert url_problem(url) == ""


@pytest.mark.parametrize(
    "url", ["ftp://a", "http://", "http:///x", "//a", "a", "http://a:port", "http://[::1", "http://a:0"]
)
def test_what_is_no_url_is_told_with_what_would_be_right(url: str) -> None:
    assert url_problem(url).startswith(("must start with http:// or https:// and a host", "is no URL: "))
