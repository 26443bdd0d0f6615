"""Which hosts nodes may call: the operator's list, and what it says of a URL and of an address.

A host that the list names is trusted: it may be on a private network, gets the server's keys for models, and is
reached by the proxy of the environment. What ``*`` or a network lets through is only reached: directly, at an address
that is public or of that network, and without anything of the server's own.
"""

from __future__ import annotations

import enum
import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Final
from urllib.parse import urlsplit

from execsvc.egress.addresses import OWN, Address, kind_of, plain, read_address

#: Of URLs that name no port.
PORTS: Final = {"http": 80, "https": 443}
#: Every public host.
ANY: Final = "*"

_RULE = re.compile(
    r"(?:(?P<scheme>https?)://)?(?P<host>\*|\[[0-9a-fA-F:.]+\]|(?:\*\.)?[A-Za-z0-9_.-]+)(?::(?P<port>\d{1,5}))?/?"
)


class Verdict(enum.Enum):
    """What the list says of a host before its address is known."""

    #: It is named.
    TRUSTED = enum.auto()
    #: Its address decides.
    BY_ADDRESS = enum.auto()
    REFUSED = enum.auto()


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """One entry of the list."""

    #: A name in lower case, ``*.suffix``, or ``*``; empty where ``network`` says more.
    host: str = ""
    #: A single address is a network of one.
    network: IPv4Network | IPv6Network | None = None
    #: None: both.
    scheme: str | None = None
    #: None: all.
    port: int | None = None

    @property
    def names(self) -> bool:
        """Whether it says which host is meant, and so trusts it."""
        return self.host != ANY if self.network is None else self.network.num_addresses == 1

    def fits(self, scheme: str, port: int) -> bool:
        """Whether it holds for calls of this kind."""
        return self.scheme in (None, scheme) and self.port in (None, port)

    def matches(self, host: str, address: Address | None) -> bool:
        """Whether it speaks of a host, which may be written as an address."""
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        if self.host.startswith("*."):
            return host.endswith(self.host[1:])
        return host == self.host


def parse_rule(text: str) -> Rule:
    """Read ``[SCHEME://]HOST[:PORT]``, ``*.SUFFIX``, ``*`` or a network such as ``10.0.0.0/8``. Raises ValueError."""
    if "://" not in text and "/" in text:
        return Rule(network=ip_network(text))
    found = _RULE.fullmatch(text)
    if found is None:
        raise ValueError
    host, scheme = found["host"].lower().rstrip("."), found["scheme"]
    port = int(found["port"]) if found["port"] else None
    if not host or (port is not None and not 0 < port < 65536):
        raise ValueError
    if host == ANY and (scheme or port):
        raise ValueError
    address = read_address(host)
    if address is not None:
        return Rule(network=ip_network(address), scheme=scheme, port=port)
    if host.startswith("["):
        raise ValueError
    return Rule(host=host, scheme=scheme, port=port)


class Egress:
    """The operator's list. Immutable."""

    __slots__ = ("_rules",)

    def __init__(self, rules: Iterable[str] = (), *, trusted: Iterable[str] = ()) -> None:
        """Read a list.

        Args:
            rules: as ``parse_rule`` takes them; without any, every public host.
            trusted: more of them, which do not make the list one that names what is allowed.

        Raises:
            ValueError: one of them makes no sense.
        """
        self._rules = tuple(map(parse_rule, (*(tuple(rules) or (ANY,)), *trusted)))

    def verdict(self, scheme: str, host: str, port: int) -> Verdict:
        """Say what the list says of a host, given as in the URL: a name, or an address."""
        host = host.lower().rstrip(".")
        address = read_address(host)
        fitting = [rule for rule in self._rules if rule.fits(scheme, port)]
        if any(rule.names and rule.matches(host, address) for rule in fitting):
            return Verdict.TRUSTED
        if address is None:
            # Where its name leads is not known yet.
            open_to = any(rule.host == ANY or (rule.network is not None and not rule.names) for rule in fitting)
            return Verdict.BY_ADDRESS if open_to else Verdict.REFUSED
        return Verdict.REFUSED if self.why_not(address) else Verdict.BY_ADDRESS

    def why_not(self, address: Address) -> str:
        """Say why an address of a host that is not trusted may not be called, "a private address"; empty: it may."""
        for rule in self._rules:
            if rule.network is not None and not rule.names and rule.matches("", plain(address)):
                return ""
        kind = kind_of(address)
        if kind:
            return kind
        return "" if any(rule.host == ANY for rule in self._rules) else "an address that is not in the operator's list"

    def why_not_trusted(self, address: Address) -> str:
        """The same for a name that is trusted: it may be on a private network, but not lead to a cloud's metadata."""
        kind = kind_of(address)
        named = any(rule.network is not None and rule.matches("", plain(address)) for rule in self._rules)
        return "" if named or kind in OWN else kind

    def trusts(self, url: str) -> bool:
        """Whether the list names a URL's host. For URLs with which ``url_problem`` finds nothing wrong."""
        parts = urlsplit(url)
        return self.verdict(parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme]) is Verdict.TRUSTED

    def refusal(self, url: str) -> str:
        """Say why a URL may not be called and what lets it through; empty: nothing is known against it so far.

        For URLs with which ``url_problem`` finds nothing wrong.
        """
        parts = urlsplit(url)
        return self.refusal_of(parts.scheme, parts.hostname or "", parts.port or PORTS[parts.scheme])

    def refusal_of(self, scheme: str, host: str, port: int) -> str:
        """The same for a URL in parts."""
        if self.verdict(scheme, host, port) is not Verdict.REFUSED:
            return ""
        address = read_address(host)
        return refused(scheme, host, port, "" if address is None else self.why_not(address))


def url_problem(url: str) -> str:
    """Say what is wrong with a URL that is to be called; empty: nothing."""
    try:
        parts = urlsplit(url)
        if parts.port != 0 and parts.scheme in PORTS and parts.hostname:
            return ""
    except ValueError as error:
        return f"is no URL: {str(error)[:100]}"
    return "must start with http:// or https:// and a host, as in https://api.example/v1"


def refused(scheme: str, host: str, port: int, why: str, *, address: Address | None = None) -> str:
    """Say for people that a host is refused, and what lets it through.

    Args:
        why: what its address is; empty where its name is not in the list.
        address: where its name leads.
    """
    # A name that is trusted may lead to machines of one's own; any other address has to be named itself.
    right = host if address is None or kind_of(address) in OWN or not kind_of(address) else str(address)
    entry = _shown(right) if port == PORTS.get(scheme) else f"{_shown(right)}:{port}"
    at = "" if address is None or str(address) == host else f"at {address}, "
    reason = f"{at}{why}" if why else "a host that is not in the operator's list"
    return (
        f"{_shown(host)} is {reason}, which workflows may not call; "
        f"the operator lets it with --egress {entry} (EXECSVC_EGRESS)"
    )


def _shown(host: str) -> str:
    return f"[{host}]" if ":" in host else host
