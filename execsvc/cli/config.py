"""The command ``config``: the settings in force, and where each comes from."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from execsvc.cli.configured import client_settings, server_settings, settings_file
from execsvc.cli.failures import CliError
from execsvc.cli.options import AsJson
from execsvc.cli.tables import print_table
from execsvc.cli.text import print_json, printable
from execsvc.config import SETTINGS, Setting

if TYPE_CHECKING:
    from execsvc.config.loading import Source

#: Stands for the value of a setting that nobody is to see.
MASKED = "********"


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(config)


def config(as_json: AsJson = False) -> None:
    """Print the settings in force, and where each comes from: environment over file over defaults."""
    from execsvc.config.loading import unknown_variables

    file = settings_file()
    values, whence = _in_force()
    unknown = list(unknown_variables())
    if as_json:
        settings = {
            name: {"value": shown(SETTINGS[name], values[name]), **_source_document(whence[name])} for name in SETTINGS
        }
        print_json(
            {
                "file": None if file is None else str(file),
                "settings": settings,
                "unknown_variables": [problem.source.name for problem in unknown],
            }
        )
        return
    rows = ((name, _text(SETTINGS[name], values[name]), str(whence[name])) for name in SETTINGS)
    print_table(("SETTING", "VALUE", "FROM"), rows)
    for problem in unknown:
        print(printable(f"warning: {problem}"), file=sys.stderr)


def _in_force() -> tuple[dict[str, Any], dict[str, Source]]:
    values: dict[str, Any] = {}
    whence: dict[str, Source] = {}
    problems: list[CliError] = []
    for load in (server_settings, client_settings):
        try:
            loaded = load()
        except CliError as error:
            problems.append(error)
            continue
        values |= loaded.settings.model_dump(mode="json")
        whence |= loaded.whence
    if problems:
        # What is wrong with the file as a whole is found by both.
        found = list(dict.fromkeys(problem for error in problems for problem in error.problems))
        first = problems[0]
        message = str(found[0]) if len(found) == 1 else f"{len(found)} settings cannot be used"
        raise CliError(message, exit_code=first.exit_code, reason=first.reason, problems=found)
    return values, whence


def shown(setting: Setting, value: Any) -> Any:
    """Give what may be seen of a value."""
    return MASKED if setting.secret and value else value


def _text(setting: Setting, value: Any) -> str:
    value = shown(setting, value)
    if value in (None, [], {}):
        return f"({setting.otherwise})"
    return (
        " ".join(map(str, value))
        if isinstance(value, list)
        else f"{value:g}"
        if isinstance(value, float)
        else f"{value}"
    )


def _source_document(source: Source) -> dict[str, Any]:
    document: dict[str, Any] = {"source": source.kind}
    if source.name:
        document["name"] = source.name
    return document | ({"line": source.line} if source.line else {})
