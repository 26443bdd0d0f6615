"""What is asked for and cannot be had."""

from __future__ import annotations

import sys

import pytest

from execsvc.errors import IdentityUnusable
from execsvc.service import JwtRules
from tests.integration.conftest import StartServer


async def test_without_the_packages_for_json_web_tokens_the_server_says_what_to_install(
    start_server: StartServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "execsvc.service.jwts", raising=False)
    monkeypatch.setitem(sys.modules, "jwt", None)
    rules = JwtRules(issuer="i", audience="a", keys="keys.json")

    with pytest.raises(IdentityUnusable, match=r"execsvc\[jwt\]"):
        async with start_server(auth="token", jwt=rules):
            pass
    async with start_server(auth="token", token=await start_server.token()) as client:
        assert "auth:token" in (await client.server_info()).capabilities
