"""Makes the parts of a server as its settings say: which store, which queue, who is known, and the services."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from typing import TYPE_CHECKING, Any

from execsvc.app.settings import Settings
from execsvc.egress import Egress
from execsvc.engine import Engine
from execsvc.errors import IdentityUnusable, StorageUnavailable, TracingUnusable
from execsvc.metrics import Metrics
from execsvc.queue import DistributedQueue, EmbeddedQueue, KeyLimits, Queue
from execsvc.secrets import Secrets
from execsvc.service import (
    Changes,
    Control,
    Elsewhere,
    Executions,
    History,
    Identities,
    Limits,
    Logs,
    Quotas,
    Services,
    Watcher,
    Workflows,
)
from execsvc.store import SqliteStore, Store, StoreObserver, StoreObservers
from execsvc.tracing import MISSING, TracingSettings

if TYPE_CHECKING:
    from execsvc.tracing.tracing import Tracing


def store_observer(metrics: Metrics | None, tracing: Tracing | None) -> StoreObserver | None:
    """Give who is told of commits; None: nobody is."""
    if metrics is None or tracing is None:
        return metrics or tracing
    return StoreObservers(metrics, tracing)


async def open_store(settings: Settings, observer: StoreObserver | None, taken_over: Callable[[], None]) -> Store:
    """Open the database. Raises DatabaseLocked and StorageUnavailable."""
    if settings.postgres is None:
        return await SqliteStore.open(settings.database, observer)
    try:
        from execsvc.store.postgres import PostgresStore
    except ModuleNotFoundError as error:
        why = "Postgres needs packages that are not installed: pip install 'execsvc[postgres]'"
        raise StorageUnavailable(why) from error
    return await PostgresStore.open(settings.postgres, observer, taken_over=taken_over)


def identities_of(settings: Settings, store: Store) -> Identities | None:
    """Give who is known; None: nobody is asked. Raises IdentityUnusable."""
    if settings.auth == "none":
        return None
    provider = certificates = None
    if settings.jwt is not None:
        try:
            from execsvc.service.jwts import Jwts
        except ModuleNotFoundError as error:
            why = "JSON Web Tokens need packages that are not installed: pip install 'execsvc[jwt]'"
            raise IdentityUnusable(why) from error
        provider = Jwts(settings.jwt)
    if settings.tls_clients is not None:
        # Heavy, and needed for this alone.
        from execsvc.service.certified import Certified

        certificates = Certified(settings.tls_clients, settings.clock)
    return Identities(tokens=store.tokens, clock=settings.clock, provider=provider, certificates=certificates)


def queue_of(settings: Settings, store: Store, engine: Engine, metrics: Metrics | None) -> Queue:
    """Make the queue: of this process, or shared by all that use the database."""
    shared: dict[str, Any] = {
        "store": store,
        "clock": settings.clock,
        "run": engine.run,
        "slots": settings.max_concurrent,
        "key_limits": KeyLimits(default=settings.key_limit, overrides=settings.key_limits),
        "capacity": settings.max_queued,
        "owner": f"{socket.gethostname()}/{os.getpid()}",
        "waited": None if metrics is None else metrics.waited,
        "namespaces": settings.namespaces,
    }
    if store.members is None:
        return EmbeddedQueue(**shared)
    return DistributedQueue(members=store.members, **shared)


def in_doubt_of(store: Store) -> Callable[[], bool]:
    """Give what says whether other servers may have taken our executions over."""
    members = store.members
    return (lambda: False) if members is None else lambda: members.in_doubt


def elsewhere_of(store: Store, changes: Changes, engine: Engine) -> Elsewhere | None:
    """Make what listens to other servers; None: there can be none."""
    if store.members is None:
        return None
    return Elsewhere(store=store, members=store.members, changes=changes, engine=engine)


def services_of(
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
    """Make the services."""
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


def traced_by(settings: TracingSettings) -> AbstractAsyncContextManager[Tracing]:
    """Give tracing, for as long as the context lasts. Raises TracingUnusable."""
    try:
        from execsvc.tracing.tracing import traced

        return traced(settings)
    except ModuleNotFoundError as error:
        raise TracingUnusable(MISSING) from error
