"""The settings as pydantic-settings reads them: a model for the server, and one for commands that talk to it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field, PlainSerializer, PlainValidator, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, PydanticBaseSettingsSource, SettingsConfigDict

from execsvc.config.log_levels import LogLevels, parse_log_levels
from execsvc.config.namespaces import Namespaces, parse_namespaces, written
from execsvc.config.secret_places import SecretPlace, parse_secret_places
from execsvc.config.spans import parse_span, span_text
from execsvc.config.table import SETTINGS
from execsvc.egress import parse_rule


def _default(name: str) -> Any:
    return Field(default=SETTINGS[name].default, description=SETTINGS[name].description)


def _number(value: Any) -> Any:
    # True is 1 to Python, not to whoever wrote the file.
    if isinstance(value, bool):
        raise ValueError
    return value


def _span(value: Any) -> int:
    return parse_span(str(_number(value)))


def _seconds(value: Any) -> float:
    if isinstance(value, int | float):
        return float(_number(value))
    try:
        return float(_text(value))
    except ValueError:
        return parse_span(_text(value), least=0) / 1_000_000


def _text(value: Any) -> str:
    if not isinstance(value, str) or not value or "\0" in value:
        raise ValueError
    return value


def _address(value: Any) -> str:
    host, colon, port = _text(value).rpartition(":")
    if not (colon and host and port.isascii() and port.isdigit() and int(port) < 65536):
        raise ValueError
    return f"{host}:{port}"


def _listens(value: Any) -> str | None:
    text = "" if value is None else str(_number(value))
    if not text:
        return None
    return _address(f"127.0.0.1:{text}" if ":" not in text else text)


def _collector(value: Any) -> str | None:
    if value is None or _text(value).lower() == "off":
        return None if value is None else "off"
    url = urlsplit(str(value))
    # A port that is none raises.
    if url.scheme not in ("http", "https") or not url.hostname or url.username or url.port == 0:
        raise ValueError
    return str(value)


def _path(value: Any) -> Path:
    return value if isinstance(value, Path) and value.name else Path(_text(value))


def _postgres_url(value: Any) -> str | None:
    if value is None:
        return None
    scheme, colon, rest = _text(value).partition("://")
    if scheme not in ("postgresql", "postgres") or not colon or not rest:
        raise ValueError
    return str(value)


def _switch(value: Any) -> Any:
    # Of a variable's text and of the file alike; pydantic would take 1, "on" and "y" as well.
    switches = {"true": True, "false": False}
    if isinstance(value, str):
        value = switches.get(value.lower())
    if not isinstance(value, bool):
        raise ValueError
    return value


def _names(value: Any) -> Any:
    return tuple(value.split()) if isinstance(value, str) else value


def _key(value: Any) -> str:
    # Of nothing but signs it would match whatever has none, and of stars alone all.
    if not any(character.isascii() and character.isalnum() for character in _text(value)):
        raise ValueError
    return str(value)


def _origin(value: Any) -> str:
    origin = _text(value).rstrip("/")
    scheme, colon, host = origin.partition("://")
    if origin != "*" and not (colon and host and scheme in ("http", "https") and "/" not in host):
        raise ValueError
    return origin


def _egress(value: Any) -> str:
    parse_rule(_text(value))
    return str(value)


def _target(value: Any) -> str:
    # Whatever gRPC takes: unix:/run/execsvc.sock, dns:///host:port. Without a port it would look at 443.
    if ":" not in _text(value).strip(":"):
        raise ValueError
    return str(value)


def _keys(value: Any) -> str | None:
    if value is None:
        return None
    url = urlsplit(_text(value))
    # Over plain HTTP anybody on the way could put keys of their own there.
    if url.scheme == "http" and url.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ValueError
    return str(value)


def _credential(value: Any) -> str | None:
    # What is no header would fail in gRPC, with the value in the error.
    if value is not None and not all("!" <= character <= "~" for character in _text(value)):
        raise ValueError
    return None if value is None else str(value)


def _model(value: Any) -> str | None:
    if value is None:
        return None
    provider, _, name = _text(value).partition(":")
    if not provider or (not name and provider != "echo"):
        raise ValueError
    return str(value)


def _lower(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyLimits:
    """How many executions with the same concurrency key run at once."""

    #: For keys without one of their own; None: no limit.
    default: int | None = None
    by_key: dict[str, int] = field(default_factory=dict)


def parse_key_limits(value: Any) -> KeyLimits:
    """Read ``N`` and ``KEY=N``: one, several with spaces between, or a list.

    Raises:
        ValueError: one of them makes no sense, or comes twice; the text says which.
    """
    default: int | None = None
    by_key: dict[str, int] = {}
    for option in _key_limits(value):
        key, sign, number = option.rpartition("=")
        if not (number.isascii() and number.isdigit() and int(number)) or (sign and not key):
            raise ValueError(f"{option!r} is neither a number from 1 nor KEY=NUMBER, as in gpu=2")
        if key in by_key or (not key and default is not None):
            raise ValueError(f"{option!r} is the second limit for {f'key {key!r}' if key else 'every key'}")
        if key:
            by_key[key] = int(number)
        else:
            default = int(number)
    return KeyLimits(default=default, by_key=by_key)


def _key_limits(value: Any) -> Iterable[str]:
    if value is None:
        return ()
    if isinstance(value, KeyLimits):
        return _written(value)
    if isinstance(value, str):
        return value.split()
    return [str(_number(item)) for item in (value if isinstance(value, list | tuple) else [value])]


def _written(limits: KeyLimits) -> list[str]:
    default = [] if limits.default is None else [str(limits.default)]
    return default + [f"{key}={limit}" for key, limit in limits.by_key.items()]


Count = Annotated[int, BeforeValidator(_number), Field(ge=1)]
#: Microseconds.
Span = Annotated[int, BeforeValidator(_span), PlainSerializer(span_text)]
Seconds = Annotated[float, BeforeValidator(_seconds), Field(ge=0, allow_inf_nan=False)]
Address = Annotated[str, BeforeValidator(_address)]
Switch = Annotated[bool, BeforeValidator(_switch)]
File = Annotated[Path | None, BeforeValidator(lambda value: None if value is None else _path(value))]
Text = Annotated[str | None, BeforeValidator(lambda value: None if value is None else _text(value))]
Names = Annotated[tuple[Annotated[str, BeforeValidator(_text)], ...], NoDecode, BeforeValidator(_names)]


class _Settings(BaseSettings):
    """Values that ``loading`` has put together already; the field's defaults for the rest."""

    model_config = SettingsConfigDict(env_prefix="EXECSVC_", env_ignore_empty=True, extra="forbid", frozen=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read nothing besides: ``loading`` asks each source by itself, so as to know whence a value comes."""
        return (init_settings,)

    #: Names of plug-ins.
    plugin: Names = ()
    secrets: Annotated[
        tuple[SecretPlace, ...],
        NoDecode,
        PlainValidator(parse_secret_places),
        PlainSerializer(lambda places: [str(place) for place in places]),
    ] = ()
    #: Hosts that nodes may call.
    egress: Annotated[tuple[Annotated[str, BeforeValidator(_egress)], ...], NoDecode, BeforeValidator(_names)] = ()


class ServerSettings(_Settings):
    """What ``execsvc serve`` is told."""

    address: Address = _default("address")
    db: Annotated[Path, BeforeValidator(_path)] = _default("db")
    store: Annotated[str | None, BeforeValidator(_postgres_url)] = Field(None, repr=False)
    store_direct: Annotated[str | None, BeforeValidator(_postgres_url)] = Field(None, repr=False)
    store_connections: Annotated[int, BeforeValidator(_number), Field(ge=3)] = _default("store_connections")
    max_concurrent: Annotated[int, BeforeValidator(_number), Field(ge=0)] = _default("max_concurrent")
    max_queued: Count = _default("max_queued")
    max_results: Annotated[int, BeforeValidator(_number), Field(ge=1024 * 1024)] = _default("max_results")
    operator_address: Annotated[str | None, BeforeValidator(_listens)] = _default("operator_address")
    max_calls: Count = _default("max_calls")
    max_streams: Count = _default("max_streams")
    max_connection_streams: Count = _default("max_connection_streams")
    max_connections: Count = _default("max_connections")
    key_limit: Annotated[KeyLimits, NoDecode, PlainValidator(parse_key_limits), PlainSerializer(_written)] = KeyLimits()
    namespaces: Annotated[Namespaces, NoDecode, PlainValidator(parse_namespaces), PlainSerializer(written)] = {}
    default_timeout: Span | None = _default("default_timeout")
    max_timeout: Span | None = _default("max_timeout")
    retention: Span | None = _default("retention")
    redact: Annotated[tuple[Annotated[str, BeforeValidator(_key)], ...], NoDecode, BeforeValidator(_names)] = ()
    audit: Annotated[Literal["on", "off"] | None, BeforeValidator(_lower)] = _default("audit")
    audit_retention: Span | None = _default("audit_retention")
    grace: Seconds = _default("grace")
    heartbeat: Annotated[Seconds, Field(gt=0)] = _default("heartbeat")
    metrics: Annotated[str | None, BeforeValidator(_listens)] = _default("metrics")
    tracing: Annotated[str | None, BeforeValidator(_collector)] = _default("tracing")
    http: Annotated[str | None, BeforeValidator(_listens)] = _default("http")
    cors: Annotated[tuple[Annotated[str, BeforeValidator(_origin)], ...], NoDecode, BeforeValidator(_names)] = ()
    max_body: Annotated[int, BeforeValidator(_number), Field(ge=1024)] = _default("max_body")
    tls_cert: File = _default("tls_cert")
    tls_key: File = _default("tls_key")
    tls_client_ca: File = _default("tls_client_ca")
    tls_clients: File = _default("tls_clients")
    auth: Annotated[Literal["none", "token"], BeforeValidator(_lower)] = _default("auth")
    jwt_issuer: Text = _default("jwt_issuer")
    jwt_audience: Text = _default("jwt_audience")
    jwt_keys: Annotated[str | None, BeforeValidator(_keys)] = _default("jwt_keys")
    jwt_leeway: Seconds = _default("jwt_leeway")
    jwt_namespace_claim: Annotated[str, BeforeValidator(_text)] = _default("jwt_namespace_claim")
    jwt_role_claim: Annotated[str, BeforeValidator(_text)] = _default("jwt_role_claim")
    insecure: Switch = _default("insecure")
    log_level: Annotated[LogLevels, NoDecode, PlainValidator(parse_log_levels), PlainSerializer(LogLevels.written)] = (
        LogLevels()
    )
    log_format: Annotated[Literal["plain", "json"], BeforeValidator(_lower)] = _default("log_format")

    @field_validator("max_timeout")
    @classmethod
    def _not_below_the_default(cls, value: int | None, info: ValidationInfo) -> int | None:
        default = info.data.get("default_timeout")
        if value is not None and default is not None and default > value:
            raise ValueError(
                f"{span_text(value)} is shorter than default_timeout, {span_text(default)}; raise it, or lower that"
            )
        return value


class ClientSettings(_Settings):
    """What commands are told that talk to a server, or run one of their own."""

    target: Annotated[str, BeforeValidator(_target)] = _default("target")
    tls: Switch = _default("tls")
    ca: File = _default("ca")
    cert: File = _default("cert")
    key: File = _default("key")
    token: Annotated[str | None, BeforeValidator(_credential)] = Field(None, repr=False)
    call_timeout: Annotated[Seconds, Field(gt=0)] = _default("call_timeout")
    model: Annotated[str | None, BeforeValidator(_model)] = _default("model")
