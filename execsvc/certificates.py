"""A server's certificates: read from files, checked, and read anew when the files change."""

from __future__ import annotations

import logging
import ssl
from dataclasses import dataclass, field
from pathlib import Path

from execsvc.errors import CertificateUnusable

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateFiles:
    """Files in PEM that make a server's side of TLS."""

    #: The server's certificate, with those between it and its authority.
    certificate: Path
    #: Its private key, not encrypted.
    key: Path
    #: Authorities of clients. With them, who has no certificate of theirs is not let in (mTLS). None: anybody is.
    client_ca: Path | None = None

    @property
    def all(self) -> tuple[Path, ...]:
        """All files there are."""
        return (self.certificate, self.key) if self.client_ca is None else (self.certificate, self.key, self.client_ca)


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """What the files held when they were read, in PEM."""

    chain: bytes
    key: bytes = field(repr=False)
    client_ca: bytes | None


class Renewing:
    """Certificates in use, read anew when their files change: each handshake asks, no restart is needed.

    Files that cannot be used while they are being replaced, or at all, leave what was there before in use.

    Raises:
        CertificateUnusable: the files cannot be used.
    """

    def __init__(self, files: CertificateFiles) -> None:
        self.files = files
        self._seen = _signature(files)
        self.current = _read(files)

    def renewed(self) -> Certificates | None:
        """Answer the certificates if the files have changed since they were last looked at; None if not."""
        try:
            signature = _signature(self.files)
            if signature == self._seen:
                return None
            found = _read(self.files)
            if _signature(self.files) != signature:
                # They are being replaced: the next handshake looks again.
                return None
        except CertificateUnusable as error:
            logger.warning("the certificates in use stay: %s", error.message)
            return None
        self._seen, self.current = signature, found
        logger.info("certificates renewed from %s", self.files.certificate)
        return found


def server_context(certificates: Renewing) -> ssl.SSLContext:
    """Make the context of a server, whose handshakes use what the files hold by then."""
    first = current = _context(certificates.files)

    def use_newest(connection: ssl.SSLObject | ssl.SSLSocket, name: str | None, _: ssl.SSLContext) -> None:
        nonlocal current
        if certificates.renewed() is not None:
            current = _context(certificates.files)
        if current is not first:
            connection.context = current

    first.sni_callback = use_newest
    return first


def _context(files: CertificateFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        # With a password, so that nobody is asked for one where the key is encrypted.
        context.load_cert_chain(files.certificate, files.key, password="")
    except (OSError, ssl.SSLError) as error:
        raise _unusable(files.certificate, files.key, error) from error
    if files.client_ca is not None:
        try:
            context.load_verify_locations(files.client_ca)
        except (OSError, ssl.SSLError) as error:
            raise CertificateUnusable(str(files.client_ca), _why(error)) from error
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _unusable(certificate: Path, key: Path, error: OSError) -> CertificateUnusable:
    for path in (certificate, key):
        try:
            path.read_bytes()
        except OSError as unreadable:
            return CertificateUnusable(str(path), _why(unreadable))
    return CertificateUnusable(f"{certificate} with the key {key}", _why(error))


def _why(error: OSError) -> str:
    reasons = {
        "KEY_VALUES_MISMATCH": "the key is of another certificate",
        "NO_START_LINE": "it holds no certificate, or no key, in PEM",
        "NO_CERTIFICATE_OR_CRL_FOUND": "it holds no certificate in PEM",
        "BAD_DECRYPT": "the key is encrypted; give one that is not",
        "BAD_PASSWORD_READ": "the key is encrypted; give one that is not",
    }
    if isinstance(error, ssl.SSLError):
        reason = error.reason or ""
        return reasons.get(reason, reason.lower().replace("_", " ") or "it is no certificate and key in PEM")
    return (error.strerror or str(error)).lower()


def _read(files: CertificateFiles) -> Certificates:
    _context(files)
    try:
        return Certificates(
            chain=files.certificate.read_bytes(),
            key=files.key.read_bytes(),
            client_ca=None if files.client_ca is None else files.client_ca.read_bytes(),
        )
    except OSError as error:
        raise CertificateUnusable(str(error.filename), _why(error)) from error


def _signature(files: CertificateFiles) -> tuple[tuple[int, int, int], ...]:
    try:
        found = [path.stat() for path in files.all]
    except OSError as error:
        raise CertificateUnusable(str(error.filename), _why(error)) from error
    return tuple((stat.st_mtime_ns, stat.st_ino, stat.st_size) for stat in found)
