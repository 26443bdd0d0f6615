"""An authority of clients for tests, which issues certificates that name whoever shows them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

Day = timedelta(days=1)


@dataclass(frozen=True, kw_only=True)
class Issued:
    """A certificate and its key, in PEM."""

    certificate: bytes
    key: bytes

    def write(self, folder: Path, name: str) -> tuple[Path, Path]:
        """Put them into files; answers their paths."""
        paths = folder / f"{name}.crt", folder / f"{name}.key"
        for path, content in zip(paths, (self.certificate, self.key), strict=True):
            path.write_bytes(content)
        return paths


class Authority:
    """Issues certificates."""

    def __init__(self) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "tests")])
        now = datetime.now(UTC)
        constraints = x509.BasicConstraints(ca=True, path_length=None)
        made = (
            self._builder(self._name, self._key.public_key(), now - Day, now + 365 * Day)
            .add_extension(constraints, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        #: In PEM.
        self.certificate = made.public_bytes(Encoding.PEM)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, start: datetime, end: datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(start)
            .not_valid_after(end)
        )

    def issue(
        self,
        subject: str = "",
        *,
        uris: tuple[str, ...] = (),
        hosts: tuple[str, ...] = (),
        start: datetime | None = None,
        end: datetime | None = None,
    ) -> Issued:
        """Issue one, valid from an hour ago for a day unless told otherwise.

        Args:
            subject: as RFC 4514 writes it.
        """
        now = datetime.now(UTC)
        key = ec.generate_private_key(ec.SECP256R1())
        builder = self._builder(
            x509.Name.from_rfc4514_string(subject), key.public_key(), start or now - Day / 24, end or now + Day
        )
        names = [*map(x509.UniformResourceIdentifier, uris), *map(x509.DNSName, hosts)]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=not subject)
        made = builder.sign(self._key, hashes.SHA256())
        return Issued(
            certificate=made.public_bytes(Encoding.PEM),
            key=key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()),
        )
