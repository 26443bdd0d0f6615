"""What an attempt gets for the secrets it names, and what is said where it gets none."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

import pytest

from execsvc.config.secret_places import parse_secret_places
from execsvc.secrets import SecretError, Secrets, SecretText, make_secrets
from execsvc.secrets import secrets as module
from execsvc.secrets.places import DirectorySource, EnvironmentSource


class Vault:
    """A source like those of plug-ins."""

    def __init__(self, *, error: Exception | None = None, hangs: bool = False, value: object = None) -> None:
        self._error, self._hangs, self._value = error, hangs, value

    async def get(self, namespace: str, name: str) -> str | None:
        if self._error is not None:
            raise self._error
        if self._hangs:
            await asyncio.Event().wait()
        return self._value  # type: ignore[return-value]


def variables(**values: str) -> tuple[str, EnvironmentSource]:
    """A source of the default namespace."""
    return "env:A_", EnvironmentSource("A_", "default", {f"A_{name}": value for name, value in values.items()})


async def failure(secrets: Secrets, name: str = "KEY", namespace: str = "default") -> SecretError:
    """Why a secret cannot be had."""
    with pytest.raises(SecretError) as raised:
        await secrets.reveal(namespace, [name])
    return raised.value


async def test_the_first_place_that_has_a_secret_gives_it() -> None:
    secrets = Secrets([variables(KEY="from-variable"), ("vault", Vault(value="from-the-vault"))])

    assert dict(await secrets.reveal("default", ["KEY", "OTHER"])) == {
        "KEY": "from-variable",
        "OTHER": "from-the-vault",
    }
    assert dict(await secrets.reveal("billing", ["KEY"])) == {"KEY": "from-the-vault"}


async def test_a_missing_secret_is_named_and_not_tried_again() -> None:
    error = await failure(Secrets([variables()]))

    assert (error.type, error.retryable) == ("SECRET_UNKNOWN", False)
    assert "'KEY'" in error.message
    assert "'default'" in error.message
    assert "--secrets" in (await failure(Secrets())).message


@pytest.mark.parametrize("value", ["", "short", 5, "x" * 65_537])
async def test_a_value_that_cannot_be_kept_secret_is_not_used(value: object) -> None:
    error = await failure(Secrets([("vault", Vault(value=value))]))

    assert (error.type, error.retryable) == ("SECRET_UNUSABLE", False)
    assert "short" not in error.message


async def test_a_source_that_fails_is_asked_again_and_its_words_are_kept_from_the_log(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.DEBUG):
        error = await failure(Secrets([("plugin:vault", Vault(error=RuntimeError("token hvs.abcdef is not valid")))]))

    assert (error.type, error.retryable) == ("SECRET_UNAVAILABLE", True)
    assert "RuntimeError" in caplog.text
    assert "test_secrets.py:" in caplog.text
    assert "hvs.abcdef" not in caplog.text + error.message


async def test_a_source_that_does_not_answer_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PATIENCE", 0.01)

    error = await failure(Secrets([("plugin:vault", Vault(hangs=True))]))

    assert (error.type, error.retryable) == ("SECRET_UNAVAILABLE", True)


async def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    (tmp_path / "default").mkdir()
    (tmp_path / "default" / "KEY").symlink_to("KEY")

    error = await failure(make_secrets(parse_secret_places(f"dir:{tmp_path}"), "default"))

    assert (error.type, error.retryable) == ("SECRET_UNAVAILABLE", True)


async def test_missing_secrets_are_told_before_an_attempt_unless_a_plug_in_may_have_them(tmp_path: Path) -> None:
    places = [variables(KEY="whatever-it-is"), ("dir", DirectorySource(tmp_path))]
    uses = [("nodes[0].a", "KEY"), ("nodes[1].b", "GONE")]

    (problem,) = await Secrets(places).problems("default", uses)

    assert (problem.path, problem.reason) == ("nodes[1].b", "SECRET_UNKNOWN")
    assert "'GONE'" in problem.message
    assert len(await Secrets(places).problems("billing", uses)) == 2
    assert not await Secrets([*places, ("vault", Vault())]).problems("default", uses)


async def test_values_are_not_shown_by_what_holds_them() -> None:
    revealed = await Secrets([variables(KEY="the-canary")]).reveal("default", ["KEY"])

    assert "the-canary" not in f"{revealed!r} {revealed} {[revealed]} {revealed.scrubber!r}"


@pytest.mark.parametrize(
    ("text", "names", "shown"),
    [
        ("secret:KEY", ["KEY"], "<KEY>"),
        ("Bearer secret:KEY", ["KEY"], "Bearer <KEY>"),
        ("https://hooks.example/botsecret:T.1/send?key=secret:B-2&x", ["T.1", "B-2"], None),
        ("The key is secret:KEY.", ["KEY"], "The key is <KEY>."),
        ("secret:A:secret:B", ["A", "B"], "<A>:<B>"),
        ("secret: nothing, secret:-x, secret:/etc/passwd, secret:../x", [], None),
        ("SECRET:KEY", [], "SECRET:KEY"),
        ("", [], ""),
    ],
)
def test_references_are_found_in_longer_strings(text: str, names: list[str], shown: str | None) -> None:
    found = SecretText(text)

    assert list(found.names) == names
    if shown is not None:
        assert found.reveal({name: f"<{name}>" for name in names}) == shown


def test_a_filled_in_value_is_not_looked_at_again() -> None:
    assert SecretText("secret:A").reveal({"A": "secret:B", "B": "the-canary"}) == "secret:B"


def test_a_value_can_be_quoted_for_its_place() -> None:
    assert SecretText("/x/secret:A").reveal({"A": "a/b"}, quote=lambda value: value.replace("/", "%2F")) == "/x/a%2Fb"
