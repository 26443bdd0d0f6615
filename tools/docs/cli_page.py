"""The page of the command line: every command with its arguments and options, as the program itself declares them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, cast

import typer.main

from execsvc.cli.program import app
from tools.docs.markdown import NOTICE, code, escape, table

_INTRODUCTION = """
Every command, argument and option, as `execsvc COMMAND --help` shows them. [Command line](cli.md) explains how they are
used, and lists exit codes and environment variables. Every command also takes `-h` and `--help`.
"""
#: What help says besides its sentence: "[env var: EXECSVC_DB; default: execsvc.db; x>=1]" at its end.
_EXTRAS = re.compile(r"\s*\[((?:env var|default|required|\S*x?[<>]=?)[^\]]*)\]$")


class _Parameter(Protocol):
    """An argument or option, as far as this page reads one."""

    param_type_name: str
    name: str
    metavar: str | None
    hidden: bool

    def get_help_record(self, ctx: Any) -> tuple[str, str] | None: ...


class _Command(Protocol):
    """A command or group, as far as this page reads one."""

    help: str | None
    hidden: bool

    def get_params(self, ctx: Any) -> list[Any]: ...

    def collect_usage_pieces(self, ctx: Any) -> list[str]: ...

    def make_context(self, info_name: str, args: list[str], parent: Any = ..., **extra: Any) -> Any: ...


def render() -> str:
    """Write the page."""
    root = cast(_Command, typer.main.get_command(app))
    parts = ["# Command reference", NOTICE.format(source="execsvc/cli"), _INTRODUCTION.strip()]
    parts += ["## execsvc", *_describe(root, ("execsvc",), None)]
    return "\n\n".join(parts) + "\n"


def _describe(command: _Command, path: tuple[str, ...], parent: Any) -> Iterator[str]:
    context = command.make_context(path[-1], [], parent=parent, resilient_parsing=True)
    usage = " ".join([*path, *command.collect_usage_pieces(context)])
    yield f"```text\n{usage.replace('[[', '[').replace(']]', ']')}\n```"
    if command.help:
        yield _prose(command.help)
    for kind in ("argument", "option"):
        rows = list(_rows(command, context, kind))
        if rows:
            yield table((kind, ""), rows)
    subcommands: Mapping[str, _Command] = getattr(command, "commands", {})
    for name, subcommand in subcommands.items():
        if not subcommand.hidden:
            words = (*path, name)
            yield f"{'#' * len(words)} {' '.join(words)}"
            yield from _describe(subcommand, words, context)


def _rows(command: _Command, context: Any, kind: str) -> Iterator[tuple[str, str]]:
    for parameter in cast(list[_Parameter], command.get_params(context)):
        record = parameter.get_help_record(context)
        if record is not None and parameter.param_type_name == kind and parameter.name != "help":
            names = (parameter.metavar or parameter.name.upper()) if kind == "argument" else record[0]
            yield code(names), _text(record[1])


def _text(said: str) -> str:
    extras = _EXTRAS.search(said)
    if extras is None:
        return _prose(said)
    parts = [_extra(*part.partition(": ")) for part in extras[1].split("; ")]
    return " ".join([_prose(said[: extras.start()]), *parts]).strip()


def _extra(name: str, colon: str, value: str) -> str:
    known = {"env var": "Environment", "default": "Default"}
    if not colon:
        return "Required." if name == "required" else f"Range: {code(name)}."
    return f"{known.get(name, name)}: {code(value)}."


def _prose(text: str) -> str:
    """Take help for Markdown: line breaks inside a paragraph mean nothing."""
    return escape(re.sub(r"[ \t]*\n[ \t]*", "\n", text.replace("\b", "")).strip())
