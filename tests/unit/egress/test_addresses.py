"""Which addresses are nobody's public machine."""

from __future__ import annotations

from ipaddress import ip_address

import pytest

from execsvc.egress.addresses import kind_of, read_address

KINDS = {
    "a loopback address": "127.0.0.1 127.255.255.254 ::1 ::ffff:127.0.0.1 ::ffff:7f00:1 64:ff9b::127.0.0.1",
    "an unspecified address": "0.0.0.0 0.1.2.3 :: ::ffff:0.0.0.0",
    "a private address": "10.0.0.1 172.16.0.1 172.31.255.255 192.168.1.1 fd00::1 fc00::1 fec0::1 ::ffff:10.0.0.1 "
    "64:ff9b::10.0.0.1",
    "a link-local address": "169.254.1.1 fe80::1 febf::1 fe80::1%eth0 ::ffff:169.254.1.1",
    "an address of a cloud's metadata": "169.254.169.254 169.254.170.2 168.63.129.16 100.100.100.200 192.0.0.192 "
    "fd00:ec2::254 fd20:ce::254 ::ffff:169.254.169.254 64:ff9b::a9fe:a9fe",
    "a shared address of a provider (CGNAT)": "100.64.0.1 100.127.255.255 ::ffff:100.64.0.1",
    "a multicast address": "224.0.0.1 239.255.255.255 ff02::1",
    "a reserved address": "192.0.0.1 192.0.2.1 192.88.99.1 198.18.0.1 198.19.255.255 198.51.100.1 203.0.113.1 "
    "240.0.0.1 255.255.255.255 ::127.0.0.1 ::10.0.0.1 ::ffff:0:127.0.0.1 64:ff9b:1::1 100::1 2001::1 2001:db8::1 "
    "2002:7f00:1:: 2002:a00:1:: 3fff::1 5f00::1",
    "": "1.1.1.1 8.8.8.8 93.184.216.34 100.63.255.255 100.128.0.1 172.15.255.255 172.32.0.1 169.253.0.1 11.0.0.1 "
    "2606:4700:4700::1111 2a00:1450:4001:80b::200e ::ffff:8.8.8.8 64:ff9b::8.8.8.8",
}


@pytest.mark.parametrize(
    ("address", "kind"), [(address, kind) for kind, addresses in KINDS.items() for address in addresses.split()]
)
def test_an_address_is_of_its_kind_however_it_is_written(address: str, kind: str) -> None:
    assert kind_of(ip_address(address)) == kind


@pytest.mark.parametrize("text", ["localhost", "0x7f.1", "2130706433", "017700000001", "127.1", "1.2.3.4.", ""])
def test_what_only_a_resolver_takes_for_an_address_is_a_name(text: str) -> None:
    assert read_address(text) is None
