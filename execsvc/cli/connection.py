"""Connect to the server that a command talks to."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from execsvc.cli.configured import connection
from execsvc.cli.failures import no_server

if TYPE_CHECKING:
    from execsvc_client import ExecutionClient


@contextmanager
def connected(target: str) -> Iterator[ExecutionClient]:
    """Open a client for as long as the context lasts; a server that does not answer becomes a CliError."""
    from execsvc_client import ExecutionClient

    how = connection()
    with reachable(target), ExecutionClient(target, tls=how.tls, call_timeout=how.call_timeout) as client:
        yield client


@contextmanager
def reachable(target: str) -> Iterator[None]:
    """Say of a server that does not answer where it was looked for and what to do."""
    from execsvc_client import Unavailable

    try:
        yield
    except Unavailable as error:
        # With a reason it is the server itself that speaks.
        if error.reason:
            raise
        raise no_server(target, error.message) from error
