"""``execsvc audit list`` beside a server: who did what, as operators ask for it."""

from __future__ import annotations

import getpass
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from execsvc_client import ExecutionClient
from tests.e2e.conftest import QUICK, Cli, ServeProcess

Serve = Callable[..., ServeProcess]


def listed(cli: Cli, database: Path, *arguments: str) -> list[dict[str, Any]]:
    """The records as JSON."""
    done = cli("audit", "list", "--db", database, "--json", *arguments)
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Where the server keeps its data."""
    return tmp_path / "test.db"


def test_with_tokens_changes_are_on_record_and_are_found_by_actor_target_namespace_and_time(
    serve: Serve, database: Path
) -> None:
    cli = Cli()
    ann = cli.json("token", "create", "--db", database, "--role", "operator", "--name", "ann")
    bob = cli.json("token", "create", "--db", database, "--role", "admin", "--namespace", "b")
    server = serve("--auth", "token", database=database)
    before = datetime.now(UTC).isoformat()
    with (
        ExecutionClient(server.address, token=ann["token"]) as first,
        ExecutionClient(server.address, token=bob["token"]) as second,
    ):
        for client in (first, second):
            client.execute(QUICK, {"n": 1}, execution_id="e")
            client.wait("e")
        second.delete("e")
    cli("token", "revoke", "--db", database, ann["token_id"])

    everything = listed(cli, database)
    assert [(one["namespace"], one["action"], one["target"], one["outcome"]) for one in everything] == [
        ("default", "revoke_token", ann["token_id"], "REVOKED"),
        ("b", "delete", "e", "DELETED"),
        ("b", "execute", "e", "PENDING"),
        ("default", "execute", "e", "PENDING"),
        ("b", "create_token", bob["token_id"], "CREATED"),
        ("default", "create_token", ann["token_id"], "CREATED"),
    ]
    assert everything[0]["actor"] == {"kind": "command", "name": getpass.getuser(), "label": "", "role": ""}
    assert everything[3]["actor"] == {
        "kind": "token",
        "name": ann["token_id"],
        "label": "ann",
        "role": "operator",
    }
    for asked, wanted in (
        (("--actor", "ann"), [3]),
        (("--actor", bob["token_id"]), [1, 2]),
        (("--target", "e", "--namespace", "b"), [1, 2]),
        (("--action", "execute"), [2, 3]),
        (("--since", before, "--namespace", "default"), [0, 3]),
        (("--until", before), [4, 5]),
        (("--since", "1h"), [0, 1, 2, 3, 4, 5]),
        (("--until", "1h"), []),
        (("--limit", "2"), [0, 1]),
        (("--limit", "2", "--after", everything[1]["cursor"]), [2, 3]),
        (("--limit", "0"), [0, 1, 2, 3, 4, 5]),
    ):
        assert listed(cli, database, *asked) == [everything[i] for i in wanted], asked
    shown = cli("audit", "list", "--db", database, "--limit", "4")
    lines = shown.stdout.splitlines()
    assert lines[0].split() == ["TIME", "NAMESPACE", "ACTOR", "ROLE", "ACTION", "TARGET", "OUTCOME", "ADDRESS"]
    assert f"ann ({ann['token_id']})" in lines[4]
    assert f"--after {everything[3]['cursor']}" in shown.stderr
    for secret in (ann["token"], bob["token"]):
        assert secret not in shown.stdout + json.dumps(everything)


@pytest.mark.parametrize(
    ("arguments", "recorded"),
    [((), 0), (("--audit", "on"), 1), (("--auth", "token", "--audit", "off"), 0)],
)
def test_without_tokens_nothing_is_recorded_unless_asked_for(
    serve: Serve, database: Path, arguments: tuple[str, ...], recorded: int
) -> None:
    token = Cli().json("token", "create", "--db", database, "--role", "operator")["token"]
    server = serve(*arguments, database=database)
    with ExecutionClient(server.address, token=token) as client:
        client.execute(QUICK, {"n": 1}, execution_id="e")

    assert len(listed(Cli(), database, "--action", "execute")) == recorded


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--action", "explode"), "explode"),
        (("--since", "yesterday"), "yesterday"),
        (("--until", (datetime.now(UTC) - timedelta(days=1)).isoformat() + "x"), "no time"),
        (("--after", "12"), "no cursor"),
        (("--actor", "twin"), "2 tokens are named 'twin'"),
    ],
)
def test_what_cannot_be_asked_is_told(database: Path, arguments: tuple[str, ...], told: str) -> None:
    cli = Cli()
    for _ in range(2):
        cli.json("token", "create", "--db", database, "--role", "reader", "--name", "twin")
    done = cli("audit", "list", "--db", database, *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


def test_a_database_that_is_not_there_is_not_made(database: Path) -> None:
    done = Cli()("audit", "list", "--db", database)

    assert done.returncode != 0
    assert "there is no such file" in done.stderr
    assert not database.exists()
