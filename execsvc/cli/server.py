"""The commands around a server: serve, info and node-types."""

from __future__ import annotations

import logging
import os
import sys
import threading
from functools import partial
from typing import TYPE_CHECKING, Annotated, Final

import typer

from execsvc import __version__
from execsvc.cli.configured import postgres_database, server_settings
from execsvc.cli.connection import connected
from execsvc.cli.documents import info_document, node_type_document
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError
from execsvc.cli.gateway import GatewayBeside
from execsvc.cli.options import DEFAULT_ADDRESS, AsJson, Target
from execsvc.cli.protection import (
    certificate_files,
    clients_file,
    jwt_rules,
    listening_addresses,
    require_protection,
    warn_of_open_addresses,
)
from execsvc.cli.serve_options import (
    Address,
    AuditRetention,
    AuditSwitch,
    Auth,
    Collector,
    Cors,
    Database,
    DefaultTimeout,
    Egress,
    Grace,
    Heartbeat,
    Http,
    Insecure,
    JwtAudience,
    JwtIssuer,
    JwtKeys,
    JwtLeeway,
    JwtNamespaceClaim,
    JwtRoleClaim,
    KeyLimit,
    LogFormatOption,
    LogLevel,
    MaxBody,
    MaxCalls,
    MaxConcurrent,
    MaxConnections,
    MaxConnectionStreams,
    MaxQueued,
    MaxResults,
    MaxStreams,
    MaxTimeout,
    MetricsAddress,
    OperatorAddress,
    PostgresConnections,
    PostgresDirectUrl,
    PostgresUrl,
    Redact,
    Retention,
    SecretPlaces,
    ServerPlugins,
    TlsCert,
    TlsClientCa,
    TlsClients,
    TlsKey,
)
from execsvc.cli.tables import print_table
from execsvc.cli.text import print_json, printable

if TYPE_CHECKING:
    from execsvc.app import Running
    from execsvc.config.models import ServerSettings
    from execsvc.model import Namespaces

logger = logging.getLogger(__name__)

#: Seconds that nodes have to let go once everything else has ended.
LEAVE: Final = 2.0


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(serve)
    app.command()(info)
    app.command("node-types")(node_types)


def serve(
    address: Address = None,
    db: Database = None,
    store: PostgresUrl = None,
    store_direct: PostgresDirectUrl = None,
    store_connections: PostgresConnections = None,
    max_concurrent: MaxConcurrent = None,
    max_queued: MaxQueued = None,
    max_results: MaxResults = None,
    operator_address: OperatorAddress = None,
    max_calls: MaxCalls = None,
    max_streams: MaxStreams = None,
    max_connection_streams: MaxConnectionStreams = None,
    max_connections: MaxConnections = None,
    key_limit: KeyLimit = None,
    default_timeout: DefaultTimeout = None,
    max_timeout: MaxTimeout = None,
    retention: Retention = None,
    audit: AuditSwitch = None,
    audit_retention: AuditRetention = None,
    plugin: ServerPlugins = None,
    secrets: SecretPlaces = None,
    redact: Redact = None,
    egress: Egress = None,
    grace: Grace = None,
    heartbeat: Heartbeat = None,
    metrics: MetricsAddress = None,
    tracing: Collector = None,
    http: Http = None,
    cors: Cors = None,
    max_body: MaxBody = None,
    tls_cert: TlsCert = None,
    tls_key: TlsKey = None,
    tls_client_ca: TlsClientCa = None,
    tls_clients: TlsClients = None,
    auth: Auth = None,
    jwt_issuer: JwtIssuer = None,
    jwt_audience: JwtAudience = None,
    jwt_keys: JwtKeys = None,
    jwt_leeway: JwtLeeway = None,
    jwt_namespace_claim: JwtNamespaceClaim = None,
    jwt_role_claim: JwtRoleClaim = None,
    insecure: Insecure = False,
    log_level: LogLevel = None,
    log_format: LogFormatOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object on stdout once it serves; log in JSON.")
    ] = False,
) -> None:
    """Serve until SIGTERM or Ctrl-C. What has not ended by then goes on at the next start."""
    load = partial(
        server_settings,
        address=address,
        db=db,
        store=store,
        store_direct=store_direct,
        store_connections=store_connections,
        max_concurrent=max_concurrent,
        max_queued=max_queued,
        max_results=max_results,
        operator_address=operator_address,
        max_calls=max_calls,
        max_streams=max_streams,
        max_connection_streams=max_connection_streams,
        max_connections=max_connections,
        key_limit=key_limit or None,
        default_timeout=default_timeout,
        max_timeout=max_timeout,
        retention=retention,
        audit=audit,
        audit_retention=audit_retention,
        plugin=plugin or None,
        secrets=secrets or None,
        redact=redact or None,
        egress=egress or None,
        grace=grace,
        heartbeat=heartbeat,
        metrics=metrics,
        tracing=tracing,
        http=http,
        cors=cors or None,
        max_body=max_body,
        tls_cert=tls_cert,
        tls_key=tls_key,
        tls_client_ca=tls_client_ca,
        tls_clients=tls_clients,
        auth=auth,
        jwt_issuer=jwt_issuer,
        jwt_audience=jwt_audience,
        jwt_keys=jwt_keys,
        jwt_leeway=jwt_leeway,
        jwt_namespace_claim=jwt_namespace_claim,
        jwt_role_claim=jwt_role_claim,
        insecure=insecure or None,
        log_level=log_level or None,
        log_format=log_format,
    )
    loaded = load()
    wanted = loaded.settings
    postgres = postgres_database(loaded)
    certificates = certificate_files(wanted)
    jwt = jwt_rules(wanted)
    clients = clients_file(wanted)
    addresses = listening_addresses(wanted)
    require_protection(wanted, addresses)
    # Heavy: LangGraph and everything else a server is made of.
    from execsvc.app import Settings, run_tuned
    from execsvc.app import serve as serve_until_signal
    from execsvc.cli.server_log import ServerLog
    from execsvc.engine import load_plugins
    from execsvc.metrics import CannotListen
    from execsvc.rpc import Guard
    from execsvc.tracing import tracing_settings

    log = ServerLog(wanted.log_level, as_json=as_json or wanted.log_format == "json")
    warn_of_open_addresses(wanted, addresses)
    node_types, executors = load_plugins(wanted.plugin)
    settings = Settings(
        address=wanted.address,
        certificates=certificates,
        auth=wanted.auth,
        jwt=jwt,
        tls_clients=clients,
        metrics=wanted.metrics,
        tracing=tracing_settings(wanted.tracing, os.environ),
        database=wanted.db,
        postgres=postgres,
        operator_address=wanted.operator_address,
        guard=Guard(
            calls=wanted.max_calls,
            streams=wanted.max_streams,
            connection_streams=wanted.max_connection_streams,
            connections=wanted.max_connections,
        ),
        max_concurrent=wanted.max_concurrent,
        max_queued=wanted.max_queued,
        max_results=wanted.max_results,
        key_limit=wanted.key_limit.default,
        key_limits=wanted.key_limit.by_key,
        namespaces=_namespaces(wanted),
        default_timeout=wanted.default_timeout,
        max_timeout=wanted.max_timeout,
        retention=wanted.retention,
        audit=wanted.audit,
        audit_retention=wanted.audit_retention,
        grace=wanted.grace,
        heartbeat=wanted.heartbeat,
        secrets=wanted.secrets,
        redact=wanted.redact,
        egress=wanted.egress,
        node_types=node_types,
        executors=executors,
    )

    beside = GatewayBeside(wanted.http, cors=wanted.cors, max_body=wanted.max_body, certificates=certificates)

    def ready(server: Running) -> None:
        _tell_ready(server, beside, as_json=as_json)

    def reload() -> None:
        again = load().settings
        log.use(again.log_level, as_json=as_json or again.log_format == "json")

    async def serve_and_leave() -> None:
        with log.heeding_signals(None if loaded.file is None else reload):
            await serve_until_signal(settings, ready=ready, beside=beside)
        _leave_within(LEAVE)

    try:
        run_tuned(serve_and_leave())
    except OSError as error:
        option = beside.option_of(error) or ("--metrics" if isinstance(error, CannotListen) else "--address")
        if wanted.operator_address is not None and f" {wanted.operator_address}:" in str(error):
            option = "--operator-address"
        raise CliError(
            f"{error}; stop what listens there, or name another address with {option}",
            exit_code=ExitCode.UNAVAILABLE,
            reason="CANNOT_LISTEN",
        ) from error


def _namespaces(wanted: ServerSettings) -> Namespaces:
    from execsvc.config.namespaces import OTHERS, merged
    from execsvc.model import NamespaceLimits, Namespaces

    limits = {name: NamespaceLimits(**said) for name, said in merged(wanted.namespaces).items()}  # type: ignore[arg-type]
    return Namespaces(default=limits.pop(OTHERS, NamespaceLimits()), overrides=limits)


def _tell_ready(server: Running, beside: GatewayBeside, *, as_json: bool) -> None:
    if as_json:
        document = {"version": __version__, "address": server.address, "database": server.database}
        measured = {} if server.metrics is None else {"metrics": server.metrics}
        if server.operator_address is not None:
            measured["operator_address"] = server.operator_address
        print_json(document | measured | beside.document | {"recovered": server.recovered})
        return
    recovered = f"{server.recovered} execution{'' if server.recovered == 1 else 's'} recovered"
    measured_at = "" if server.metrics is None else f", metrics on http://{server.metrics}/metrics"
    operators = "" if server.operator_address is None else f", for operators on {server.operator_address}"
    where = f"serving on {server.address}{operators}{measured_at}{beside.told}, database {server.database}"
    line = f"execsvc {__version__} {where}, {recovered}"
    print(printable(line), file=sys.stderr, flush=True)


def _leave_within(seconds: float) -> None:
    """End the process even if nodes do not let go: one that blocks a thread or swallows its cancellation.

    The database is closed by now, so nothing they still do could be written.
    """

    def leave() -> None:
        logger.warning("nodes that do not let go are left behind")
        logging.shutdown()
        os._exit(ExitCode.OK)

    timer = threading.Timer(seconds, leave)
    timer.daemon = True
    timer.start()


def info(target: Target = DEFAULT_ADDRESS, as_json: AsJson = False) -> None:
    """Say what a server is and allows."""
    with connected(target) as client:
        found = client.server_info()
    document = info_document(found)
    if as_json:
        print_json(document)
        return
    since = "" if found.start_time is None else f", since {found.start_time.astimezone():%Y-%m-%d %H:%M:%S}"
    print(f"execsvc {found.version} at {target}{since}{', draining' if found.draining else ''}")
    print(f"capabilities {', '.join(found.capabilities)}")
    for name, value in document["limits"].items():
        print(f"{name:<22} {value:,}")


def node_types(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Show the config schema of this one.", show_default=False)
    ] = "",
    target: Target = DEFAULT_ADDRESS,
    as_json: AsJson = False,
) -> None:
    """List the node types that a server runs, plug-ins included, or show one with the schema of its config."""
    with connected(target) as client:
        found = client.node_types()
    chosen = [node_type for node_type in found if name in ("", node_type.name)]
    if not chosen:
        known = ", ".join(node_type.name for node_type in found)
        raise CliError(
            f"there is no node type {name!r} at {target}; there are {known}",
            exit_code=ExitCode.NOT_FOUND,
            reason="UNKNOWN_NODE_TYPE",
        )
    if as_json:
        print_json({"node_types": [node_type_document(node_type) for node_type in chosen]})
    elif name:
        print(chosen[0].description)
        print_json(dict(chosen[0].config_schema), pretty=True)
    else:
        rows = ((node.name, "effect" if node.effect else "pure", node.description) for node in chosen)
        print_table(("NAME", "KIND", "DESCRIPTION"), rows)
