"""Serves as a process does: until a signal, with the event loop, collector and switch interval of a server."""

from __future__ import annotations

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Final, TypeVar

from execsvc.app.composition import Running, running
from execsvc.app.settings import Settings

logger = logging.getLogger(__package__)

T = TypeVar("T")

#: Seconds a thread may hold the interpreter while another wants it. With the default of 5 ms a CPU-bound thread makes
#: each of a commit's steps wait that long.
SWITCH_INTERVAL: Final = 0.0005


async def serve(
    settings: Settings,
    *,
    ready: Callable[[Running], None],
    beside: Callable[[Running], AbstractAsyncContextManager[object]] = nullcontext,
) -> None:
    """Serve until SIGTERM or SIGINT, or until another server takes the database. Raises as ``running`` does.

    Args:
        ready: called once the server answers.
        beside: what else serves as long as the server does: begun after it, and ended before it drains.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with running(settings) as server, beside(server):
        # What is loaded by now lives as long as the process: the collector need not look at it again.
        gc.collect()
        gc.freeze()
        ready(server)
        await _one_of(stop, server.taken_over)
        logger.info("draining: no new executions, %g s for nodes under way", settings.grace)


async def _one_of(*events: asyncio.Event) -> None:
    waits = [asyncio.create_task(event.wait()) for event in events]
    try:
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for wait in waits:
            wait.cancel()
        await asyncio.gather(*waits, return_exceptions=True)


def run_tuned(main: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine as the process's main one, with the event loop, collector and switch interval of a server."""
    sys.setswitchinterval(SWITCH_INTERVAL)
    gc.set_threshold(50_000, 20, 50)
    try:
        import uvloop
    except ImportError:
        return asyncio.run(main)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(main)
