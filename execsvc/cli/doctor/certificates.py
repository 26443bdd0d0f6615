"""Checks of certificates: whether they can be read and fit their key, until when they hold, who may read the key."""

from __future__ import annotations

import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.dsa import DSAPublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from execsvc.certificates import CertificateFiles, Renewing
from execsvc.cli.doctor.findings import Finding, ok, problem, warning
from execsvc.errors import CertificateUnusable

#: Days before the end of a certificate from which on it is told.
_SOON = 21
#: Bits of an RSA key that nobody breaks yet.
_LEAST_BITS = 2_048


def certificates(files: CertificateFiles | None, *, host: str, now: datetime | None = None) -> Iterator[Finding]:
    """Check a server's certificates.

    Args:
        files: None: the server has no TLS.
        host: the name or address that it listens on.
    """
    now = now or datetime.now(UTC)
    if files is None:
        yield ok("certificates.files", "none: the server has no TLS")
        return
    try:
        Renewing(files)
    except CertificateUnusable as error:
        yield problem(
            "certificates.files",
            error.message,
            means="the server does not start",
            advice="give a certificate and its own key in PEM, the key not encrypted, readable for the server's user",
        )
    else:
        yield ok("certificates.files", f"{files.certificate} with the key {files.key}")
    yield from _of("certificate", files.certificate, now, host=host)
    if files.client_ca is not None:
        yield from _of("client_ca", files.client_ca, now)
    yield from key_rights(files.key, "certificates.key")


def client_certificate(certificate: Path, key: Path, *, now: datetime | None = None) -> Iterator[Finding]:
    """Check the certificate that commands show."""
    yield from _of("own", certificate, now or datetime.now(UTC))
    yield from key_rights(key, "certificates.own_key")


def key_rights(path: Path, check: str) -> Iterator[Finding]:
    """Check who else may read a file that is secret; says nothing of one that is not there."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    # A group of its own is how certificates are often shared on purpose.
    if mode & 0o027:
        yield warning(
            check,
            f"{path} has the mode {mode:04o}",
            means="others on this machine can read or replace it",
            advice=f"chmod 640 {path}, or 600",
            mode=f"{mode:04o}",
        )
    else:
        yield ok(check, f"{path} has the mode {mode:04o}", mode=f"{mode:04o}")


def _of(what: str, path: Path, now: datetime, *, host: str = "") -> Iterator[Finding]:
    check = f"certificates.{what}"
    try:
        found = x509.load_pem_x509_certificates(path.read_bytes())
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) and error.strerror else "it holds no certificate in PEM"
        yield problem(check, f"{path}: {why.lower()}", means="it cannot be used", advice="name another file")
        return
    yield _end(f"{check}_end", path, found, now)
    if not host:
        return
    if (broken := _broken_link(found)) is not None:
        yield warning(
            f"{check}_chain",
            f"{path}: {broken}",
            means="clients that do not know those between it and its authority do not trust it",
            advice="let the file hold the certificate first, then each one that signed the one before",
        )
    else:
        yield ok(f"{check}_chain", f"{len(found)} certificate{'' if len(found) == 1 else 's'}, in order")
    yield from _leaf(check, path, found[0], host)


def _end(check: str, path: Path, found: Sequence[x509.Certificate], now: datetime) -> Finding:
    first = min(found, key=lambda one: one.not_valid_after_utc)
    days = (first.not_valid_after_utc - now).days
    late = max(found, key=lambda one: one.not_valid_before_utc)
    told = f"{path} holds until {first.not_valid_after_utc:%Y-%m-%d}, {days} days"
    if first.not_valid_after_utc < now:
        return problem(
            check,
            f"{path} ended on {first.not_valid_after_utc:%Y-%m-%d}",
            means="nobody connects who looks at it",
            advice="renew it; a server takes the new files at the next connection, without a restart",
            days=days,
        )
    if late.not_valid_before_utc > now:
        return problem(
            check,
            f"{path} begins on {late.not_valid_before_utc:%Y-%m-%d %H:%M} UTC",
            means="nobody connects before",
            advice="wait, or look at this machine's clock",
            days=days,
        )
    if days < _SOON:
        means = "after that nobody connects who looks at it"
        return warning(check, told, means=means, advice="renew it, or see why that does not happen", days=days)
    return ok(check, told, days=days)


def _broken_link(found: Sequence[x509.Certificate]) -> str | None:
    for number, (one, above) in enumerate(pairwise(found), start=1):
        try:
            one.verify_directly_issued_by(above)
        except (ValueError, TypeError, InvalidSignature):
            return f"certificate {number} is not signed by number {number + 1}"
    return None


def _leaf(check: str, path: Path, leaf: x509.Certificate, host: str) -> Iterator[Finding]:
    names = _names(leaf)
    everywhere = host in ("0.0.0.0", "::", "")
    if not names:
        yield warning(
            f"{check}_names",
            f"{path} names no host (subjectAltName)",
            means="clients do not connect: none looks at the common name any more",
            advice="have it issued for the names that clients use",
        )
    elif not everywhere and not any(_matches(name, host) for name in names):
        yield warning(
            f"{check}_names",
            f"{path} is for {', '.join(names)}, and the server listens on {host}",
            means="clients that call it by that name do not connect",
            advice="let them call it by a name of the certificate, or have it issued for this one",
            names=names,
        )
    else:
        yield ok(f"{check}_names", f"for {', '.join(names)}", names=names)
    key = leaf.public_key()
    if (isinstance(key, RSAPublicKey) and key.key_size < _LEAST_BITS) or isinstance(key, DSAPublicKey):
        yield warning(
            f"{check}_strength",
            f"{path} has a key of {key.key_size} bits",
            means="TLS of these days refuses it",
            advice="have it issued for an RSA key of 2048 bits or more, or an ECDSA key",
        )


def _names(leaf: x509.Certificate) -> list[str]:
    try:
        found = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [
        *found.get_values_for_type(x509.DNSName),
        *(str(address) for address in found.get_values_for_type(x509.IPAddress)),
    ]


def _matches(name: str, host: str) -> bool:
    return name == host or (name.startswith("*.") and host.partition(".")[2] == name[2:])
