"""What protects an address: certificates, and no listening beyond this machine without them."""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import ip_address
from typing import TYPE_CHECKING

from execsvc.certificates import CertificateFiles
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, usage_error

if TYPE_CHECKING:
    from execsvc.config.models import ServerSettings


def certificate_files(wanted: ServerSettings) -> CertificateFiles | None:
    """Give the certificate files that the settings name; None: none. Raises CliError where they do not fit together."""
    if wanted.tls_cert is None and wanted.tls_key is None:
        if wanted.tls_client_ca is not None:
            raise usage_error("tls_client_ca asks clients for certificates; add --tls-cert and --tls-key")
        return None
    if wanted.tls_cert is None or wanted.tls_key is None:
        missing = "--tls-cert" if wanted.tls_cert is None else "--tls-key"
        raise usage_error(f"a certificate and its key go together; add {missing}")
    return CertificateFiles(certificate=wanted.tls_cert, key=wanted.tls_key, client_ca=wanted.tls_client_ca)


def require_protection(wanted: ServerSettings, addresses: Iterable[tuple[str, str | None]]) -> None:
    """Refuse to listen beyond this machine without TLS, unless that was asked for.

    Args:
        addresses: the flag of each address, and the address; None: nothing listens there.

    Raises:
        CliError: UNPROTECTED_ADDRESS.
    """
    if wanted.insecure or wanted.tls_cert is not None:
        return
    for flag, address in addresses:
        if address is not None and not _is_local(address):
            raise CliError(
                f"{flag} {address} is reached from other machines, and nothing would protect it: add --tls-cert and "
                "--tls-key, or --insecure where something in front of it does (a proxy, a private network)",
                exit_code=ExitCode.USAGE,
                reason="UNPROTECTED_ADDRESS",
            )


def _is_local(address: str) -> bool:
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
