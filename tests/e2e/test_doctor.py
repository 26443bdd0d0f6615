"""``execsvc doctor``: without a server, beside one, and where something is wrong."""

from __future__ import annotations

import json
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import trustme

from execsvc.cli.exit_codes import ExitCode
from execsvc_client import ExecutionClient
from tests.e2e.conftest import QUICK, ROOT, Cli, ServeProcess
from tests.servers.postgres import shared_server

Serve = Callable[..., ServeProcess]
AREAS = ["environment", "versions", "settings", "database", "certificates", "server", "clock"]


class Report:
    """What the command said."""

    def __init__(self, document: Any, code: int) -> None:
        self.code = code
        self.findings: list[dict[str, Any]] = document["findings"]
        assert document["problems"] == len(self.of_level("problem"))
        assert document["warnings"] == len(self.of_level("warning"))

    def of_level(self, level: str) -> list[dict[str, Any]]:
        """The findings of a level."""
        return [one for one in self.findings if one["level"] == level]

    def of(self, check: str) -> dict[str, Any]:
        """The only finding of a check."""
        (found,) = [one for one in self.findings if one["check"] == check]
        return found

    @property
    def problems(self) -> set[str]:
        """The checks that found problems."""
        return {one["check"] for one in self.of_level("problem")}


def examined(*arguments: str | Path, env: dict[str, str] | None = None) -> Report:
    """Run the command; what it said, which is the same for people and for programs."""
    done = Cli()("doctor", *arguments, "--json", env=env)
    assert done.stdout, done
    report = Report(json.loads(done.stdout), done.returncode)
    assert done.returncode == (ExitCode.UNFIT if report.problems else ExitCode.OK)
    for one in report.of_level("warning") + report.of_level("problem"):
        assert one["means"], one
        assert one["advice"], one
    return report


@pytest.fixture
def free() -> str:
    """An address of this machine at which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


@pytest.fixture
def served(serve: Serve, tmp_path: Path) -> Iterator[ServeProcess]:
    """A server with an execution."""
    server = serve(database=tmp_path / "test.db")
    with ExecutionClient(server.address) as client:
        client.execute(QUICK, {"n": 1}, execution_id="e")
        client.wait("e")
    return server


def test_where_nothing_is_yet_it_finds_no_problem_and_makes_nothing(tmp_path: Path, free: str) -> None:
    report = examined("--db", tmp_path / "new" / "execsvc.db", "--address", free)

    assert report.problems == set()
    assert "not there yet" in report.of("database.file")["found"]
    assert "none runs" in report.of("server.health")["found"]
    assert list(dict.fromkeys(one["check"].partition(".")[0] for one in report.findings)) == AREAS
    assert list(tmp_path.iterdir()) == []


def test_people_are_told_the_same_in_lines(tmp_path: Path, free: str) -> None:
    done = Cli()("doctor", "--db", tmp_path / "a.db", "--address", free)

    lines = done.stdout.splitlines()
    assert [line for line in lines if line in AREAS] == AREAS
    assert any(line.startswith("  ok       file ") for line in lines)
    assert "0 problems" in done.stdout + done.stderr


def test_beside_a_server_it_finds_the_server_its_version_and_its_database(served: ServeProcess, tmp_path: Path) -> None:
    report = examined("--db", tmp_path / "test.db", "--address", served.address)

    assert report.problems == set()
    assert report.of("server.health")["level"] == "ok"
    assert "0.1.0" in report.of("server.version")["found"]
    assert report.of("database.file")["facts"]["process"] == served.process.pid
    assert report.of("database.integrity")["level"] == "ok"
    assert report.of("database.schema")["facts"] == {"missing": []}
    with ExecutionClient(served.address) as client:
        # It goes on as if nobody had looked.
        client.execute(QUICK, {"n": 2}, execution_id="f")
        assert client.wait("f").state == "COMPLETED"
    code, _ = served.end()
    assert code == 0


def test_a_server_that_asks_for_tokens_is_found_all_the_same(serve: Serve, tmp_path: Path) -> None:
    server = serve("--auth", "token", database=tmp_path / "test.db")
    where = ("--db", tmp_path / "test.db", "--address", server.address, "--auth", "token")

    assert "not told" in examined(*where).of("server.version")["found"]
    token = Cli().json("token", "create", "--role", "reader", "--db", tmp_path / "test.db")["token"]
    done = Cli()("doctor", *where, "--json", env={"EXECSVC_TOKEN": token})
    assert "0.1.0" in Report(json.loads(done.stdout), done.returncode).of("server.version")["found"]
    assert token not in done.stdout + done.stderr


def test_a_server_with_tls_is_found_and_its_certificate_looked_at(serve: Serve, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.crt"))
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(str(tmp_path / "tls.key"))
    (tmp_path / "tls.crt").write_bytes(b"".join(blob.bytes() for blob in issued.cert_chain_pems))
    (tmp_path / "tls.key").chmod(0o600)
    tls = ("--tls-cert", str(tmp_path / "tls.crt"), "--tls-key", str(tmp_path / "tls.key"))
    server = serve(*tls, database=tmp_path / "test.db")
    where = ("--db", tmp_path / "test.db", "--address", server.address, *tls)

    report = examined(*where, env={"EXECSVC_CA": str(tmp_path / "ca.crt")})

    assert report.problems == set()
    assert report.of("server.health")["level"] == "ok"
    assert report.of("certificates.certificate_end")["facts"]["days"] > 0
    assert "127.0.0.1" in report.of("certificates.certificate_names")["found"]
    assert report.of("certificates.key")["level"] == "ok"
    (tmp_path / "tls.key").chmod(0o644)
    assert examined(*where).of("certificates.key")["level"] == "warning"


def test_another_program_on_the_port_is_a_problem(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        report = examined("--db", tmp_path / "a.db", "--address", f"127.0.0.1:{other.getsockname()[1]}")

    assert report.problems == {"server.health"}


def damage(path: Path) -> None:
    """Overwrite pages in the middle of a database."""
    with closing(sqlite3.connect(path)) as db:
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        db.execute("PRAGMA journal_mode = DELETE")
    pages = path.stat().st_size // 4096
    with path.open("r+b") as file:
        for page in range(2, pages):
            file.seek(4096 * page)
            file.write(b"\xde\xad" * 2048)


def test_a_damaged_database_is_a_problem(served: ServeProcess, tmp_path: Path, free: str) -> None:
    served.end()
    damage(tmp_path / "test.db")

    report = examined("--db", tmp_path / "test.db", "--address", free)

    assert report.problems & {"database.integrity", "database.file"}


@pytest.mark.parametrize("content", [b"this is no database", b"SQLite format 3\0" + b"\xff" * 5000, b""])
def test_what_is_no_database_of_ours_is_a_problem(tmp_path: Path, free: str, content: bytes) -> None:
    (tmp_path / "other.db").write_bytes(content)

    report = examined("--db", tmp_path / "other.db", "--address", free)

    assert report.problems == ({"database.file"} if content else set())


def test_a_database_of_a_later_version_is_a_problem(served: ServeProcess, tmp_path: Path, free: str) -> None:
    served.end()
    with closing(sqlite3.connect(tmp_path / "test.db")) as db, db:
        db.execute("INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('execsvc', '9999_x', '')")

    report = examined("--db", tmp_path / "test.db", "--address", free)

    assert report.problems == {"database.file"}
    assert "later version" in report.of("database.file")["found"]


def test_a_database_that_everybody_can_read_is_told(served: ServeProcess, tmp_path: Path, free: str) -> None:
    served.end()
    (tmp_path / "test.db").chmod(0o644)

    assert examined("--db", tmp_path / "test.db", "--address", free).of("database.rights")["level"] == "warning"


#: Looks once with all rights, so that everything is loaded, then once without any, whoever runs the tests.
_WITHOUT_RIGHTS = """
import contextlib, io, os, sys
from execsvc.cli import main
with contextlib.redirect_stdout(io.StringIO()):
    main(sys.argv[1:])
if os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
sys.exit(main(sys.argv[1:]))
"""


def test_without_rights_it_says_so_and_goes_on(served: ServeProcess, tmp_path: Path, free: str) -> None:
    served.end()
    where = ("--db", str(tmp_path / "test.db"), "--address", free)
    (tmp_path / "test.db").chmod(0o000)
    tmp_path.chmod(0o555)
    try:
        done = subprocess.run(
            [sys.executable, "-c", _WITHOUT_RIGHTS, "doctor", *where, "--json"],
            capture_output=True,
            text=True,
            env=Cli().env(),
            cwd=ROOT,
            timeout=60,
            check=False,
        )
    finally:
        tmp_path.chmod(0o755)
    assert done.stdout, done
    report = Report(json.loads(done.stdout), done.returncode)
    assert {"database.folder", "database.rights"} & report.problems
    assert report.problems <= {"database.folder", "database.rights", "database.file"}
    assert done.returncode == ExitCode.UNFIT


def test_settings_that_cannot_be_used_are_told_and_the_machine_is_looked_at(tmp_path: Path) -> None:
    config = tmp_path / "execsvc.toml"
    config.write_text('max_concurrent = "many"\nadress = "127.0.0.1:1"\n')

    report = examined("--config", config)

    assert report.problems == {"settings.loaded"}
    assert len(report.of_level("problem")) == 2
    assert report.of("environment.python")["level"] == "ok"


def test_settings_that_do_not_fit_together_are_problems(tmp_path: Path, free: str) -> None:
    report = examined(
        "--db", tmp_path / "a.db", "--address", "0.0.0.0:0", "--tls-client-ca", "ca.crt", "--jwt-issuer", "https://a.b"
    )

    told = " ".join(one["found"] for one in report.of_level("problem") if one["check"] == "settings.together")
    assert "--tls-cert" in told
    assert "--jwt-audience" in told


def test_an_open_address_is_a_problem_and_plain_text_a_warning(tmp_path: Path) -> None:
    report = examined("--db", tmp_path / "a.db", "--address", "0.0.0.0:0", "--insecure", "--cors", "*")

    assert report.problems == {"settings.callers"}
    assert report.of("settings.transport")["level"] == "warning"
    assert report.of("settings.cors")["level"] == "warning"


def test_variables_that_are_no_settings_are_told(tmp_path: Path, free: str) -> None:
    report = examined("--db", tmp_path / "a.db", "--address", free, env={"EXECSVC_ADRESS": "127.0.0.1:1"})

    assert "EXECSVC_ADDRESS" in report.of("settings.variables")["found"]


def test_places_and_files_that_settings_name_are_looked_at(tmp_path: Path, free: str) -> None:
    clients = tmp_path / "clients.toml"
    clients.write_text('[[client]]\nuri = "spiffe://a/b"\nnamespace = "a"\nrole = "king"\n')
    report = examined(
        *("--db", tmp_path / "a.db", "--address", free, "--secrets", f"dir:{tmp_path / 'gone'}", "--auth", "token"),
        *("--tls-cert", tmp_path / "a.crt", "--tls-key", tmp_path / "a.key", "--tls-client-ca", tmp_path / "ca.crt"),
        *("--tls-clients", clients),
        env={"OTEL_EXPORTER_OTLP_ENDPOINT": "http://localhost:1", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/json"},
    )

    assert any("role is to be one of reader, operator, admin" in one["found"] for one in report.of_level("problem"))
    assert f"{tmp_path / 'gone'} is no folder" in report.of("settings.sources")["found"]
    assert "OTEL_EXPORTER_OTLP_PROTOCOL" in report.of("settings.tracing")["found"]


def test_strict_makes_warnings_count(tmp_path: Path, free: str) -> None:
    where = ("--db", tmp_path / "a.db", "--address", free, "--metrics", "0.0.0.0:9464")

    assert Cli()("doctor", *where).returncode == ExitCode.OK
    assert Cli()("doctor", *where, "--strict").returncode == ExitCode.UNFIT


def test_a_plugin_that_does_not_load_is_a_problem(tmp_path: Path, free: str) -> None:
    report = examined("--db", tmp_path / "a.db", "--address", free, "--plugin", "nobody_has_it")

    assert report.problems == {"settings.plugins"}


def test_a_postgres_database_is_looked_over(free: str) -> None:
    url = shared_server().migrated()
    try:
        report = examined("--store", url, "--address", free)
        # The tests' server writes nothing to disk, and its role may do everything.
        assert report.problems == {"database.fsync"}
        assert report.of("database.rights")["level"] == "warning"
        assert report.of("database.schema")["facts"] == {"missing": []}
        assert report.of("database.connections")["facts"]["wanted"] == 6
        assert abs(report.of("clock.database")["facts"]["seconds"]) < 1
        assert report.of("database.speed")["facts"]["commit_ms"] > 0
    finally:
        shared_server().give_back(url)


def test_an_empty_postgres_database_needs_a_role_that_may_make_tables(free: str) -> None:
    url = shared_server().database()
    name = url.rpartition("/")[2]
    shared_server().execute("CREATE ROLE poor LOGIN")
    try:
        report = examined("--store", url.replace("postgres@", "poor@"), "--address", free)
        assert "database.schema" in report.problems
        assert "0001_first" in report.of("database.schema")["found"]
        assert name in report.of("database.reached")["found"]
    finally:
        shared_server().drop(url)
        shared_server().execute("DROP ROLE poor")


def test_no_password_is_ever_shown(tmp_path: Path, free: str) -> None:
    secret = "hunter2-hunter2"
    config = tmp_path / "execsvc.toml"
    config.write_text(f'store = "postgresql://me:{secret}@{free}/nowhere"\ntoken = "exs_abcdefghijkl_{secret}"\n')
    config.chmod(0o644)

    for arguments in (("--json",), (), ("--store", f"postgresql://me:{secret}@{free}/nowhere")):
        done = Cli()("doctor", "--config", config, "--address", free, *arguments)
        assert done.returncode == ExitCode.UNFIT
        assert secret not in done.stdout + done.stderr
    report = examined("--config", config, "--address", free)
    assert report.problems == {"database.reached"}
    assert report.of("settings.file")["level"] == "warning"


def test_a_copy_without_its_server_names_no_process(served: ServeProcess, tmp_path: Path, free: str) -> None:
    served.process.kill()
    served.process.wait()
    copy = tmp_path / "copy"
    copy.mkdir()
    for file in tmp_path.glob("test.db*"):
        shutil.copy(file, copy / file.name)

    report = examined("--db", copy / "test.db", "--address", free)

    assert report.of("database.file")["facts"]["process"] is None
    assert report.of("database.integrity")["level"] == "ok"
