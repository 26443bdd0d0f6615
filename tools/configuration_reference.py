"""Write docs/configuration.md from the table of settings; ``--check`` only says whether it is up to date."""

from __future__ import annotations

import sys
from pathlib import Path

from execsvc.config import CONFIG_VARIABLE, DEFAULT_FILE, SETTINGS, Setting

PAGE = Path(__file__).parents[1] / "docs" / "configuration.md"

_HEAD = f"""# Configuration

<!-- Written by tools/configuration_reference.py (`make reference`). -->

Every setting has one name, and may be said in three places: as a flag, as an environment variable, or in a file. A
flag counts over a variable, a variable over the file, the file over the default. `execsvc config` prints what is in
force and where each value comes from.

The file is TOML: `--config FILE`, else the file that `{CONFIG_VARIABLE}` names, else `{DEFAULT_FILE}` in the current
directory, if it is there. A value that cannot be used is refused with its place and what would be right (exit code 2);
so is a key of the file that is no setting. An empty variable counts as none.

A span of time is seconds, or a number with `ms`, `s`, `m`, `h`, `d` or `w`: `90s`, `12h`, `30d`. What may be repeated
is a list in the file, and stands in a variable with spaces between.
"""
#: Settings of commands, besides those of ``serve``.
_OF_COMMANDS = ("target", "call_timeout", "model", "plugin")


def reference() -> str:
    """Give the text of the page."""
    served = [setting for setting in SETTINGS.values() if setting.name not in _OF_COMMANDS or setting.name == "plugin"]
    commands = [SETTINGS[name] for name in _OF_COMMANDS]
    return "\n".join(
        (
            _HEAD,
            "## serve\n",
            *_table(served),
            "\nThe same as a file:\n",
            "```toml",
            *(f"{setting.name} = {setting.example}" for setting in served),
            "```\n",
            "## Commands\n",
            "`target` and `call_timeout` are of every command that talks to a server; `model` of `run`, `submit` and",
            "`workflows create`; `plugin` also of `run`, `validate` and `graph`; `db` also of `backup`, `restore` and",
            "`check`.\n",
            *_table(commands),
            "\n```toml",
            *(f"{setting.name} = {setting.example}" for setting in commands),
            "```",
            "",
        )
    )


def _table(settings: list[Setting]) -> list[str]:
    rows = ["| setting | flag | variable | default | means |", "| --- | --- | --- | --- | --- |"]
    for setting in settings:
        default = (
            setting.otherwise if setting.default is None else f"`{str(setting.default).replace('False', 'false')}`"
        )
        flag = "`" + f"{setting.flag} {setting.metavar}".rstrip() + "`"
        repeated = " May be repeated." if setting.repeated else ""
        rows.append(
            f"| `{setting.name}` | {flag} | `{setting.variable}` | {default} | {setting.description}{repeated} |"
        )
    return rows


def main(arguments: list[str]) -> int:
    """Write the page, or compare it; the exit code says whether it was up to date."""
    text = reference()
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.read_text(encoding="utf-8") == text:
        return 0
    print(f"{PAGE} is not what the settings give; run `make reference`", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
