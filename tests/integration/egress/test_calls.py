"""Where calls of nodes go, and where not: names, addresses, redirects, proxies, headers."""

from __future__ import annotations

import asyncio

import httpx2
import pytest

from execsvc.egress import AddressNotAllowed
from tests.integration.egress.conftest import Names, Open
from tests.servers.answers import Asked, answering, sends

#: Reaches this machine's first two addresses without trusting them.
HERE = "127.0.0.0/31"

pytestmark = pytest.mark.filterwarnings("error")


async def test_a_public_host_alone_is_called_where_nothing_is_said(opened: Open, names: Names) -> None:
    names.answers = {"inside.example": [["10.0.0.1"]], "localhost": [["::1", "127.0.0.1"]]}
    refused = {
        "http://inside.example/": "inside.example is at 10.0.0.1, a private address, .* --egress inside.example:80 ",
        "http://localhost:11434/": "localhost is at ::1, a loopback address, .* --egress localhost:11434 ",
        "http://127.0.0.1:8/": "127.0.0.1 is a loopback address, .* --egress 127.0.0.1:8 ",
        "http://[::1]:8/": r"\[::1\] is a loopback address, .* --egress \[::1\]:8 ",
        "http://169.254.169.254/latest": "169.254.169.254 is an address of a cloud's metadata",
    }

    async with opened() as network:
        for url, text in refused.items():
            with pytest.raises(AddressNotAllowed, match=text):
                await network.client.get(url)


@pytest.mark.parametrize("host", ["0x7f000001", "2130706433", "127.1", "017700000001", "0"])
async def test_an_address_in_disguise_is_seen_through(opened: Open, host: str) -> None:
    async with answering(sends("secret")) as server, opened() as network:
        with pytest.raises(AddressNotAllowed):
            await network.client.get(f"http://{host}:{server.port}/")

    assert server.connections == 0


async def test_a_host_that_is_named_is_called_also_on_a_private_network(opened: Open, names: Names) -> None:
    names.answers = {"gpu": [["127.0.0.1"]], "other": [["127.0.0.1"]]}

    async with answering(sends("hello")) as server, opened(f"gpu:{server.port}") as network:
        assert (await network.client.get(f"http://gpu:{server.port}/")).text == "hello"
        with pytest.raises(AddressNotAllowed, match="other is a host that is not in the operator's list"):
            await network.client.get(f"http://other:{server.port}/")

    assert server.requests[0].headers["host"] == f"gpu:{server.port}"
    assert names.asked == ["gpu"], "what is refused is not looked up"


async def test_a_named_host_does_not_lead_to_metadata(opened: Open, names: Names) -> None:
    names.answers = {"gpu": [["169.254.169.254"]]}

    async with opened("gpu") as network:
        with pytest.raises(AddressNotAllowed, match=r"gpu is at 169.254.169.254, .* --egress 169.254.169.254:80 "):
            await network.client.get("http://gpu/latest/meta-data")


async def test_the_address_that_was_checked_is_the_one_that_is_called(opened: Open, names: Names) -> None:
    """A name that answers otherwise the second time it is asked."""
    async with (
        answering(sends("open")) as outside,
        answering(sends("secret"), host="127.0.0.3", port=outside.port) as in_,
    ):
        names.answers = {"rebind": [["127.0.0.1"], ["127.0.0.3"]]}
        async with opened(HERE) as network:
            url = f"http://rebind:{outside.port}/"
            first = await network.client.get(url, headers={"connection": "close"})
            with pytest.raises(AddressNotAllowed, match=r"rebind is at 127.0.0.3, a loopback address"):
                await network.client.get(url)

    assert first.text == "open"
    assert names.asked == ["rebind", "rebind"], "once for each connection"
    assert (outside.connections, in_.connections) == (1, 0)


async def test_of_several_addresses_only_those_that_may_be_are_called(opened: Open, names: Names) -> None:
    async with answering(sends("open")) as server, opened(HERE) as network:
        names.answers = {"mixed": [["169.254.169.254", "10.0.0.1", "127.0.0.1"]]}

        assert (await network.client.get(f"http://mixed:{server.port}/")).text == "open"


async def test_the_next_address_is_called_where_one_does_not_answer(opened: Open, names: Names) -> None:
    async with answering(sends("open"), host="127.0.0.1") as server, opened(HERE) as network:
        names.answers = {"both": [["127.0.0.0", "127.0.0.1"]], "none": [["127.0.0.0"]], "empty": [[]]}

        assert (await network.client.get(f"http://both:{server.port}/")).text == "open"
        for name, error in (("none", httpx2.ConnectError), ("empty", AddressNotAllowed), ("nx", httpx2.ConnectError)):
            with pytest.raises(error):
                await network.client.get(f"http://{name}:{server.port}/")


async def test_connections_are_used_again(opened: Open, names: Names) -> None:
    names.answers = {"gpu": [["127.0.0.1"]]}

    async with answering(sends("hello")) as server, opened(HERE) as network:
        for _ in range(5):
            await network.client.get(f"http://gpu:{server.port}/")

    assert (server.connections, len(server.requests), names.asked) == (1, 5, ["gpu"])


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 Other", "307 Temporary", "308 Permanent"])
async def test_a_redirect_is_checked_like_a_call(opened: Open, names: Names, status: str) -> None:
    async with answering(sends("secret"), host="127.0.0.3") as inside:
        names.answers = {"inside": [["127.0.0.3"]]}
        for target in (inside.url, f"http://inside:{inside.port}", "http://169.254.169.254/latest"):
            async with answering(sends("", status=status, Location=target)) as server, opened(HERE) as network:
                with pytest.raises(AddressNotAllowed):
                    await network.client.post(f"{server.url}/", content=b"x", follow_redirects=True)
                assert len(server.requests) == 1

    assert inside.connections == 0


async def test_a_call_of_a_node_does_not_follow_redirects_by_itself(opened: Open) -> None:
    async with (
        answering(sends("", status="302 Found", Location="http://127.0.0.1:1/")) as server,
        opened(HERE) as network,
    ):
        assert (await network.client.get(server.url)).status_code == 302


# Proxies


async def test_the_proxy_of_the_environment_is_for_named_hosts_alone(
    opened: Open, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.answers = {"outside.example": [["127.0.0.1"]]}
    async with answering(sends("by proxy")) as proxy, answering(sends("direct")) as server:
        monkeypatch.setenv("HTTP_PROXY", proxy.url)
        async with opened(HERE, "named.example") as network:
            assert (await network.client.get("http://named.example/x")).text == "by proxy"
            assert (await network.client.get(f"http://outside.example:{server.port}/")).text == "direct"
            with pytest.raises(AddressNotAllowed):
                await network.client.get("http://169.254.169.254/latest")

    assert [asked.line for asked in proxy.requests] == ["GET http://named.example/x HTTP/1.1"]


async def test_hosts_of_no_proxy_are_called_directly(
    opened: Open, names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    names.answers = {"named.example": [["127.0.0.1"]]}
    async with answering(sends("by proxy")) as proxy, answering(sends("direct")) as server:
        monkeypatch.setenv("ALL_PROXY", proxy.url)
        monkeypatch.setenv("NO_PROXY", "named.example")
        async with opened("*.example") as network:
            assert (await network.client.get(f"http://named.example:{server.port}/")).text == "direct"
            assert (await network.client.get(f"http://other.example:{server.port}/")).text == "by proxy"


# What is sent along


async def test_calls_of_a_node_send_what_the_node_says(opened: Open) -> None:
    async with answering(sends("hello")) as server, opened(HERE) as network:
        await network.client.get(server.url, headers={"Authorization": "Bearer mine"})

    assert server.requests[0].headers["authorization"] == "Bearer mine"


async def test_a_host_that_is_not_named_gets_nothing_of_the_server(opened: Open) -> None:
    own = {
        "Authorization": "Bearer key",
        "Api-Key": "key",
        "OpenAI-Organization": "us",
        "X-Custom": "mine",
        "Cookie": "a=b",
    }

    async with answering(sends("hello")) as server:
        async with opened(HERE) as network:
            await network.models.post(server.url, json={}, headers=own)
        async with opened("127.0.0.1") as network:
            await network.models.post(server.url, json={}, headers=own)
    bare, full = ({name.lower() for name in own} & asked.headers.keys() for asked in server.requests)

    assert (bare, full) == (set(), {name.lower() for name in own})
    assert server.requests[0].headers["content-type"] == "application/json"


async def test_the_choice_of_the_operator_is_called_and_where_it_redirects_to_is_checked(opened: Open) -> None:
    async with answering(sends("secret"), host="127.0.0.3") as inside:
        async with answering(sends("", status="307 T", Location=inside.url)) as own, opened("elsewhere") as network:
            with pytest.raises(AddressNotAllowed):
                await network.providers.post(own.url, headers={"Api-Key": "key"})
        async with answering(sends("", status="307 T", Location=inside.url)) as own, opened("127.0.0.2/31") as network:
            await network.providers.post(own.url, headers={"Api-Key": "key"})

    assert own.requests[0].headers["api-key"] == "key"
    assert "api-key" not in inside.requests[0].headers


async def test_nothing_is_kept_of_one_execution_for_another(opened: Open) -> None:
    async with answering(sends("hello", Set_Cookie="who=me; Path=/")) as server, opened("127.0.0.1") as network:
        for client in (network.client, network.models, network.providers):
            await client.get(server.url)
            await client.get(server.url)

    assert [asked.headers.get("cookie") for asked in server.requests] == [None] * 6


# Slow answers


async def test_headers_that_come_in_drops_are_given_up(opened: Open) -> None:
    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: y\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(drip) as server, opened(HERE, time=0.2) as network:
        with pytest.raises(httpx2.ReadTimeout, match=r"does not answer within 0.2 s"):
            await network.client.get(server.url)


async def test_a_body_that_comes_in_drops_is_given_up(opened: Open) -> None:
    async def drip(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while True:
            writer.write(b"1\r\nx\r\n")
            await writer.drain()
            await asyncio.sleep(0.01)

    async with answering(drip) as server, opened(HERE, time=0.2) as network:
        with pytest.raises(httpx2.ReadTimeout, match=r"takes more than 0.2 s for one answer"):
            await network.client.get(server.url)


async def test_headers_without_end_are_given_up(opened: Open) -> None:
    async def flood(asked: Asked, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"x: " + b"y" * 10_000 + b"\r\n")
            await writer.drain()

    async with answering(flood) as server, opened(HERE) as network:
        with pytest.raises(httpx2.RemoteProtocolError):
            await network.client.get(server.url)
