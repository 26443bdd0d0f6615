"""Options and arguments that several commands share."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from execsvc.cli.completion import execution_ids
from execsvc.cli.configured import client_setting
from execsvc.cli.failures import usage_error
from execsvc.config import DEFAULT_ADDRESS as DEFAULT_ADDRESS
from execsvc.config import SETTINGS


class Level(StrEnum):
    """Levels of log entries."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


class State(StrEnum):
    """States of an execution."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class AuthMode(StrEnum):
    """Whom a server asks who they are."""

    NONE = "none"
    TOKEN = "token"


class OnOff(StrEnum):
    """A switch that may also be left as it is."""

    ON = "on"
    OFF = "off"


class RoleName(StrEnum):
    """What a caller may do."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"


def setting_option(name: str, *declarations: str, **more: Any) -> Any:
    """Make the option of a setting; its value is None unless the flag is given."""
    setting = SETTINGS[name]
    # Without a metavar it is a switch.
    told: dict[str, Any] = {"help": setting.help, "metavar": setting.metavar or None} | more
    return typer.Option(setting.flag, *declarations, show_default=False, **told)


def _of_client(context: typer.Context, parameter: typer.CallbackParam, value: Any) -> Any:
    if context.resilient_parsing:
        return value
    name = str(parameter.name)
    name = {"plugins": "plugin"}.get(name, name)
    source = context.get_parameter_source(str(parameter.name))
    given = source is not None and source.name == "COMMANDLINE" and value not in ("", [], ())
    return client_setting(name, value if given else None)


def parse_labels(labels: list[str] | None) -> dict[str, str]:
    """Read ``key=value`` pairs. Raises CliError."""
    pairs = [label.partition("=") for label in labels or ()]
    for key, sign, _ in pairs:
        if not sign or not key:
            raise usage_error(f"--label {key!r} is not of the form key=value, as in --label team=billing")
    return {key: value for key, _, value in pairs}


def parse_timeout(timeout: str | None) -> float | str | None:
    """Read seconds, or a text with a unit as workflows have it."""
    try:
        return None if timeout is None else float(timeout)
    except ValueError:
        return timeout


def parse_retry(attempts: int | None, backoff: str | None) -> dict[str, int | float | str] | None:
    """Read how failed attempts are repeated; None: nothing was said. Raises CliError."""
    if attempts is None and backoff is None:
        return None
    if attempts is None:
        raise usage_error("--retry-backoff says how long to wait between attempts; add --retry-attempts")
    wait = parse_timeout(backoff)
    return {"max_attempts": attempts} | ({} if wait is None else {"initial_backoff": wait})


AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs; errors too.")]
Target = Annotated[str, setting_option("target", callback=_of_client)]
ExecutionId = Annotated[
    str,
    typer.Argument(metavar="ID", help="Id of the execution.", show_default=False, autocompletion=execution_ids),
]
WorkflowFile = Annotated[
    Path, typer.Argument(metavar="FILE", help="A workflow as JSON; - reads stdin.", show_default=False)
]
Input = Annotated[
    str | None,
    typer.Option("--input", "-i", metavar="JSON|@FILE", help="Its input: JSON, or a file with @.", show_default=False),
]
NewId = Annotated[
    str | None,
    typer.Option(
        "--id", metavar="ID", help="Your id for the execution; the same again is not run twice.", show_default=False
    ),
]
Labels = Annotated[
    list[str] | None,
    typer.Option("--label", metavar="KEY=VALUE", help="A label; may be repeated.", show_default=False),
]
Timeout = Annotated[
    str | None,
    typer.Option("--timeout", metavar="SECONDS", help="Longest it may run, pauses not counted.", show_default=False),
]
RetryAttempts = Annotated[
    int | None,
    typer.Option(
        "--retry-attempts",
        min=1,
        max=100,
        metavar="N",
        help="Attempts in all at each node with effects that says nothing of its own.",
        show_default=False,
    ),
]
RetryBackoff = Annotated[
    str | None,
    typer.Option(
        "--retry-backoff", metavar="SECONDS", help="Wait before the second attempt; it doubles.", show_default=False
    ),
]
Plugins = Annotated[list[str] | None, setting_option("plugin", callback=_of_client)]
Egress = Annotated[list[str] | None, setting_option("egress", callback=_of_client)]
Wait = Annotated[bool, typer.Option("--wait", help="Wait for its end and print its output.")]
Model = Annotated[str | None, setting_option("model", callback=_of_client)]
