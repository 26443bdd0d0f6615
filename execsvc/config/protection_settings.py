"""Settings of servers that say who may call them: TLS, tokens, certificates."""

from __future__ import annotations

from typing import Final

from execsvc.config.setting import Setting

OF_PROTECTION: Final = (
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
)
