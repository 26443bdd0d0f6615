"""Puts the parts of a server together, starts, drains and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import resource
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from execsvc import cancellation
from execsvc.app.parts import (
    elsewhere_of,
    identities_of,
    in_doubt_of,
    open_store,
    queue_of,
    services_of,
    store_observer,
    traced_by,
)
from execsvc.app.settings import Settings
from execsvc.certificates import Renewing
from execsvc.egress import Egress
from execsvc.egress.network import Network
from execsvc.engine import Engine, operator_hosts, trace_headers
from execsvc.metrics import Metrics, served
from execsvc.model import DEFAULT_NAMESPACE
from execsvc.queue import DistributedQueue, EmbeddedQueue
from execsvc.redaction import Redaction
from execsvc.rpc import RpcServer, server_credentials
from execsvc.secrets import make_secrets
from execsvc.service import Changes, Limits, Services

if TYPE_CHECKING:
    from execsvc.tracing.tracing import Tracing

logger = logging.getLogger(__package__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A server that serves."""

    #: ``host:port`` with the port taken.
    address: str
    #: Where it is reached without TLS, from this process alone: ``address``, or a socket in a private folder.
    local: str
    #: Executions that go on from before.
    recovered: int
    #: Where its data are, for people.
    database: str
    #: Set where another server has taken the database over, by which this one must end.
    taken_over: asyncio.Event
    #: ``host:port`` for operators, if there is one.
    operator_address: str | None = None
    #: ``host:port`` of the metrics, if there are any.
    metrics: str | None = None


@asynccontextmanager
async def running(settings: Settings) -> AsyncIterator[Running]:
    """Run a server for as long as the context lasts, then drain and stop it.

    Draining takes no new executions, gives nodes under way ``settings.grace`` seconds, and leaves the rest to the
    next start, which goes on from the journal.

    Raises:
        DatabaseLocked: another server uses the database.
        StorageUnavailable: the database cannot be opened.
        CertificateUnusable: the files cannot be used.
        IdentityUnusable: the keys of an identity provider cannot be.
        PluginUnusable: a plug-in that secrets come from cannot be.
        TracingUnusable: traces cannot be sent as it was asked for.
        OSError: the address cannot be listened on; ``metrics.CannotListen`` if it is the one for metrics.
    """
    # Both around everything else, so that a drain can be watched, and what is traced of it is sent.
    async with AsyncExitStack() as around:
        metrics, address = None, None
        if settings.metrics is not None:
            metrics = Metrics(node_types=settings.node_types)
            address = await around.enter_async_context(served(metrics.registry, settings.metrics))
        tracing = None
        if settings.tracing is not None:
            tracing = await around.enter_async_context(traced_by(settings.tracing))
        server = await around.enter_async_context(_running(settings, metrics, tracing))
        yield replace(server, metrics=address)


@asynccontextmanager
async def _running(settings: Settings, metrics: Metrics | None, tracing: Tracing | None) -> AsyncIterator[Running]:
    limits = Limits(
        concurrent=settings.max_concurrent,
        queued=settings.max_queued,
        results_bytes=settings.max_results,
        default_timeout=settings.default_timeout,
        timeout=settings.max_timeout,
    )
    clock = settings.clock
    secrets, redaction = make_secrets(settings.secrets, DEFAULT_NAMESPACE), Redaction(settings.redact)
    if settings.secrets:
        _leave_no_core()
    taken_over = asyncio.Event()
    egress = Egress(settings.egress, trusted=operator_hosts(os.environ))
    store = await open_store(settings, store_observer(metrics, tracing), taken_over.set)
    changes = Changes()
    stack = contextlib.ExitStack()
    try:
        engine = Engine(
            store=store,
            clock=clock,
            node_types=settings.node_types,
            executors=settings.executors(),
            network=Network(egress, headers=None if tracing is None else trace_headers),
            observers=settings.observers if metrics is None else (*settings.observers, metrics.on_event),
            on_token=changes.token,
            in_doubt=in_doubt_of(store),
            secrets=secrets,
            redaction=redaction,
            tracing=tracing,
            max_results=settings.max_results,
        )
        queue = queue_of(settings, store, engine, metrics)
        if metrics is not None:
            metrics.watch(
                slots=settings.max_concurrent,
                running=lambda: queue.running,
                waiting=lambda: queue.waiting,
                backlog=lambda: store.backlog,
            )
        store.listen(changes.publish)
        elsewhere = elsewhere_of(store, changes, engine)
        identities = identities_of(settings, store)
        services = services_of(settings, store, queue, engine, changes, elsewhere, limits, egress, secrets, tracing)
        started = clock()

        def door(address: str, beside: str | None) -> RpcServer:
            certificates = None if settings.certificates is None else Renewing(settings.certificates)
            return RpcServer(
                address=address,
                services=services,
                limits=limits,
                start_time=started,
                capabilities=[
                    f"store:{store.name}",
                    *(f"node:{name}" for name in settings.node_types),
                    *(() if identities is None else ("auth:token",)),
                ],
                identities=identities,
                namespaces=settings.namespaces,
                calls=metrics,
                redaction=redaction,
                tracer=None if tracing is None else tracing.calls,
                guard=settings.guard,
                credentials=None if certificates is None else server_credentials(certificates),
                beside=beside,
            )

        local = None if settings.certificates is None else stack.enter_context(_private_socket())
        server = door(settings.address, local)
        operators = None if settings.operator_address is None else door(settings.operator_address, None)
        doors = [server] if operators is None else [server, operators]
        # Read before the server takes executions of its own, queued once it does.
        unfinished = await store.unfinished() if isinstance(queue, EmbeddedQueue) else ()
        by_others = settings.jwt is not None or settings.tls_clients is not None
        if identities is not None and not by_others and not await store.tokens.all():
            logger.warning("nobody can call yet: there is no API token; make one with `execsvc token create`")
        address = await server.start()
        if not settings.max_concurrent:
            logger.warning("nothing runs: max_concurrent is 0; what is there can be looked at, stopped and deleted")
        try:
            operator_address = None if operators is None else await operators.start()
            for item in unfinished:
                queue.offer(item)
            recovered = len(unfinished)
            if isinstance(queue, DistributedQueue) and elsewhere is not None and store.members is not None:
                queue.start()
                elsewhere.start()
                recovered = store.members.waiting
            async with _kept_pruned(services, settings):
                yield Running(
                    address=address,
                    local=local or address,
                    operator_address=operator_address,
                    recovered=recovered,
                    database=store.place,
                    taken_over=taken_over,
                )
        finally:
            services.executions.drain()
            for each in doors:
                await each.drain()
            queue.close()
            await engine.drain(settings.grace)
            await queue.join()
            if elsewhere is not None:
                await elsewhere.close()
            changes.close()
            await asyncio.gather(*(each.stop(1.0) for each in doors))
            await engine.close()
            await secrets.aclose()
    finally:
        stack.close()
        await store.close()


def _leave_no_core() -> None:
    """Keep the system from writing this process's memory to a file when it crashes: the values are in there."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


@contextlib.contextmanager
def _private_socket() -> Iterator[str]:
    """Name a socket in a folder that nobody but this user may enter."""
    with tempfile.TemporaryDirectory(prefix="execsvc-") as folder:
        yield f"unix:{folder}/rpc.sock"


@asynccontextmanager
async def _kept_pruned(services: Services, settings: Settings) -> AsyncIterator[None]:
    if settings.retention is None and settings.audit_retention is None and not settings.namespaces.have_retention:
        yield
        return
    keep = services.history.keep_pruned(
        retention=settings.retention, audit_retention=settings.audit_retention, namespaces=settings.namespaces
    )
    pruning = asyncio.create_task(keep, name="execsvc-pruning")
    try:
        yield
    finally:
        await cancellation.end(pruning)
