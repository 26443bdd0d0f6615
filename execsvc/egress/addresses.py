"""What kind of address an IP address is, where it is none of a public machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final

Address = IPv4Address | IPv6Address

#: Kinds that are machines of somebody's own; the others are no machine that anybody means, or one of a cloud's.
OWN: Final = frozenset({"a loopback address", "a private address", "a shared address of a provider (CGNAT)"})

#: Networks that are not public, by kind; the first that holds an address names it. Sources: the IANA registries of
#: special-purpose IPv4 and IPv6 addresses, RFC 4291 and 6890; the clouds' own pages for their metadata. Written out,
#: since what ``ipaddress`` takes for global differs between releases of Python.
_KINDS: Final = tuple(
    (ip_network(network), kind)
    for kind, networks in {
        "an address of a cloud's metadata": "169.254.169.254/32 169.254.170.0/24 168.63.129.16/32 100.100.100.200/32 "
        "192.0.0.192/32 fd00:ec2::/32 fd20:ce::254/128",
        "an unspecified address": "0.0.0.0/8 ::/128",
        "a loopback address": "127.0.0.0/8 ::1/128",
        "a link-local address": "169.254.0.0/16 fe80::/10",
        "a private address": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16 fc00::/7 fec0::/10",
        "a shared address of a provider (CGNAT)": "100.64.0.0/10",
        "a multicast address": "224.0.0.0/4 ff00::/8",
        "a reserved address": "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 203.0.113.0/24 "
        "240.0.0.0/4 ::/96 ::ffff:0:0:0/96 64:ff9b:1::/48 100::/64 100:0:0:1::/64 2001::/23 2001:db8::/32 2002::/16 "
        "3fff::/20 5f00::/16",
    }.items()
    for network in networks.split()
)
#: Where an IPv4 address is written as one of IPv6, in its last four bytes: mapped, and by translation (RFC 6052).
_EMBEDDING: Final = (ip_network("::ffff:0:0/96"), ip_network("64:ff9b::/96"))


def kind_of(address: Address) -> str:
    """Name the kind of an address, "a loopback address" say; empty: it is public.

    An IPv4 address inside an IPv6 one counts as what it is itself.
    """
    address = plain(address)
    for network, kind in _KINDS:
        if address.version == network.version and address in network:
            return kind
    return ""


def plain(address: Address) -> Address:
    """Give the IPv4 address that an IPv6 one embeds; the same address where it embeds none."""
    if isinstance(address, IPv6Address) and any(address in network for network in _EMBEDDING):
        return IPv4Address(int(address) & 0xFFFF_FFFF)
    return address


def read_address(text: str) -> Address | None:
    """Read an address that stands in place of a host's name; None where it is a name."""
    try:
        return ip_address(text.removeprefix("[").removesuffix("]"))
    except ValueError:
        return None
