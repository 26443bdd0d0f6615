"""Tell how an execution ended: its output on stdout, its failure on stderr, and an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from execsvc.cli.documents import execution_document
from execsvc.cli.exit_codes import ExitCode, by_state
from execsvc.cli.text import print_json, printable

if TYPE_CHECKING:
    from execsvc_client import Execution


def tell(execution: Execution, *, as_json: bool) -> ExitCode:
    """Print how it ended; with ``as_json`` the whole record, otherwise the output alone."""
    if as_json:
        print_json(execution_document(execution))
    elif execution.state == "COMPLETED":
        print_json(execution.output, pretty=True)
    else:
        print(printable(_why(execution)), file=sys.stderr)
    return by_state(execution.state)


def _why(execution: Execution) -> str:
    error = execution.error
    if error is None:
        return f"execution {execution.execution_id}: {execution.status.message or execution.state}"
    node = f" at node {error.node_id!r}" if error.node_id else ""
    attempt = f" (attempt {error.attempt})" if error.attempt > 1 else ""
    return f"error: execution {execution.execution_id} failed{node}{attempt}: {error.message} [{error.type}]"
