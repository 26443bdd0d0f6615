"""Every setting: its name, what it means, and its value where nobody says another."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

#: Names the file of settings.
CONFIG_VARIABLE: Final = "EXECSVC_CONFIG"
#: The file of settings in the current directory, read if it is there.
DEFAULT_FILE: Final = "execsvc.toml"
#: Where servers listen, and commands look for one.
DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
_PREFIX: Final = "EXECSVC_"
#: Variables that begin so are no settings but secrets of workflows, where ``secrets`` says so.
SECRET_PREFIX: Final = "EXECSVC_SECRET_"


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """One setting, by the same name as flag, as environment variable and in the file."""

    #: As in the file; the flag has - for _.
    name: str
    #: The value where nobody says another; None where that means that there is none.
    default: str | int | float | None
    #: Stands for the value in help.
    metavar: str
    #: What it means, one line.
    description: str
    #: What a value must be, with an example; follows "… is not".
    expects: str
    #: A value as the file has it, in TOML.
    example: str
    #: What there is without it, where ``default`` is None.
    otherwise: str = ""
    #: Whether it may be given several times.
    repeated: bool = False
    #: Whether its value is never shown.
    secret: bool = False
    #: Whether there is a flag: everybody on a machine may see the flags of its processes.
    by_flag: bool = True

    @property
    def flag(self) -> str:
        """The flag on the command line."""
        return "--" + self.name.replace("_", "-")

    @property
    def variable(self) -> str:
        """The environment variable."""
        return _PREFIX + self.name.upper()

    @property
    def help(self) -> str:
        """The text of the flag's help."""
        default = f" \\[default: {self.default}]" if self.default not in (None, False) else ""
        return f"{self.description}{' May be repeated.' if self.repeated else ''} \\[env: {self.variable}]{default}"


_SPAN: Final = "a span of time, as in 90s, 15m, 2h or 30d"
_COUNT: Final = "a whole number of 1 or more, as in"

_ALL: Final = (
    Setting(
        name="address",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        description="Where the server listens; port 0 takes a free one.",
        expects=f"HOST:PORT, as in {DEFAULT_ADDRESS}; port 0 takes a free one",
        example='"127.0.0.1:50052"',
    ),
    Setting(
        name="db",
        default="execsvc.db",
        metavar="FILE",
        description="The SQLite database; made if missing.",
        expects="the path of a file, as in execsvc.db",
        example='"/var/lib/execsvc/execsvc.db"',
    ),
    Setting(
        name="store",
        default=None,
        metavar="URL",
        description="A Postgres database in place of the SQLite one.",
        expects="a URL of Postgres, as in postgresql://user:password@host:5432/execsvc",
        example='"postgresql://execsvc@db.internal/execsvc"',
        otherwise="the file of db",
        secret=True,
    ),
    Setting(
        name="store_direct",
        default=None,
        metavar="URL",
        description="The same database past the transaction-pooling proxy that store names.",
        expects="a URL of Postgres, as in postgresql://user:password@host:5432/execsvc",
        example='"postgresql://execsvc@postgres.internal/execsvc"',
        otherwise="store names Postgres itself",
        secret=True,
    ),
    Setting(
        name="store_connections",
        default=6,
        metavar="N",
        description="Connections to Postgres that the server opens at most.",
        expects="a whole number of 3 or more, as in 6",
        example="10",
    ),
    Setting(
        name="max_concurrent",
        default=100,
        metavar="N",
        description="Executions that run at once; the others wait.",
        expects=f"{_COUNT} 100",
        example="200",
    ),
    Setting(
        name="max_queued",
        default=10_000,
        metavar="N",
        description="Executions that may wait; more are told to come later.",
        expects=f"{_COUNT} 10000",
        example="50000",
    ),
    Setting(
        name="operator_address",
        default=None,
        metavar="HOST:PORT",
        description="Another address of the same API, for operators: no crowd at the first one holds it up.",
        expects="HOST:PORT, as in 127.0.0.1:50061; port 0 takes a free one",
        example='"127.0.0.1:50061"',
        otherwise="none",
    ),
    Setting(
        name="max_calls",
        default=256,
        metavar="N",
        description="Calls of a kind that are worked on at once at most; others wait, or are told to come later.",
        expects=f"{_COUNT} 256",
        example="512",
    ),
    Setting(
        name="max_streams",
        default=2_000,
        metavar="N",
        description="Streams of logs and snapshots that are open at once; more are told to come later.",
        expects=f"{_COUNT} 2000",
        example="5000",
    ),
    Setting(
        name="max_connection_streams",
        default=1_000,
        metavar="N",
        description="Calls and streams of one connection at once; more wait in the client.",
        expects=f"{_COUNT} 1000",
        example="200",
    ),
    Setting(
        name="max_connections",
        default=10_000,
        metavar="N",
        description="Connections that are open at once; more are cut off.",
        expects=f"{_COUNT} 10000",
        example="2000",
    ),
    Setting(
        name="key_limit",
        default=None,
        metavar="[KEY=]N",
        description="Executions with the same concurrency key that run at once, or with this one.",
        expects="a number from 1, KEY=NUMBER, or several of them, as in 4 gpu=1",
        example='[4, "gpu=1"]',
        otherwise="no limit",
        repeated=True,
    ),
    Setting(
        name="namespaces",
        default=None,
        metavar="",
        description="What each namespace may use: slots, queued, stored, rate, retention; a table in the file.",
        expects='a table by namespace, as in [namespaces.billing] with slots = 10, or {"billing": {"slots": 10}}',
        example='{ billing = { slots = 10, rate = 50 }, "*" = { stored = 100000 } }',
        otherwise="all there is",
        by_flag=False,
    ),
    Setting(
        name="default_timeout",
        default=None,
        metavar="SPAN",
        description="Longest an execution may run that names no timeout: 90s, 15m, 2h.",
        expects=_SPAN,
        example='"15m"',
        otherwise="as max_timeout",
    ),
    Setting(
        name="max_timeout",
        default=None,
        metavar="SPAN",
        description="Longest timeout an execution may name.",
        expects=_SPAN,
        example='"2h"',
        otherwise="no limit",
    ),
    Setting(
        name="retention",
        default=None,
        metavar="SPAN",
        description="How long executions are kept after their end: 12h, 30d, 8w.",
        expects=_SPAN,
        example='"30d"',
        otherwise="for ever",
    ),
    Setting(
        name="audit",
        default=None,
        metavar="on|off",
        description="Whether each change is recorded in the audit trail, with who made it.",
        expects="on or off",
        example='"on"',
        otherwise="on with --auth token",
    ),
    Setting(
        name="audit_retention",
        default=None,
        metavar="SPAN",
        description="How long records of the audit trail are kept: 90d, 52w.",
        expects=_SPAN,
        example='"365d"',
        otherwise="for ever",
    ),
    Setting(
        name="plugin",
        default=None,
        metavar="NAME",
        description="Node type of an installed package (entry point in execsvc.nodes).",
        expects="the name of an entry point in execsvc.nodes, or several of them",
        example='["word_count"]',
        otherwise="none",
        repeated=True,
    ),
    Setting(
        name="secrets",
        default=None,
        metavar="PLACE",
        description="Where secrets come from that workflows may name: env:PREFIX_, dir:PATH or plugin:NAME.",
        expects="env:PREFIX_, dir:PATH or plugin:NAME, as in env:EXECSVC_SECRET_, or several of them",
        example='["env:EXECSVC_SECRET_", "dir:/run/secrets/execsvc"]',
        otherwise="none",
        repeated=True,
    ),
    Setting(
        name="redact",
        default=None,
        metavar="KEY",
        description="Key whose values in inputs, results and logs nobody is shown; * stands for any characters.",
        expects="the name of a key, as in password or *_token, or several of them",
        example='["password", "*_token"]',
        otherwise="none",
        repeated=True,
    ),
    Setting(
        name="egress",
        default=None,
        metavar="HOST",
        description="Host that nodes may call where a workflow names it: HOST[:PORT], a network, or * for public ones.",
        expects="a host, as in api.example, localhost:11434, https://api.example, *.corp.example, 10.1.0.0/16 or *",
        example='["*", "localhost:11434"]',
        otherwise="any public one",
        repeated=True,
    ),
    Setting(
        name="grace",
        default=10,
        metavar="SECONDS",
        description="How long nodes may go on when the server stops.",
        expects="a number of seconds from 0, or a span of time, as in 10 or 1m",
        example="30",
    ),
    Setting(
        name="heartbeat",
        default=5,
        metavar="SECONDS",
        description="Silence after which a stream of logs or snapshots says that it lives.",
        expects="a number of seconds above 0, or a span of time, as in 5 or 500ms",
        example="5",
    ),
    Setting(
        name="metrics",
        default=None,
        metavar="[HOST:]PORT",
        description="Serve metrics to Prometheus over HTTP there; without HOST on this machine alone.",
        expects=f"HOST:PORT or a port, as in 9464 or {DEFAULT_ADDRESS.partition(':')[0]}:9464; port 0 takes a free one",
        example="9464",
        otherwise="none",
    ),
    Setting(
        name="tracing",
        default=None,
        metavar="URL",
        description="Send traces to this OpenTelemetry collector; off: to none, whatever OTEL_ variables say.",
        expects="the http:// or https:// URL of a collector, without a password, as in http://localhost:4317, or off",
        example='"http://localhost:4317"',
        otherwise="as the OTEL_ variables say",
    ),
    Setting(
        name="http",
        default=None,
        metavar="[HOST:]PORT",
        description="Serve the HTTP API there as well, docs at /docs; without HOST on this machine alone.",
        expects="HOST:PORT or a port, as in 8000 or 127.0.0.1:8000; port 0 takes a free one",
        example="8000",
        otherwise="none",
    ),
    Setting(
        name="cors",
        default=None,
        metavar="ORIGIN",
        description="Pages of this origin may call the HTTP API; * lets any.",
        expects="an origin, as in https://app.example or http://localhost:3000, or several of them",
        example='["https://app.example"]',
        otherwise="none",
        repeated=True,
    ),
    Setting(
        name="max_body",
        default=8 * 1024 * 1024,
        metavar="BYTES",
        description="Largest body of an HTTP request.",
        expects="a whole number of bytes, 1024 or more, as in 8388608",
        example="16777216",
    ),
    Setting(
        name="tls_cert",
        default=None,
        metavar="FILE",
        description="Certificate of the server in PEM, for gRPC and HTTP; read anew when it changes.",
        expects="the path of a file, as in tls.crt",
        example='"/etc/execsvc/tls.crt"',
        otherwise="no TLS",
    ),
    Setting(
        name="tls_key",
        default=None,
        metavar="FILE",
        description="Private key of that certificate.",
        expects="the path of a file, as in tls.key",
        example='"/etc/execsvc/tls.key"',
        otherwise="no TLS",
    ),
    Setting(
        name="tls_client_ca",
        default=None,
        metavar="FILE",
        description="Authorities of clients: who has no certificate of theirs is not let in.",
        expects="the path of a file, as in clients.crt",
        example='"/etc/execsvc/clients.crt"',
        otherwise="clients need none",
    ),
    Setting(
        name="tls_clients",
        default=None,
        metavar="FILE",
        description="Who callers are by their certificates, with --auth token; read anew when it changes.",
        expects="the path of a file, as in clients.toml",
        example='"/etc/execsvc/clients.toml"',
        otherwise="nobody is known by a certificate",
    ),
    Setting(
        name="auth",
        default="none",
        metavar="MODE",
        description="Who must say who they are: none, or token for everybody.",
        expects="none or token",
        example='"token"',
    ),
    Setting(
        name="jwt_issuer",
        default=None,
        metavar="ISSUER",
        description="Take JSON Web Tokens of this issuer as well, with --auth token.",
        expects="what the tokens have as iss, as in https://login.example",
        example='"https://login.example"',
        otherwise="none are taken",
    ),
    Setting(
        name="jwt_audience",
        default=None,
        metavar="AUDIENCE",
        description="What they must have as audience: the name of this server.",
        expects="what the tokens have as aud, as in execsvc",
        example='"execsvc"',
        otherwise="none are taken",
    ),
    Setting(
        name="jwt_keys",
        default=None,
        metavar="FILE|URL",
        description="Public keys of the issuer, a JSON Web Key Set; read anew when it changes.",
        expects="the path of a file, or a URL with https, as in https://login.example/jwks.json",
        example='"https://login.example/jwks.json"',
        otherwise="none are taken",
    ),
    Setting(
        name="jwt_leeway",
        default=30,
        metavar="SECONDS",
        description="How much the issuer's clock may differ.",
        expects="a number of seconds from 0, or a span of time, as in 30 or 1m",
        example="10",
    ),
    Setting(
        name="jwt_namespace_claim",
        default="namespace",
        metavar="CLAIM",
        description="The claim that names the namespace.",
        expects="the name of a claim, as in namespace",
        example='"https://execsvc/namespace"',
    ),
    Setting(
        name="jwt_role_claim",
        default="role",
        metavar="CLAIM",
        description="The claim that names the role, or several of which the highest counts.",
        expects="the name of a claim, as in role",
        example='"roles"',
    ),
    Setting(
        name="insecure",
        default=False,
        metavar="",
        description="Listen beyond this machine without TLS.",
        expects="true or false",
        example="true",
    ),
    Setting(
        name="log_level",
        default="info",
        metavar="[LOGGER=]LEVEL",
        description="Of the server's own log, or of a part of it: debug, info, warning or error.",
        expects="debug, info, warning or error, or LOGGER=LEVEL, or several of them, as in warning execsvc.rpc=debug",
        example='["warning", "execsvc.rpc=debug"]',
        repeated=True,
    ),
    Setting(
        name="log_format",
        default="plain",
        metavar="FORMAT",
        description="Of the server's own log on stderr: plain or json.",
        expects="plain or json",
        example='"json"',
    ),
    Setting(
        name="target",
        default=DEFAULT_ADDRESS,
        metavar="HOST:PORT",
        description="The server that commands talk to.",
        expects=f"HOST:PORT, as in {DEFAULT_ADDRESS}, or another gRPC target, as unix:/run/execsvc.sock",
        example='"execsvc.internal:50051"',
    ),
    Setting(
        name="tls",
        default=False,
        metavar="",
        description="Talk to the server over TLS; so does --ca.",
        expects="true or false",
        example="true",
    ),
    Setting(
        name="ca",
        default=None,
        metavar="FILE",
        description="Authorities to trust, in PEM, instead of the public ones.",
        expects="the path of a file, as in ca.crt",
        example='"/etc/execsvc/ca.crt"',
        otherwise="public authorities",
    ),
    Setting(
        name="cert",
        default=None,
        metavar="FILE",
        description="Our certificate in PEM, for servers that ask for one.",
        expects="the path of a file, as in client.crt",
        example='"/etc/execsvc/client.crt"',
        otherwise="none",
    ),
    Setting(
        name="key",
        default=None,
        metavar="FILE",
        description="Private key of our certificate.",
        expects="the path of a file, as in client.key",
        example='"/etc/execsvc/client.key"',
        otherwise="none",
    ),
    Setting(
        name="token",
        default=None,
        metavar="TOKEN",
        description="API token to show to the server.",
        expects="an API token, one word of ASCII, as in exs_abcdefghijkl_0123456789",
        example='"exs_abcdefghijkl_0123456789"',
        otherwise="none",
        secret=True,
        by_flag=False,
    ),
    Setting(
        name="call_timeout",
        default=30,
        metavar="SECONDS",
        description="How long one call to the server may take, repeats included; what follows or waits has no limit.",
        expects="a number of seconds above 0, or a span of time, as in 30 or 2m",
        example="30",
    ),
    Setting(
        name="model",
        default=None,
        metavar="PROVIDER:MODEL",
        description="The model for llm nodes that name the offline one, echo:.",
        expects='of the form "provider:model", as in "openai:gpt-4o-mini"',
        example='"openai:gpt-4o-mini"',
        otherwise="echo: stays",
    ),
)

#: Every setting by its name.
SETTINGS: Final[Mapping[str, Setting]] = MappingProxyType({setting.name: setting for setting in _ALL})
