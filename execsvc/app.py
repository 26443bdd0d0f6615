"""The composition root: picks store and queue, puts the parts together, starts, drains and stops them."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import resource
import signal
import socket
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager, nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, TypeVar

from execsvc.certificates import CertificateFiles, Renewing
from execsvc.clock import Clock, SystemClock, new_uid
from execsvc.config.secret_places import SecretPlace
from execsvc.definition import BUILTIN, NodeTypes
from execsvc.egress import Egress
from execsvc.egress.network import Network
from execsvc.engine import Engine, Executors, Observer, builtin_executors, operator_hosts, trace_headers
from execsvc.errors import IdentityUnusable, StorageUnavailable, TracingUnusable
from execsvc.metrics import Metrics, served
from execsvc.model import DEFAULT_NAMESPACE, UNLIMITED, Namespaces
from execsvc.queue import DistributedQueue, EmbeddedQueue, KeyLimits, Queue
from execsvc.redaction import Redaction
from execsvc.rpc import Guard, RpcServer, server_credentials
from execsvc.secrets import Secrets, make_secrets
from execsvc.service import (
    Changes,
    Control,
    Elsewhere,
    Executions,
    History,
    Identities,
    JwtRules,
    Limits,
    Logs,
    Quotas,
    Services,
    Watcher,
    Workflows,
)
from execsvc.store import PostgresDatabase, SqliteStore, Store, StoreObserver, StoreObservers
from execsvc.tracing import MISSING, TracingSettings

if TYPE_CHECKING:
    from execsvc.tracing.tracing import Tracing

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds a thread may hold the interpreter while another wants it. With the default of 5 ms a CPU-bound thread makes
#: each of a commit's steps wait that long.
SWITCH_INTERVAL: Final = 0.0005


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What a server needs to know."""

    #: ``host:port``; port 0 takes a free one.
    address: str = "127.0.0.1:50051"
    #: Certificate files; None: no TLS.
    certificates: CertificateFiles | None = None
    #: Who is asked who they are: ``none``, or with ``token`` everybody.
    auth: Literal["none", "token"] = "none"
    #: With ``token``: whose JSON Web Tokens are taken besides; None: nobody's.
    jwt: JwtRules | None = None
    #: With ``token``, and authorities of clients: the file that says who callers are by their certificates; None: none.
    tls_clients: Path | None = None
    #: Where Prometheus finds metrics, as ``host:port``; None: nowhere, and nothing is measured.
    metrics: str | None = None
    #: How traces are sent; None: nobody traces.
    tracing: TracingSettings | None = None
    #: The SQLite file; made if it is not there.
    database: Path = Path("execsvc.db")
    #: The database in place of that file.
    postgres: PostgresDatabase | None = None
    #: What callers may take of it.
    guard: Guard = field(default_factory=Guard)
    #: Another address, with the same credentials, which no crowd at the first one holds up; None: none.
    operator_address: str | None = None
    #: Executions that run at once.
    max_concurrent: int = 100
    #: Executions that may wait for a slot.
    max_queued: int = 10_000
    #: Executions with the same concurrency key that run at once; None: no limit.
    key_limit: int | None = None
    #: The same for single keys.
    key_limits: Mapping[str, int] = field(default_factory=dict)
    #: Microseconds an execution may run that names no timeout; None: no limit.
    default_timeout: int | None = None
    #: Longest timeout an execution may name, microseconds; None: no limit.
    max_timeout: int | None = None
    #: Microseconds that executions are kept after their end; None: for ever.
    retention: int | None = None
    #: Whether each change is recorded in the audit trail, with who made it; None: where everybody is asked that.
    audit: Literal["on", "off"] | None = None
    #: Microseconds that its records are kept; None: for ever.
    audit_retention: int | None = None
    #: What each namespace may use.
    namespaces: Namespaces = UNLIMITED
    #: Seconds that nodes under way have to end when the server goes down.
    grace: float = 10.0
    #: Seconds without news after which a log stream says that it lives.
    heartbeat: float = 5.0
    #: Places that the secrets come from which workflows may name, in the order they are asked; none: there are none.
    secrets: tuple[SecretPlace, ...] = ()
    #: Keys whose values in inputs, results and logs nobody is shown.
    redact: tuple[str, ...] = ()
    #: Hosts that nodes may call where a workflow names them, as ``egress.parse_rule`` takes them; none: any public one.
    egress: tuple[str, ...] = ()
    #: Node types and who runs them.
    node_types: NodeTypes = field(default_factory=lambda: BUILTIN)
    executors: Callable[[], Executors] = builtin_executors
    #: Told of every change of a node and of the end of each run.
    observers: tuple[Observer, ...] = ()
    clock: Clock = field(default_factory=SystemClock)
    new_uid: Callable[[], str] = new_uid


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
            tracing = await around.enter_async_context(_traced(settings.tracing))
        server = await around.enter_async_context(_running(settings, metrics, tracing))
        yield replace(server, metrics=address)


def _traced(settings: TracingSettings) -> AbstractAsyncContextManager[Tracing]:
    try:
        from execsvc.tracing.tracing import traced

        return traced(settings)
    except ModuleNotFoundError as error:
        raise TracingUnusable(MISSING) from error


@asynccontextmanager
async def _running(settings: Settings, metrics: Metrics | None, tracing: Tracing | None) -> AsyncIterator[Running]:
    limits = Limits(
        concurrent=settings.max_concurrent,
        queued=settings.max_queued,
        default_timeout=settings.default_timeout,
        timeout=settings.max_timeout,
    )
    clock = settings.clock
    secrets, redaction = make_secrets(settings.secrets, DEFAULT_NAMESPACE), Redaction(settings.redact)
    if settings.secrets:
        _leave_no_core()
    taken_over = asyncio.Event()
    egress = Egress(settings.egress, trusted=operator_hosts(os.environ))
    store = await _open_store(settings, _store_observer(metrics, tracing), taken_over.set)
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
            in_doubt=_in_doubt(store),
            secrets=secrets,
            redaction=redaction,
            tracing=tracing,
        )
        queue = _queue(settings, store, engine, metrics)
        if metrics is not None:
            metrics.watch(
                slots=settings.max_concurrent,
                running=lambda: queue.running,
                waiting=lambda: queue.waiting,
                backlog=lambda: store.backlog,
            )
        store.listen(changes.publish)
        elsewhere = _elsewhere(store, changes, engine)
        identities = _identities(settings, store)
        services = _services(settings, store, queue, engine, changes, elsewhere, limits, egress, secrets, tracing)
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


def _store_observer(metrics: Metrics | None, tracing: Tracing | None) -> StoreObserver | None:
    if metrics is None or tracing is None:
        return metrics or tracing
    return StoreObservers(metrics, tracing)


async def _open_store(settings: Settings, observer: StoreObserver | None, taken_over: Callable[[], None]) -> Store:
    if settings.postgres is None:
        return await SqliteStore.open(settings.database, observer)
    try:
        from execsvc.store.postgres import PostgresStore
    except ModuleNotFoundError as error:
        why = "Postgres needs packages that are not installed: pip install 'execsvc[postgres]'"
        raise StorageUnavailable(why) from error
    return await PostgresStore.open(settings.postgres, observer, taken_over=taken_over)


def _leave_no_core() -> None:
    """Keep the system from writing this process's memory to a file when it crashes: the values are in there."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))


def _identities(settings: Settings, store: Store) -> Identities | None:
    if settings.auth == "none":
        return None
    provider = certificates = None
    if settings.jwt is not None:
        with _installed("JSON Web Tokens", "jwt"):
            from execsvc.service.jwts import Jwts

        provider = Jwts(settings.jwt)
    if settings.tls_clients is not None:
        with _installed("certificates of clients", "mtls"):
            from execsvc.service.certified import Certified

        certificates = Certified(settings.tls_clients, settings.clock)
    return Identities(tokens=store.tokens, clock=settings.clock, provider=provider, certificates=certificates)


@contextlib.contextmanager
def _installed(what: str, extra: str) -> Iterator[None]:
    try:
        yield
    except ModuleNotFoundError as error:
        why = f"{what} need packages that are not installed: pip install 'execsvc[{extra}]'"
        raise IdentityUnusable(why) from error


def _queue(settings: Settings, store: Store, engine: Engine, metrics: Metrics | None) -> Queue:
    clock = settings.clock
    run, slots, capacity = engine.run, settings.max_concurrent, settings.max_queued
    key_limits = KeyLimits(default=settings.key_limit, overrides=settings.key_limits)
    owner = f"{socket.gethostname()}/{os.getpid()}"
    waited = None if metrics is None else metrics.waited
    if store.members is None:
        return EmbeddedQueue(
            store=store,
            clock=clock,
            run=run,
            slots=slots,
            key_limits=key_limits,
            capacity=capacity,
            owner=owner,
            waited=waited,
            namespaces=settings.namespaces,
        )
    return DistributedQueue(
        store=store,
        members=store.members,
        clock=clock,
        run=run,
        slots=slots,
        key_limits=key_limits,
        capacity=capacity,
        owner=owner,
        waited=waited,
        namespaces=settings.namespaces,
    )


def _in_doubt(store: Store) -> Callable[[], bool]:
    members = store.members
    return (lambda: False) if members is None else lambda: members.in_doubt


def _elsewhere(store: Store, changes: Changes, engine: Engine) -> Elsewhere | None:
    if store.members is None:
        return None
    return Elsewhere(store=store, members=store.members, changes=changes, engine=engine)


@contextlib.contextmanager
def _private_socket() -> Iterator[str]:
    """Name a socket in a folder that nobody but this user may enter."""
    with tempfile.TemporaryDirectory(prefix="execsvc-") as folder:
        yield f"unix:{folder}/rpc.sock"


def _services(
    settings: Settings,
    store: Store,
    queue: Queue,
    engine: Engine,
    changes: Changes,
    elsewhere: Elsewhere | None,
    limits: Limits,
    egress: Egress,
    secrets: Secrets,
    tracing: Tracing | None,
) -> Services:
    clock = settings.clock
    audited = settings.auth == "token" if settings.audit is None else settings.audit == "on"
    workflows = Workflows(
        store=store, clock=clock, types=settings.node_types, egress=egress, audited=audited, secrets=secrets
    )
    return Services(
        executions=Executions(
            store=store,
            queue=queue,
            engine=engine,
            workflows=workflows,
            clock=clock,
            limits=limits,
            new_uid=settings.new_uid,
            quotas=Quotas(store=store, namespaces=settings.namespaces),
            audited=audited,
            origin=None if tracing is None else tracing.origin,
        ),
        control=Control(
            store=store,
            queue=queue,
            engine=engine,
            workflows=workflows,
            clock=clock,
            limits=limits,
            elsewhere=elsewhere,
            audited=audited,
        ),
        logs=Logs(store=store, changes=changes, heartbeat=settings.heartbeat),
        watcher=Watcher(store=store, changes=changes, heartbeat=settings.heartbeat),
        history=History(store=store, clock=clock, audited=audited),
        workflows=workflows,
    )


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
        pruning.cancel()
        await asyncio.gather(pruning, return_exceptions=True)


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
