"""Put the commands together, and turn every expected error into one line and an exit code."""

from __future__ import annotations

import os
import sys
import traceback
from typing import Annotated

import typer

from execsvc import __version__
from execsvc.cli import (
    audit,
    config,
    control,
    database,
    doctor,
    executions,
    gateway,
    history,
    logs,
    run,
    server,
    stored,
    stores,
    submit,
    tokens,
    watch,
    workflows,
)
from execsvc.cli.configured import invocation, use
from execsvc.cli.exit_codes import MEANINGS, ExitCode
from execsvc.cli.failures import CliError, as_cli_error, print_error, usage_error

_EXIT_CODES = "Exit codes: " + "; ".join(f"{int(code)} {meaning}" for code, meaning in MEANINGS.items()) + "."

app = typer.Typer(
    name="execsvc",
    help="Durable workflow execution on LangGraph behind a gRPC API.",
    epilog=_EXIT_CODES,
    invoke_without_command=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    context_settings={"help_option_names": ["-h", "--help"]},
)
for module in (
    server,
    gateway,
    run,
    submit,
    executions,
    watch,
    logs,
    control,
    history,
    stored,
    workflows,
    config,
    database,
    doctor,
    tokens,
    audit,
    stores,
):
    module.register(app)
use(app)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"execsvc {__version__}")
        raise typer.Exit


@app.callback()
def _options(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Durable workflow execution on LangGraph behind a gRPC API."""
    if context.invoked_subcommand is None:
        print(context.get_help())


def main(arguments: list[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: without the program's name; None takes the process's own.

    Returns:
        The process's exit code.
    """
    # gRPC's core would write about failed connections beside what we say.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    arguments = sys.argv[1:] if arguments is None else arguments
    as_json = "--json" in arguments
    try:
        with invocation():
            # Not standalone: typer would end with codes of its own.
            return int(app(arguments, prog_name="execsvc", standalone_mode=False) or ExitCode.OK)
    except SystemExit as end:
        return end.code if isinstance(end.code, int) else ExitCode.OK
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Exception as error:
        found = as_cli_error(error) or _as_usage_error(error)
        if found is None:
            from execsvc.secrets import REMEMBERED_VALUES

            print(REMEMBERED_VALUES.hide(traceback.format_exc()), file=sys.stderr, end="")
            return ExitCode.INTERNAL
        print_error(found, as_json=as_json)
        return found.exit_code


def _as_usage_error(error: Exception) -> CliError | None:
    """Take what typer says of a command line that is wrong."""
    format_message = getattr(error, "format_message", None)
    if format_message is None:
        return None
    context = getattr(error, "ctx", None)
    return usage_error(f"{format_message()} Try: {context.command_path if context else 'execsvc'} --help")
