"""Settings: flags over environment over file, each value with its place, and what is wrong told with it."""

from __future__ import annotations

import dataclasses
import json
import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from execsvc import app
from execsvc.cli import main
from execsvc.cli.program import app as program
from execsvc.config import SETTINGS, parse_span, span_text
from execsvc.config.loading import SettingsInvalid, Source, find_file, load, unknown_variables
from execsvc.config.models import ClientSettings, KeyLimits, ServerSettings, parse_key_limits
from execsvc.config.namespaces import merged
from tools import configuration_reference

#: Settings for which no text of a file is wrong.
ANY_TEXT = {"jwt_issuer", "jwt_audience", "jwt_namespace_claim", "jwt_role_claim"}
ANY_TEXT |= {"db", "tls_cert", "tls_key", "tls_client_ca", "tls_clients", "ca", "cert", "key"}
#: Of each setting a value, and one that cannot be used.
EXAMPLES: Mapping[str, tuple[str, str]] = {
    "address": ("127.0.0.1:1", "50051"),
    "db": ("x.db", "a\0b"),
    "store": ("postgresql://u:secret@db/x", "mysql://db/x"),
    "store_direct": ("postgres://u:secret@db/x", "db"),
    "store_connections": ("3", "2"),
    "max_concurrent": ("0", "-1"),
    "max_queued": ("4", "many"),
    "operator_address": ("127.0.0.1:50062", "here"),
    "max_calls": ("64", "0"),
    "max_streams": ("64", "0"),
    "max_connection_streams": ("64", "0"),
    "max_connections": ("64", "0"),
    "key_limit": ("3 gpu=1", "gpu"),
    "namespaces": ('{"a": {"slots": 1}}', "a=1"),
    "default_timeout": ("90s", "soon"),
    "max_timeout": ("3h", "0"),
    "retention": ("8w", "-1"),
    "audit": ("Off", "yes"),
    "audit_retention": ("52w", "-1"),
    "plugin": ("a b", ""),
    "secrets": ("env:EXECSVC_SECRET_ dir:/run/secrets plugin:vault", "vault"),
    "redact": ("pin *secret*", "***"),
    "egress": ("* localhost:1", "gpu:x"),
    "grace": ("1.5", "-1"),
    "heartbeat": ("500ms", "0"),
    "metrics": ("9465", "host:"),
    "tracing": ("http://collector.example:4317", "collector.example:4317"),
    "http": ("8001", "host:"),
    "cors": ("https://a.example *", "app.example"),
    "max_results": ("1048576", "1000"),
    "max_body": ("2048", "10"),
    "tls_cert": ("x.crt", "a\0b"),
    "tls_key": ("x.key", "a\0b"),
    "tls_client_ca": ("x.crt", "a\0b"),
    "tls_clients": ("x.toml", "a\0b"),
    "auth": ("None", "basic"),
    "jwt_issuer": ("https://a.example", "a\0b"),
    "jwt_audience": ("a", "a\0b"),
    "jwt_keys": ("keys.json", "http://a.example/keys"),
    "jwt_leeway": ("1m", "-1"),
    "jwt_namespace_claim": ("ns", "a\0b"),
    "jwt_role_claim": ("r", "a\0b"),
    "insecure": ("false", "yes please"),
    "log_level": ("DEBUG", "loud"),
    "log_format": ("plain", "xml"),
    "target": ("unix:/run/x.sock", "nowhere"),
    "token": ("exs_a_b", "exs_a b"),
    "tls": ("False", "1"),
    "ca": ("x.crt", "a\0b"),
    "cert": ("x.crt", "a\0b"),
    "key": ("x.key", "a\0b"),
    "call_timeout": ("2m", "nan"),
    "model": ("openai:x", "gpt"),
}


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("EXECSVC_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def model_of(name: str) -> type[ServerSettings] | type[ClientSettings]:
    """The model that has a setting."""
    return ServerSettings if name in ServerSettings.model_fields else ClientSettings


def written(text: str, name: str = "execsvc.toml") -> Path:
    """A file of settings in the current directory."""
    Path(name).write_text(text, encoding="utf-8")
    return Path(name)


def problems(model: type[ServerSettings], flags: Mapping[str, Any], file: Path | None = None) -> list[str]:
    """What is wrong with settings."""
    with pytest.raises(SettingsInvalid) as error:
        load(model, flags, file=file)
    return [str(problem) for problem in error.value.problems]


def test_every_setting_is_in_one_table_with_a_field_of_a_model() -> None:
    fields = {**ServerSettings.model_fields, **ClientSettings.model_fields}

    assert set(fields) == set(SETTINGS) == set(EXAMPLES)


def test_defaults_are_those_of_the_server_itself() -> None:
    mine, its = load(ServerSettings, {}, file=None).settings, app.Settings()

    names = {field.name for field in dataclasses.fields(app.Settings)} & set(SETTINGS) - {"key_limit", "namespaces"}
    parts = {"node_types", "executors", "observers", "clock", "new_uid"}
    own = parts | {"database", "postgres", "jwt", "key_limit", "key_limits", "certificates", "guard", "namespaces"}
    assert {field.name for field in dataclasses.fields(app.Settings)} - own == names, "add it to the table of settings"
    assert {name: getattr(mine, name) for name in names} == {name: getattr(its, name) for name in names}
    limits = (mine.max_calls, mine.max_streams, mine.max_connection_streams, mine.max_connections)
    guard = its.guard
    assert limits == (guard.calls, guard.streams, guard.connection_streams, guard.connections)
    assert (mine.db, mine.key_limit) == (its.database, KeyLimits())


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_a_flag_counts_over_a_variable_and_a_variable_over_the_file(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    value, _ = EXAMPLES[name]
    file = written(f"# a comment\n{name} = {SETTINGS[name].example}\n")
    model = model_of(name)

    first = load(model, {}, file=file)
    monkeypatch.setenv(SETTINGS[name].variable, value)
    second = load(model, {}, file=file)
    third = load(model, {name: value}, file=file)

    assert first.whence[name] == Source(kind="file", name="execsvc.toml", line=2)
    assert str(second.whence[name]) == SETTINGS[name].variable
    assert str(third.whence[name]) == SETTINGS[name].flag
    assert getattr(second.settings, name) == getattr(third.settings, name) != getattr(first.settings, name)


@pytest.mark.parametrize("name", sorted(set(EXAMPLES) - {"plugin"} - ANY_TEXT))
def test_a_bad_value_is_told_with_its_place_and_what_would_be_right(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _, bad = EXAMPLES[name]
    file = written(f'\n\n{name} = "{bad}"\n')
    in_file = problems(model_of(name), {}, file)  # type: ignore[arg-type]
    monkeypatch.setenv(SETTINGS[name].variable, bad)
    in_variable = problems(model_of(name), {})  # type: ignore[arg-type]
    in_flag = problems(model_of(name), {name: bad})  # type: ignore[arg-type]

    assert len(in_file) == len(in_variable) == len(in_flag) == 1
    shown = "what is given" if SETTINGS[name].secret else repr(bad)
    assert in_file[0].startswith(f"execsvc.toml:3: {name}: {shown} is ")
    assert in_variable[0].startswith(f"{SETTINGS[name].variable}: {shown} is ")
    assert in_flag[0].startswith(f"{SETTINGS[name].flag}: {shown} is ")
    assert re.search(r"as in|write| or ", in_flag[0])


def test_all_that_is_wrong_is_told_at_once() -> None:
    lines = ("max_concurent = 3", "max-queued = 1", "grace = true", "plugin = [1]", "db = 5", "zzz = 1", "[retention]")
    file = written("\n".join([*lines, "a = 1"]))

    found = problems(ServerSettings, {"address": "x"}, file)

    assert found == [
        "execsvc.toml:1: 'max_concurent' is no setting; did you mean max_concurrent?",
        "execsvc.toml:2: 'max-queued' is no setting; did you mean max_queued?",
        "execsvc.toml:6: 'zzz' is no setting; `execsvc config` lists them all",
        "--address: 'x' is not HOST:PORT, as in 127.0.0.1:50051; port 0 takes a free one",
        "execsvc.toml:5: db: 5 is not the path of a file, as in execsvc.db",
        "execsvc.toml:7: retention: \"{'a': 1}\" is no span of time; write seconds, or 500ms, 90s, 15m, 12h, 30d, 2w",
        "execsvc.toml:4: plugin: [1] is not the name of an entry point in execsvc.nodes, or several of them",
        "execsvc.toml:3: grace: True is not a number of seconds from 0, or a span of time, as in 10 or 1m",
    ]


def test_a_longest_timeout_below_the_default_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXECSVC_DEFAULT_TIMEOUT", "2h")

    assert problems(ServerSettings, {"max_timeout": "1h"}) == [
        "--max-timeout: 1h is shorter than default_timeout, 2h; raise it, or lower that"
    ]
    assert load(ServerSettings, {"max_timeout": "2h"}, file=None).settings.max_timeout == parse_span("2h")


def test_a_file_that_is_no_toml_is_told_with_its_line() -> None:
    (found,) = problems(ServerSettings, {}, written("grace = 1\nretention = 30d\n"))

    assert found.startswith("execsvc.toml:2: is no TOML: ")


def test_the_file_is_the_flags_else_the_variables_else_the_one_here(monkeypatch: pytest.MonkeyPatch) -> None:
    assert find_file(None) is None
    here, other, third = written(""), written("", "other.toml"), written("", "third.toml")
    assert find_file(None) == here
    monkeypatch.setenv("EXECSVC_CONFIG", "other.toml")
    assert find_file(None) == other
    assert find_file("third.toml") == third
    with pytest.raises(SettingsInvalid, match=r"^--config: there is no file 'none.toml'$"):
        find_file("none.toml")
    monkeypatch.setenv("EXECSVC_CONFIG", "none.toml")
    with pytest.raises(SettingsInvalid, match=r"^EXECSVC_CONFIG: there is no file 'none.toml'$"):
        find_file(None)


def test_values_of_the_other_model_do_not_matter() -> None:
    file = written('target = "x:1"\ngrace = "never"\n')

    assert load(ClientSettings, {}, file=file).settings.target == "x:1"


def test_a_secret_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    hidden = dataclasses.replace(SETTINGS["model"], secret=True)
    monkeypatch.setattr("execsvc.config.loading.SETTINGS", {**SETTINGS, "model": hidden})
    from execsvc.cli.config import shown

    with pytest.raises(SettingsInvalid) as error:
        load(ClientSettings, {"model": "hunter2"}, file=None)

    assert "hunter2" not in str(error.value)
    assert shown(hidden, "hunter2") == "********"


def test_a_variable_that_is_no_setting_is_named_with_what_was_meant(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EXECSVC_MAX_CONCURENT", "1")

    assert [str(problem) for problem in unknown_variables()] == [
        "EXECSVC_MAX_CONCURENT: is no setting; did you mean EXECSVC_MAX_CONCURRENT?"
    ]


def test_the_command_prints_what_is_in_force_and_whence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    written('retention = "1w"\nkey_limit = [4, "gpu=1"]\n')
    monkeypatch.setenv("EXECSVC_TARGET", "there:1")

    assert main(["config"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert main(["config", "--json"]) == 0
    document = json.loads(capsys.readouterr().out)

    assert re.split(r"  +", next(line for line in lines if line.startswith("retention"))) == [
        "retention",
        "7d",
        "execsvc.toml:1",
    ]
    assert document["settings"]["key_limit"] == {
        "value": ["4", "gpu=1"],
        "source": "file",
        "name": "execsvc.toml",
        "line": 2,
    }
    assert document["settings"]["target"] == {"value": "there:1", "source": "variable", "name": "EXECSVC_TARGET"}
    assert set(document["settings"]) == set(SETTINGS)


def test_the_command_names_what_is_wrong_once(capsys: pytest.CaptureFixture[str]) -> None:
    written("bogus = 1\n")

    assert main(["config", "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert (error["reason"], [problem["position"] for problem in error["problems"]]) == (
        "INVALID_SETTING",
        ["execsvc.toml:1"],
    )


def test_every_setting_of_the_server_is_a_flag_of_serve() -> None:
    serve = next(command for command in program.registered_commands if command.callback.__name__ == "serve")  # type: ignore[union-attr]

    flags = {name for name in ServerSettings.model_fields if SETTINGS[name].by_flag}
    assert flags <= set(serve.callback.__annotations__)  # type: ignore[union-attr]


def test_the_reference_is_up_to_date_and_its_files_are_valid() -> None:
    text = configuration_reference.reference()

    assert configuration_reference.PAGE.read_text(encoding="utf-8") == text, "run `make reference`"
    blocks = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    found = {name: value for block in blocks for name, value in tomllib.loads(block).items()}
    assert set(found) == set(SETTINGS)
    for model, block in zip((ServerSettings, ClientSettings), blocks, strict=True):
        assert load(model, {}, file=written(block)).settings  # type: ignore[type-var]


@pytest.mark.parametrize(("micros", "text"), [(90_000_000, "90s"), (86_400_000_000, "1d"), (1, "0.000001s"), (0, "0s")])
def test_a_span_is_written_in_the_largest_unit_that_fits(micros: int, text: str) -> None:
    assert span_text(micros) == text
    assert parse_span(text, least=0) == micros


def test_limits_are_for_every_key_and_for_single_ones() -> None:
    assert parse_key_limits(["4", "gpu=1", "a=b=2"]) == KeyLimits(default=4, by_key={"gpu": 1, "a=b": 2})
    assert parse_key_limits(4) == parse_key_limits("4") == KeyLimits(default=4)


@pytest.mark.parametrize("options", [["0"], ["x"], ["gpu="], ["=1"], ["gpu=0"], ["gpu=-1"], ["1", "2"], ["a=1", "a=2"]])
def test_a_key_limit_that_makes_no_sense_is_named(options: list[str]) -> None:
    with pytest.raises(ValueError, match=re.escape(repr(options[-1]))):
        parse_key_limits(options)


def test_what_a_namespace_does_not_say_the_others_say_for_it() -> None:
    file = written(
        """
        [namespaces."*"]
        slots = 5
        retention = "30d"
        [namespaces.billing]
        slots = 10
        rate = 2.5
        """
    )
    found = load(ServerSettings, {}, file=file)

    assert found.whence["namespaces"].line == 2
    assert merged(found.settings.namespaces) == {
        "*": {"slots": 5, "retention": parse_span("30d")},
        "billing": {"slots": 10, "rate": 2.5, "retention": parse_span("30d")},
    }
    assert found.settings.model_dump(mode="json")["namespaces"]["*"] == {"slots": 5, "retention": "30d"}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("[namespaces]\na = 1", "a is 1, and is to be a table"),
        ("[namespaces.a]\nslot = 1", "a: 'slot' is none of slots, queued, stored, rate, retention"),
        ("[namespaces.a]\nslots = 0", "a: slots: 0 is not a whole number of 1 or more"),
        ("[namespaces.a]\nqueued = true", "a: queued: True is not a whole number"),
        ("[namespaces.a]\nstored = 1.5", "a: stored: 1.5 is not a whole number"),
        ("[namespaces.a]\nrate = 0", "a: rate: 0 is not a number of calls a second above 0"),
        ("[namespaces.a]\nrate = inf", "a: rate: inf is not"),
        ("[namespaces.a]\nretention = 'soon'", "a: retention: 'soon' is no span of time"),
        ("[namespaces.'a b']\nslots = 1", "'a b' is no name of a namespace"),
    ],
)
def test_what_is_wrong_with_a_namespace_is_told(given: str, told: str) -> None:
    (found,) = problems(ServerSettings, {}, written(given))

    assert found.startswith("execsvc.toml:1: namespaces: ")
    assert told in found
