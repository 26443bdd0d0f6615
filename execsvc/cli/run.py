"""The command ``run``: one workflow from a file to its output, on a server of its own or on a given one."""

from __future__ import annotations

import asyncio
import logging
import signal
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from execsvc.cli.configured import connection, target_named
from execsvc.cli.connection import reachable
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import usage_error
from execsvc.cli.files import JsonFile, located, read_input, read_workflow
from execsvc.cli.options import (
    AsJson,
    Egress,
    Input,
    Labels,
    Level,
    Model,
    NewId,
    Plugins,
    RetryAttempts,
    RetryBackoff,
    Timeout,
    WorkflowFile,
    parse_labels,
    parse_retry,
    parse_timeout,
    setting_option,
)
from execsvc.cli.outcome import tell
from execsvc.cli.views import View, make_view
from execsvc.cli.workflows import checked

if TYPE_CHECKING:
    from execsvc_client import AsyncExecutionClient, Execution, LogEntry

#: Seconds that nodes of an embedded server have to end when it goes down.
GRACE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """What one ``execsvc run`` is to do."""

    workflow: JsonFile
    given: JsonFile
    execution_id: str | None
    labels: dict[str, str]
    timeout: float | str | None
    retry: dict[str, int | float | str] | None
    #: None: a server of its own.
    target: str | None
    #: Database of the server of its own; None: a temporary one.
    database: Path | None
    #: Of the server of its own.
    plugins: tuple[str, ...]
    #: Of the server of its own: hosts that nodes may call.
    egress: tuple[str, ...]
    #: Entries below are not shown as lines.
    level: Level
    as_json: bool


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(run)


def _named(context: typer.Context, value: str | None) -> str | None:
    return value if context.resilient_parsing else target_named(value or None)


def run(
    file: WorkflowFile,
    input: Input = None,
    model: Model = None,
    target: Annotated[str | None, setting_option("target", callback=_named)] = None,
    db: Annotated[
        Path | None,
        typer.Option("--db", metavar="FILE", help="Keep the database of its own server here.", show_default=False),
    ] = None,
    execution_id: NewId = None,
    labels: Labels = None,
    timeout: Timeout = None,
    retry_attempts: RetryAttempts = None,
    retry_backoff: RetryBackoff = None,
    plugins: Plugins = None,
    egress: Egress = None,
    level: Annotated[Level, typer.Option(case_sensitive=False, help="Show no log lines below this.")] = Level.INFO,
    as_json: AsJson = False,
) -> None:
    """Run a workflow, show its progress on stderr, and print its output on stdout.

    Without --target it starts a server of its own for as long as the run lasts; Ctrl-C then stops the execution. On a
    named server the execution goes on without this command.
    """
    if target and db:
        raise usage_error("--db is for a server of its own; leave out --db, or --target, EXECSVC_TARGET and target")
    job = Job(
        workflow=read_workflow(file, model=model),
        given=read_input(input),
        execution_id=execution_id,
        labels=parse_labels(labels),
        timeout=parse_timeout(timeout),
        retry=parse_retry(retry_attempts, retry_backoff),
        target=target or None,
        database=db,
        plugins=tuple(plugins or ()),
        egress=tuple(egress or ()),
        level=level,
        as_json=as_json,
    )
    raise typer.Exit(_on_server(job) if job.target is not None else _on_own_server(job))


def _on_server(job: Job) -> ExitCode:
    return asyncio.run(_run(job))


def _on_own_server(job: Job) -> ExitCode:
    # Before a server is started for nothing.
    checked(job.workflow, job.plugins)
    from execsvc.app import run_tuned

    logging.basicConfig(level=logging.ERROR)
    return run_tuned(_run(job))


async def _run(job: Job) -> ExitCode:
    from execsvc_client import AsyncExecutionClient

    nodes = job.workflow.value.get("nodes") if isinstance(job.workflow.value, dict) else None
    view = make_view(
        total=len(nodes) if isinstance(nodes, list) else 0,
        shown=_at_least(job.level),
        quiet=job.as_json,
    )
    async with AsyncExitStack() as stack:
        target = job.target
        if target is None:
            target = await stack.enter_async_context(_embedded(job))
        stack.enter_context(reachable(target))
        how = connection()
        # One of its own is in this process, and asks for nothing.
        own: dict[str, Any] = {} if job.target is None else {"tls": how.tls, "token": how.token}
        client = await stack.enter_async_context(AsyncExecutionClient(target, call_timeout=how.call_timeout, **own))
        interrupted = _watch_signals()
        with located(job.workflow, job.given):
            status = await client.execute(
                job.workflow.value,
                job.given.value,
                execution_id=job.execution_id,
                labels=job.labels,
                timeout=job.timeout,
                retry=job.retry,
            )
        with view:
            owner = "a server of its own" if job.target is None else "the server"
            view.say(f"execution {status.execution_id} on {owner} at {target}")
            execution = await _followed(job, client, view, status.execution_id, interrupted)
            if execution is None:
                view.say(
                    f"left; execution {status.execution_id} goes on: "
                    f"execsvc logs -f {status.execution_id}, execsvc stop {status.execution_id}"
                )
                return ExitCode.INTERRUPTED
    if interrupted.is_set():
        tell(execution, as_json=job.as_json)
        return ExitCode.INTERRUPTED
    return tell(execution, as_json=job.as_json)


async def _followed(
    job: Job, client: AsyncExecutionClient, view: View, execution_id: str, interrupted: asyncio.Event
) -> Execution | None:
    """Show an execution until it ends; None where an interruption leaves it running."""
    from execsvc_client import FailedPrecondition

    following = asyncio.create_task(_follow(client, view, execution_id))
    interruption = asyncio.create_task(interrupted.wait())
    try:
        await asyncio.wait({following, interruption}, return_when=asyncio.FIRST_COMPLETED)
        if interrupted.is_set():
            if job.target is not None:
                return None
            view.say("interrupted: stopping the execution")
            # It may have ended meanwhile.
            with suppress(FailedPrecondition):
                await client.stop(execution_id, "interrupted")
        await following
    finally:
        for task in (following, interruption):
            task.cancel()
        await asyncio.gather(following, interruption, return_exceptions=True)
    return await client.get(execution_id)


async def _follow(client: AsyncExecutionClient, view: View, execution_id: str) -> None:
    async with client.logs(execution_id, follow=True) as entries:
        async for entry in entries:
            view.entry(entry)


@asynccontextmanager
async def _embedded(job: Job) -> AsyncIterator[str]:
    """Run a server on a free port of this machine; gives its address."""
    from execsvc.app import Settings, running
    from execsvc.engine import load_plugins

    node_types, executors = load_plugins(job.plugins)
    with tempfile.TemporaryDirectory(prefix="execsvc-") as folder:
        settings = Settings(
            address="127.0.0.1:0",
            database=job.database or Path(folder) / "execsvc.db",
            grace=GRACE,
            heartbeat=1.0,
            egress=job.egress,
            node_types=node_types,
            executors=executors,
        )
        async with running(settings) as server:
            yield server.address


def _watch_signals() -> asyncio.Event:
    interrupted = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, interrupted.set)
    return interrupted


def _at_least(level: Level) -> Callable[[LogEntry], bool]:
    ranks = {member.name: rank for rank, member in enumerate(Level)}
    least = ranks[level.name]

    def shown(entry: LogEntry) -> bool:
        return ranks.get(str(entry.level), least) >= least

    return shown
