"""Who calls: namespaces, roles, and API tokens, of which only a digest is kept."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

#: What executions belong to where nobody is asked who they are.
DEFAULT_NAMESPACE: Final = "default"
#: Names of namespaces.
NAMESPACE: Final = re.compile(r"[A-Za-z0-9_.:-]{1,128}", re.ASCII)
#: Longest name of a token.
MAX_NAME: Final = 128
#: 256 bits, which nobody guesses: a salt or a slow hash would protect them no further.
_SECRET_BYTES: Final = 32
_ID_LENGTH: Final = 12
_ALPHABET: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
#: An API token: the part that may be seen, and the secret. The first letters let scanners of leaked secrets find it.
_TOKEN: Final = re.compile(rf"(exs_[a-z0-9]{{{_ID_LENGTH}}})_([A-Za-z0-9_-]{{43}})", re.ASCII)
_ID: Final = re.compile(rf"exs_[a-z0-9]{{{_ID_LENGTH}}}", re.ASCII)


class ActorKind(StrEnum):
    """By what somebody is known."""

    #: Nobody was asked.
    ANONYMOUS = "anonymous"
    TOKEN = "token"
    JWT = "jwt"
    CERTIFICATE = "certificate"
    #: A command that works on the database itself.
    COMMAND = "command"
    #: The server, which removes what is past its retention.
    RETENTION = "retention"


class Role(StrEnum):
    """What a caller may do, least first; each may do what those before it may."""

    READER = "reader"
    OPERATOR = "operator"
    ADMIN = "admin"

    def allows(self, least: Role) -> bool:
        """Whether this role may do what takes at least the other one."""
        return _RANKS[self] >= _RANKS[least]


_RANKS = {role: rank for rank, role in enumerate(Role)}


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Somebody who calls."""

    kind: ActorKind
    #: Which credential it is, without anything secret; empty where nobody was asked for one.
    name: str
    #: What people call it; need not be unique, and may be empty.
    label: str = ""
    #: The only one that exists for them.
    namespace: str
    role: Role


#: Everybody, where nobody is asked who they are.
ANYBODY: Final = Principal(kind=ActorKind.ANONYMOUS, name="", namespace=DEFAULT_NAMESPACE, role=Role.ADMIN)


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiToken:
    """What is stored of an API token: all but its secret."""

    #: Its first part, by which it is listed and revoked: ``exs_`` and twelve letters and digits.
    token_id: str
    #: SHA-256 of the whole token, in hex.
    digest: str = field(repr=False)
    namespace: str
    role: Role
    #: What people call it; may be empty.
    name: str
    create_time: int
    #: Microseconds since the epoch, as all times; None: never.
    expire_time: int | None = None
    #: None: it was not revoked.
    revoke_time: int | None = None

    def state(self, now: int) -> str:
        """``active``, ``expired`` or ``revoked``."""
        if self.revoke_time is not None:
            return "revoked"
        return "expired" if self.expire_time is not None and self.expire_time <= now else "active"

    def opened_by(self, text: str, now: int) -> bool:
        """Whether a text is this token, and it may be used. Takes the same time whatever is wrong."""
        same = hmac.compare_digest(self.digest, digest_of(text))
        return same & (self.state(now) == "active")

    @property
    def principal(self) -> Principal:
        """Who shows it."""
        return Principal(
            kind=ActorKind.TOKEN, name=self.token_id, label=self.name, namespace=self.namespace, role=self.role
        )


def digest_of(text: str) -> str:
    """Give what is stored in the place of a token."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def token_id_of(text: str) -> str | None:
    """Give the first part of a token, or of one that was cut after it; None: it is no token of ours."""
    found = _TOKEN.fullmatch(text)
    if found is not None:
        return found[1]
    return text if _ID.fullmatch(text) else None


def new_token(
    *,
    namespace: str,
    role: Role,
    name: str,
    now: int,
    expire_time: int | None,
    random: Callable[[int], bytes] = secrets.token_bytes,
) -> tuple[str, ApiToken]:
    """Make a token: its text, which is told once and never again, and what is stored of it.

    Args:
        random: gives so many bytes that nobody can foresee.
    """
    token_id = "exs_" + "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in random(_ID_LENGTH))
    text = f"{token_id}_{_base64(random(_SECRET_BYTES))}"
    stored = ApiToken(
        token_id=token_id,
        digest=digest_of(text),
        namespace=namespace,
        role=role,
        name=name,
        create_time=now,
        expire_time=expire_time,
    )
    return text, stored


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode("ascii")
