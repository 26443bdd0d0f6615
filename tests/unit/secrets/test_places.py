"""Where secrets come from: what settings may say, and what each kind of place gives to whom."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from execsvc.config.secret_places import SecretPlace, parse_secret_places
from execsvc.secrets.places import DirectorySource, EnvironmentSource, SecretUnusable


def test_places_are_read_in_their_order() -> None:
    text = "env:EXECSVC_SECRET_ billing=env:BILLING_ dir:/run/secrets plugin:vault"

    places = parse_secret_places(text)

    assert places == (
        SecretPlace(kind="env", where="EXECSVC_SECRET_"),
        SecretPlace(kind="env", where="BILLING_", namespace="billing"),
        SecretPlace(kind="dir", where="/run/secrets"),
        SecretPlace(kind="plugin", where="vault"),
    )
    assert " ".join(map(str, places)) == text
    assert parse_secret_places(text.split()) == parse_secret_places(places) == places


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("vault", "is none of"),
        ("env:", "is none of"),
        ("file:/x", "is none of"),
        ("=env:X_", "is none of"),
        ("env:SECRET", "ends with _"),
        ("env:A-B_", "ends with _"),
        ("env:EXECSVC_", "would let workflows read EXECSVC_"),
        ("env:EXECSVC_LOG_", "would let workflows read EXECSVC_LOG_LEVEL"),
        ("billing=dir:/x", "before env alone"),
        ("env:APP_ billing=env:APP_BILLING_", "secrets of the other's namespace"),
        ("a=env:APP_ b=env:APP_", "secrets of the other's namespace"),
    ],
)
def test_places_that_would_give_too_much_are_refused(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        parse_secret_places(text)


def test_a_variable_is_a_secret_of_one_namespace_and_only_with_the_prefix() -> None:
    source = EnvironmentSource("APP_", "billing", {"APP_KEY": "value", "KEY": "other"})

    assert source.look("billing", "KEY") == "value"
    assert source.look("default", "KEY") is None
    assert source.look("billing", "APP_KEY") is None


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A directory with a namespace."""
    (tmp_path / "default").mkdir()
    return tmp_path


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_one_line_end_at_the_end_of_a_file_is_not_part_of_the_secret(directory: Path, end: str) -> None:
    (directory / "default" / "KEY").write_bytes(f"two\nlines{end}".encode())

    assert DirectorySource(directory).look("default", "KEY") == "two\nlines"


def test_a_file_is_read_anew_each_time(directory: Path) -> None:
    file, source = directory / "default" / "KEY", DirectorySource(directory)

    assert source.look("default", "KEY") is None
    for value in ("first", "second"):
        file.write_text(value)
        assert source.look("default", "KEY") == value


def test_a_mounted_secret_of_kubernetes_is_read_through_its_links(directory: Path) -> None:
    mount = directory / "billing"
    (mount / "..2026_11_26").mkdir(parents=True)
    (mount / "..2026_11_26" / "api.key").write_text("value")
    (mount / "..data").symlink_to("..2026_11_26")
    (mount / "api.key").symlink_to("..data/api.key")

    assert DirectorySource(directory).look("billing", "api.key") == "value"
    assert DirectorySource(directory).look("default", "api.key") is None


@pytest.mark.parametrize("namespace", [".", ".."])
def test_a_namespace_of_dots_leads_nowhere(directory: Path, namespace: str) -> None:
    (directory / "KEY").write_text("value")
    inner = directory / "default"

    assert DirectorySource(inner).look(namespace, "KEY") is None
    assert DirectorySource(directory).look(namespace, "KEY") is None


def test_what_is_no_text_file_is_told_and_holds_nothing_up(directory: Path) -> None:
    source = DirectorySource(directory)
    (directory / "default" / "binary").write_bytes(b"\xff\xfe")
    (directory / "default" / "folder").mkdir()
    os.mkfifo(directory / "default" / "pipe")

    for name, why in (("binary", "not UTF-8"), ("folder", "no file"), ("pipe", "no file")):
        with pytest.raises(SecretUnusable, match=why):
            source.look("default", name)
