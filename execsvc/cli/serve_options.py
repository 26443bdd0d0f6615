"""The options of ``serve``: each a setting, with its flag."""

from __future__ import annotations

from typing import Annotated

from execsvc.cli.options import AuthMode, Level, OnOff, setting_option
from execsvc.cli.server_log import LogFormat

Address = Annotated[str | None, setting_option("address")]
Database = Annotated[str | None, setting_option("db")]
PostgresUrl = Annotated[str | None, setting_option("store")]
PostgresDirectUrl = Annotated[str | None, setting_option("store_direct")]
PostgresConnections = Annotated[str | None, setting_option("store_connections")]
MaxConcurrent = Annotated[str | None, setting_option("max_concurrent")]
MaxQueued = Annotated[str | None, setting_option("max_queued")]
OperatorAddress = Annotated[str | None, setting_option("operator_address")]
MaxCalls = Annotated[str | None, setting_option("max_calls")]
MaxStreams = Annotated[str | None, setting_option("max_streams")]
MaxConnectionStreams = Annotated[str | None, setting_option("max_connection_streams")]
MaxConnections = Annotated[str | None, setting_option("max_connections")]
KeyLimit = Annotated[list[str] | None, setting_option("key_limit")]
DefaultTimeout = Annotated[str | None, setting_option("default_timeout")]
MaxTimeout = Annotated[str | None, setting_option("max_timeout")]
Retention = Annotated[str | None, setting_option("retention")]
AuditSwitch = Annotated[OnOff | None, setting_option("audit", case_sensitive=False)]
AuditRetention = Annotated[str | None, setting_option("audit_retention")]
ServerPlugins = Annotated[list[str] | None, setting_option("plugin")]
Egress = Annotated[list[str] | None, setting_option("egress")]
Grace = Annotated[str | None, setting_option("grace")]
Heartbeat = Annotated[str | None, setting_option("heartbeat")]
MetricsAddress = Annotated[str | None, setting_option("metrics")]
Http = Annotated[str | None, setting_option("http")]
Cors = Annotated[list[str] | None, setting_option("cors")]
MaxBody = Annotated[str | None, setting_option("max_body")]
TlsCert = Annotated[str | None, setting_option("tls_cert")]
TlsKey = Annotated[str | None, setting_option("tls_key")]
TlsClientCa = Annotated[str | None, setting_option("tls_client_ca")]
TlsClients = Annotated[str | None, setting_option("tls_clients")]
Auth = Annotated[AuthMode | None, setting_option("auth", case_sensitive=False)]
JwtIssuer = Annotated[str | None, setting_option("jwt_issuer")]
JwtAudience = Annotated[str | None, setting_option("jwt_audience")]
JwtKeys = Annotated[str | None, setting_option("jwt_keys")]
JwtLeeway = Annotated[str | None, setting_option("jwt_leeway")]
JwtNamespaceClaim = Annotated[str | None, setting_option("jwt_namespace_claim")]
JwtRoleClaim = Annotated[str | None, setting_option("jwt_role_claim")]
Insecure = Annotated[bool, setting_option("insecure")]
LogLevel = Annotated[Level | None, setting_option("log_level", case_sensitive=False)]
LogFormatOption = Annotated[LogFormat | None, setting_option("log_format", case_sensitive=False)]
