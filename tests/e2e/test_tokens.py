"""``execsvc token`` beside a server: what is made, listed and revoked there counts at once."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from execsvc_client import ExecutionClient, NotFound, PermissionDenied, Unauthenticated
from tests.e2e.conftest import QUICK, Cli, ServeProcess
from tests.servers.postgres import shared_server
from tests.support.jwts import AUDIENCE, ISSUER, Signer, key_set

Serve = Callable[..., ServeProcess]


def issued(cli: Cli, where: tuple[str, ...], *arguments: str) -> dict[str, Any]:
    """Make a token."""
    document: dict[str, Any] = cli.json("token", "create", *where, *arguments)
    return document


def ask(client: ExecutionClient, *, times: int) -> None:
    """Ask so often where an execution stands."""
    for _ in range(times):
        client.status("e")


@pytest.fixture(params=["sqlite", "postgres"])
def where(request: pytest.FixtureRequest, tmp_path: Path) -> Any:
    """The options that name a database."""
    if request.param == "sqlite":
        yield "--db", str(tmp_path / "test.db")
        return
    url = shared_server().database()
    yield "--store", url
    shared_server().drop(url)


def test_a_token_works_from_when_it_is_made_until_it_is_revoked(serve: Serve, where: tuple[str, ...]) -> None:
    cli = Cli()
    # Before there is a database at all.
    first = issued(cli, where, "--role", "operator", "--namespace", "team-a", "--name", "ci")
    options = where if where[0] == "--store" else ()
    server = ServeProcessOn(where, "--auth", "token") if options else serve("--auth", "token", database=Path(where[1]))
    try:
        second = issued(cli, where, "--role", "reader", "--expires", "1h")
        with (
            ExecutionClient(server.address, token=first["token"]) as team,
            ExecutionClient(server.address, token=second["token"]) as reader,
            ExecutionClient(server.address) as nobody,
        ):
            team.execute(QUICK, {"n": 1}, execution_id="e")
            with pytest.raises(NotFound):
                reader.status("e")
            with pytest.raises(PermissionDenied):
                reader.execute(QUICK, {"n": 1})
            with pytest.raises(Unauthenticated):
                nobody.server_info()
            listed = cli.json("token", "list", *where)["tokens"]
            assert [(one["token_id"], one["state"], one["name"]) for one in listed] == [
                (second["token_id"], "active", ""),
                (first["token_id"], "active", "ci"),
            ]
            assert first["token"] not in json.dumps(listed)

            revoked = cli.json("token", "revoke", *where, first["token_id"])
            assert revoked["state"] == "revoked"
            with pytest.raises(Unauthenticated):
                ask(team, times=1_000_000 if options else 1)
            assert reader.server_info().version
        again = cli.json("token", "revoke", *where, first["token"])
        assert again["revoke_time"] == revoked["revoke_time"]
        shown = Cli(server.address)("info", env={"EXECSVC_TOKEN": second["token"]})
        assert shown.returncode == 0
        assert "auth:token" in shown.stdout
    finally:
        code, logged = server.end()
    assert code == 0
    assert first["token"] not in logged
    assert "nobody can call yet" not in logged


class ServeProcessOn(ServeProcess):
    """A server on a Postgres database."""

    def __init__(self, where: tuple[str, ...], *arguments: str) -> None:
        self.process = Cli().start("serve", "--address", "127.0.0.1:0", *where, "--json", *arguments)
        assert self.process.stdout is not None
        self.ready = json.loads(self.process.stdout.readline())
        self.address = self.ready["address"]


def test_the_token_goes_to_stdout_and_is_in_no_file(tmp_path: Path) -> None:
    made = Cli()("token", "create", "--role", "admin", "--db", tmp_path / "new.db")

    text = made.stdout.strip()
    assert made.returncode == 0
    assert text.startswith("exs_")
    assert text not in made.stderr
    # Of the secret itself any character may be one of the separators.
    secret = text.split("_", 2)[2].encode()
    for file in tmp_path.iterdir():
        assert secret not in file.read_bytes()
    with closing(sqlite3.connect(tmp_path / "new.db")) as db:
        assert db.execute("SELECT count(*) FROM api_tokens").fetchone() == (1,)


@pytest.mark.parametrize(
    ("arguments", "reason", "code"),
    [
        (("create", "--role", "king"), "USAGE", 2),
        (("create",), "USAGE", 2),
        (("create", "--role", "admin", "--namespace", "a b"), "USAGE", 2),
        (("create", "--role", "admin", "--expires", "soon"), "USAGE", 2),
        (("create", "--role", "admin", "--name", "x" * 129), "USAGE", 2),
        (("revoke", "exs_"), "USAGE", 2),
        (("revoke", "exs_aaaaaaaaaaaa"), "TOKEN_NOT_FOUND", 4),
        (("revoke", ""), "TOKEN_NOT_FOUND", 4),
    ],
)
def test_what_cannot_be_done_is_said_and_nothing_is_changed(
    tmp_path: Path, arguments: tuple[str, ...], reason: str, code: int
) -> None:
    cli, where = Cli(), ("--db", str(tmp_path / "test.db"))
    for _ in range(2):
        issued(cli, where, "--role", "reader")

    error = cli.json("token", *arguments, *where, code=code)["error"]

    assert error["reason"] == reason
    assert [one["state"] for one in cli.json("token", "list", *where)["tokens"]] == ["active", "active"]


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "theirs.db")) as db:
        db.execute("CREATE TABLE theirs (x)")
    before = (tmp_path / "theirs.db").read_bytes()

    error = Cli().json("token", "create", "--role", "admin", "--db", tmp_path / "theirs.db", code=7)["error"]

    assert error["reason"] == "STORAGE_UNAVAILABLE"
    assert (tmp_path / "theirs.db").read_bytes() == before


def test_http_takes_the_same_token_beside_the_server_and_apart(serve: Serve, tmp_path: Path) -> None:
    cli = Cli()
    where = ("--db", str(tmp_path / "test.db"))
    token = issued(cli, where, "--role", "operator")["token"]
    server = serve("--auth", "token", "--http", "127.0.0.1:0")
    # Whoever runs a gateway lends its callers nothing of their own.
    with cli.running(
        "gateway", "--http", "127.0.0.1:0", "--json", "--target", server.address, env={"EXECSVC_TOKEN": token}
    ) as apart:
        assert apart.stdout is not None
        other = json.loads(apart.stdout.readline())["http"]
        for address in (server.ready["http"], other):
            url = f"http://{address}/api/v1/executions"
            assert httpx.get(url, timeout=30).status_code == 401
            assert httpx.get(url, headers={"Authorization": f"Bearer {token}x"}, timeout=30).status_code == 401
            assert httpx.get(url, headers={"Authorization": f"Bearer {token}"}, timeout=30).status_code == 200
            assert httpx.get(f"http://{address}/readyz", timeout=30).status_code == 200


def test_an_address_that_lets_anybody_in_is_warned_of(serve: Serve) -> None:
    server = serve("--address", "0.0.0.0:0", "--insecure")
    code, logged = server.end()
    assert code == 0
    assert "nobody is asked who they are" in logged

    asking = serve("--address", "0.0.0.0:0", "--insecure", "--auth", "token")
    logged = asking.end()[1]
    assert "nobody is asked" not in logged
    assert "nobody can call yet" in logged


def test_json_web_tokens_of_a_provider_are_taken_beside_our_own(serve: Serve, tmp_path: Path) -> None:
    signer = Signer("one")
    (tmp_path / "keys.json").write_text(key_set(signer))
    rules = ("--jwt-issuer", ISSUER, "--jwt-audience", AUDIENCE, "--jwt-keys", str(tmp_path / "keys.json"))
    own = issued(Cli(), ("--db", str(tmp_path / "test.db")), "--role", "admin", "--namespace", "team-a")
    server = serve("--auth", "token", *rules)

    with (
        ExecutionClient(server.address, token=lambda: signer.token(namespace="team-a")) as team,
        ExecutionClient(server.address, token=signer.token(namespace="team-b")) as other,
        ExecutionClient(server.address, token=own["token"]) as admin,
        ExecutionClient(server.address, token=Signer("one").token(namespace="team-a")) as liar,
    ):
        team.execute(QUICK, {"n": 1}, execution_id="e")
        assert admin.wait("e", timeout=30).state == "COMPLETED"
        with pytest.raises(NotFound):
            other.status("e")
        with pytest.raises(PermissionDenied):
            team.delete("e")
        with pytest.raises(Unauthenticated):
            liar.status("e")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--auth", "token", "--jwt-issuer", "i"), "add --jwt-audience and --jwt-keys"),
        (("--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-keys", "k"), "add that"),
        (("--auth", "token", "--jwt-keys", "http://far.example/keys"), "a URL with https"),
    ],
)
def test_rules_for_json_web_tokens_that_do_not_fit_together_are_refused(
    tmp_path: Path, options: tuple[str, ...], words: str
) -> None:
    refused = Cli()("serve", "--db", tmp_path / "test.db", *options)

    assert refused.returncode == 2
    assert words in refused.stderr


def test_keys_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    options = ("--auth", "token", "--jwt-issuer", "i", "--jwt-audience", "a", "--jwt-keys", tmp_path / "none.json")
    refused = Cli()("serve", "--address", "127.0.0.1:0", "--db", tmp_path / "test.db", *options, "--json")

    assert refused.returncode == 7
    assert json.loads(refused.stderr.splitlines()[-1])["error"]["reason"] == "IDENTITY_UNUSABLE"
