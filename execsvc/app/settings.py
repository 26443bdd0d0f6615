"""What a server needs to know."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from execsvc.certificates import CertificateFiles
from execsvc.clock import Clock, SystemClock, new_uid
from execsvc.config.secret_places import SecretPlace
from execsvc.definition import BUILTIN, NodeTypes
from execsvc.engine import Executors, Observer, builtin_executors
from execsvc.model import UNLIMITED, Namespaces
from execsvc.rpc import Guard
from execsvc.service import JwtRules
from execsvc.store import PostgresDatabase
from execsvc.tracing import TracingSettings


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
    #: Executions that run at once; with 0 nothing runs, and what is there can be looked at and stopped.
    max_concurrent: int = 100
    #: Executions that may wait for a slot.
    max_queued: int = 10_000
    #: Bytes of JSON text that the results of an execution's nodes may have together.
    max_results: int = 64 * 1024 * 1024
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
