"""Recognise callers by their certificates, as a file says who they are."""

from __future__ import annotations

import logging
import re
import tomllib
from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from execsvc.clock import Clock
from execsvc.errors import CredentialsInvalid, IdentityUnusable
from execsvc.model import Principal, Role
from execsvc.model.identity import MAX_NAME, NAMESPACE, ActorKind

logger = logging.getLogger(__name__)

#: What an entry may know a certificate by, and what that is.
SUBJECTS: Final[Mapping[str, str]] = {
    "uri": "a URI of its subject alternative names",
    "dns": "a DNS name of its subject alternative names",
    "subject": "its whole subject, as RFC 4514 writes it",
    "cn": "the common name of its subject",
}
_KEYS: Final = frozenset({*SUBJECTS, "name", "namespace", "role"})
#: Certificates that are remembered, least recently shown first out.
KNOWN: Final = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entry:
    """One of the file: whose certificates, and what they may do."""

    #: One of SUBJECTS.
    kind: str
    pattern: re.Pattern[str]
    #: None: what the certificate says.
    name: str | None
    namespace: str
    role: Role


@dataclass(frozen=True, slots=True, kw_only=True)
class _Certificate:
    """What a certificate says of whoever shows it."""

    #: By kind of SUBJECTS.
    says: Mapping[str, Sequence[str]]
    #: Microseconds since the epoch.
    not_before: int
    not_after: int

    @property
    def shown(self) -> str:
        """For logs."""
        values = [value for kind in ("uri", "dns", "subject") for value in self.says[kind]]
        return ", ".join(values) or "without a name"


@dataclass(slots=True)
class _Shown:
    certificate: _Certificate
    #: Who shows it, by the entries of ``version``; None: nobody that is known.
    principal: Principal | None
    version: object


@dataclass(slots=True)
class _Loaded:
    entries: Sequence[_Entry]
    #: What the file was like.
    version: Any = field(default=None)


class Certified:
    """Knows callers by certificates that TLS has checked already.

    Args:
        path: the file; read anew when it changes.

    Raises:
        IdentityUnusable: the file cannot be used.
    """

    def __init__(self, path: Path, clock: Clock) -> None:
        self._path = path
        self._clock = clock
        self._loaded = self._read()
        self._shown: OrderedDict[bytes, _Shown] = OrderedDict()

    def of(self, pem: bytes) -> Principal:
        """Answer who shows a certificate.

        Raises:
            CredentialsInvalid: the file knows nobody by it, it is not valid yet or has expired since the connection was
                made, or it cannot be read.
        """
        self._renew()
        shown = self._shown.get(pem)
        if shown is None or shown.version != self._loaded.version:
            try:
                certificate = _certificate(pem) if shown is None else shown.certificate
            except ValueError as error:
                raise CredentialsInvalid(f"its certificate cannot be read: {error}") from error
            shown = _Shown(certificate, self._principal(certificate), self._loaded.version)
            self._shown[pem] = shown
            if len(self._shown) > KNOWN:
                self._shown.popitem(last=False)
        self._shown.move_to_end(pem)
        if not shown.certificate.not_before <= self._clock() <= shown.certificate.not_after:
            raise CredentialsInvalid(f"the certificate of {shown.certificate.shown} has expired or is not valid yet")
        if shown.principal is None:
            raise CredentialsInvalid(f"no entry of {self._path} knows the certificate of {shown.certificate.shown}")
        return shown.principal

    def _principal(self, certificate: _Certificate) -> Principal | None:
        for entry in self._loaded.entries:
            for value in certificate.says[entry.kind]:
                if entry.pattern.fullmatch(value):
                    return Principal(
                        kind=ActorKind.CERTIFICATE,
                        name=value[:MAX_NAME] if entry.name is None else entry.name,
                        namespace=entry.namespace,
                        role=entry.role,
                    )
        return None

    def _version(self) -> Any:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_mtime_ns, found.st_size, found.st_ino

    def _renew(self) -> None:
        version = self._version()
        if version == self._loaded.version:
            return
        try:
            self._loaded = self._read()
            logger.info("read anew who callers are by their certificates: %d entries", len(self._loaded.entries))
        except IdentityUnusable as error:
            logger.warning("%s; the entries in use stay", error)
            self._loaded.version = version

    def _read(self) -> _Loaded:
        version = self._version()
        try:
            document = tomllib.loads(self._path.read_text("utf-8"))
            return _Loaded(list(_entries(document)), version)
        except (OSError, ValueError) as error:
            why = getattr(error, "strerror", None) or str(error)
            raise IdentityUnusable(f"the certificates in {self._path} cannot be used: {why}") from error


def _entries(document: Mapping[str, Any]) -> Iterator[_Entry]:
    """Read the entries of a file. Raises ValueError, which says which of them is wrong and how."""
    found = document.get("client")
    if set(document) != {"client"} or not isinstance(found, list):
        raise ValueError("it is to hold entries that begin with [[client]], and nothing else")
    for number, entry in enumerate(found, start=1):
        try:
            yield _entry(entry)
        except ValueError as error:
            raise ValueError(f"entry {number}: {error}") from error


def _entry(entry: Any) -> _Entry:
    if not isinstance(entry, dict) or not all(isinstance(value, str) and value for value in entry.values()):
        raise ValueError("each of its values is to be a text that is not empty")
    unknown = sorted(set(entry) - _KEYS)
    if unknown:
        raise ValueError(f"{unknown[0]!r} is none of {', '.join(sorted(_KEYS))}")
    kinds = [kind for kind in SUBJECTS if kind in entry]
    if len(kinds) != 1:
        raise ValueError(f"it is to have one of {', '.join(SUBJECTS)}, and no more than one")
    namespace, role, name = entry.get("namespace", ""), entry.get("role", ""), entry.get("name")
    if not NAMESPACE.fullmatch(namespace):
        raise ValueError("namespace is to have 1 to 128 characters out of A-Z a-z 0-9 _ . : -")
    if role not in list(Role):
        raise ValueError(f"role is to be one of {', '.join(Role)}")
    if name is not None and len(name) > MAX_NAME:
        raise ValueError(f"name is to have {MAX_NAME} characters at most")
    value = entry[kinds[0]]
    return _Entry(kind=kinds[0], pattern=_pattern(kinds[0], value), name=name, namespace=namespace, role=Role(role))


def _pattern(kind: str, text: str) -> re.Pattern[str]:
    if kind in ("uri", "dns"):
        # Within one part of it: what comes after the next / or dot is another authority's to give.
        part = "[^/]+" if kind == "uri" else "[^.]+"
        return re.compile(part.join(map(re.escape, text.split("*"))), re.IGNORECASE if kind == "dns" else 0)
    if kind == "subject":
        try:
            # However it is spaced and escaped.
            text = x509.Name.from_rfc4514_string(text).rfc4514_string()
        except ValueError as error:
            raise ValueError(f"subject {text!r} is none: {error}") from error
    return re.compile(re.escape(text))


def _certificate(pem: bytes) -> _Certificate:
    """Read a certificate. Raises ValueError."""
    found = x509.load_pem_x509_certificate(pem)
    try:
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        uris = names.get_values_for_type(x509.UniformResourceIdentifier)
        hosts = names.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        uris, hosts = [], []
    subject = found.subject.rfc4514_string()
    common = [str(name.value) for name in found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    return _Certificate(
        says={"uri": uris, "dns": hosts, "subject": [subject] if subject else [], "cn": common},
        not_before=int(found.not_valid_before_utc.timestamp() * 1_000_000),
        not_after=int(found.not_valid_after_utc.timestamp() * 1_000_000),
    )
