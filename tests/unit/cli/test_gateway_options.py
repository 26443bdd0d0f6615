"""Options of the gateway that cannot be used are refused before anything starts."""

from __future__ import annotations

import pytest

from execsvc.cli import gateway, main
from execsvc.config import SETTINGS
from execsvc.gateway.settings import DEFAULT_HTTP, DEFAULT_MAX_BODY


@pytest.mark.parametrize("command", ["serve", "gateway"])
@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--http", "here", "is not HOST:PORT"),
        ("--http", "127.0.0.1:99999", "is not HOST:PORT"),
        ("--cors", "app.example", "is not an origin"),
        ("--cors", "https://app.example/path", "is not an origin"),
        ("--max-body", "1", "1024"),
    ],
)
def test_options_that_cannot_be_used_are_usage_errors(
    capsys: pytest.CaptureFixture[str], command: str, option: str, value: str, said: str
) -> None:
    assert main([command, option, value]) == 2
    assert said in capsys.readouterr().err


def test_defaults_are_those_of_the_gateway() -> None:
    assert (gateway.DEFAULT_HTTP, SETTINGS["max_body"].default) == (DEFAULT_HTTP, DEFAULT_MAX_BODY)
