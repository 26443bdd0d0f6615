"""A server that asks for tokens outlives a flood of damaged requests: no INTERNAL, no crash, no memory that grows.

``EXECSVC_FLOOD=N`` sends N requests instead of some thousands; ``make flood`` a million.
"""

from __future__ import annotations

import asyncio
import os
import random
from pathlib import Path
from typing import Final

import pytest

from execsvc.clock import SystemClock
from execsvc.model import SOMEBODY, Role
from execsvc.model.identity import new_token
from execsvc.store import opened_tokens
from execsvc_client import AsyncExecutionClient
from tests.fuzz.flood import METHODS, Flood, damaged, flood, requests
from tests.support.processes import ServerProcess
from tests.support.workflows import ECHO

REQUESTS: Final = int(os.environ.get("EXECSVC_FLOOD", "4000"))
#: Requests after which a server holds what it holds; and bytes it may hold more at the end.
WARM: Final = 20_000
ROOM: Final = 32 * 1024 * 1024


@pytest.fixture
async def tokens(tmp_path: Path) -> dict[str, str]:
    """Tokens of every role and of another namespace, one that has expired, and one that was revoked."""
    now = SystemClock()()
    made: dict[str, str] = {}
    with opened_tokens(tmp_path / "e.db") as kept:
        for name, namespace, role in (
            ("reader", "default", Role.READER),
            ("operator", "default", Role.OPERATOR),
            ("admin", "default", Role.ADMIN),
            ("other", "other", Role.OPERATOR),
            ("revoked", "default", Role.ADMIN),
        ):
            made[name], stored = new_token(namespace=namespace, role=role, name=name, now=now, expire_time=None)
            await kept.add(stored, SOMEBODY)
            if name == "revoked":
                await kept.revoke(stored.token_id, now, SOMEBODY)
        made["expired"], stored = new_token(
            namespace="default", role=Role.ADMIN, name="expired", now=now - 2, expire_time=now - 1
        )
        await kept.add(stored, SOMEBODY)
    return made


def _memory(process: int) -> int:
    """Bytes of memory that a process holds, without pages of its database, which SQLite maps."""
    for line in Path(f"/proc/{process}/status").read_text(encoding="ascii").splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the process has no memory")


def test_a_flood_damages_requests_in_many_ways_and_the_same_each_time() -> None:
    (data, *_), other = requests()["Execute"], requests()["Control"][0]

    def some(seed: int) -> list[bytes]:
        chance = random.Random(seed)
        return [damaged(data, other, chance) for _ in range(200)]

    assert some(1) == some(1)
    assert len(set(some(1))) > 100
    assert data in some(1)
    assert {method.name for method in METHODS} == set(requests())


@pytest.mark.timeout(7200)
async def test_a_flood_of_damaged_requests_leaves_a_server_as_it_was(tmp_path: Path, tokens: dict[str, str]) -> None:
    log = tmp_path / "server.log"
    options = ("--auth", "token", "--max-timeout", "5s", "--retention", "60s", "--grace", "0")
    with ServerProcess(tmp_path / "e.db", *options, log=log) as server:
        shown = ["", "exs_wrong", "Basic x", *tokens.values(), tokens["operator"], tokens["admin"]]

        async def sent(count: int, seed: int) -> Flood:
            found = await flood(server.address, count=count, tokens=shown, seed=seed)
            assert found.wrong == []
            return found

        async with AsyncExecutionClient(server.address, token=tokens["operator"]) as client:
            await client.execute(ECHO, {"text": "x"}, execution_id="done")
            await client.wait("done")
            warm = min(WARM, REQUESTS // 2)
            first = await sent(warm, 1)
            held = _memory(server.process.pid)
            second = await sent(REQUESTS - warm, 2)
            grown = _memory(server.process.pid) - held
            codes = first.codes + second.codes
            assert codes.total() == REQUESTS
            # It was a flood of everything: answers, refusals of callers, and refusals of what they asked for.
            assert codes.keys() >= {"OK", "UNAUTHENTICATED", "PERMISSION_DENIED", "INVALID_ARGUMENT", "NOT_FOUND"}
            assert grown < ROOM, f"{grown / 2**20:.0f} MiB more after {REQUESTS - warm} requests: {codes}"
            await client.execute(ECHO, {"text": "y"}, execution_id="after")
            assert (await client.wait("after")).state == "COMPLETED"
        server.terminate()
        assert await asyncio.to_thread(server.wait) == 0
    text = log.read_text(encoding="utf-8", errors="replace")
    assert "Traceback" not in text, text[-4000:]
    print(f"{REQUESTS} requests: {dict(codes)}; {grown / 2**20:.1f} MiB more after the first {warm}")
