"""What protects an address: certificates, and no listening beyond this machine without them."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING

from execsvc.certificates import CertificateFiles
from execsvc.cli.exit_codes import ExitCode
from execsvc.cli.failures import CliError, usage_error

logger = logging.getLogger(__name__)

if TYPE_CHECKING:
    from execsvc.config.models import ServerSettings
    from execsvc.service import JwtRules


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


def listening_addresses(wanted: ServerSettings) -> Sequence[tuple[str, str | None]]:
    """Give the flag of each address at which the API is served, and the address; None: it is not served there."""
    return (
        ("--address", wanted.address),
        ("--operator-address", wanted.operator_address),
        ("--http", wanted.http),
    )


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
        if address is not None and not is_local(address):
            raise CliError(
                f"{flag} {address} is reached from other machines, and nothing would protect it: add --tls-cert and "
                "--tls-key, or --insecure where something in front of it does (a proxy, a private network)",
                exit_code=ExitCode.USAGE,
                reason="UNPROTECTED_ADDRESS",
            )


def jwt_rules(wanted: ServerSettings) -> JwtRules | None:
    """Give whose JSON Web Tokens the settings take; None: nobody's. Raises CliError where they do not fit together."""
    given = {"issuer": wanted.jwt_issuer, "audience": wanted.jwt_audience, "keys": wanted.jwt_keys}
    known = {name: value for name, value in given.items() if value is not None}
    if not known:
        return None
    if len(known) < len(given):
        missing = " and ".join(f"--jwt-{name}" for name in given if name not in known)
        raise usage_error(f"JSON Web Tokens are taken by issuer, audience and keys together; add {missing}")
    if wanted.auth != "token":
        raise usage_error("without --auth token nobody is asked for a JSON Web Token; add that")
    from execsvc.service import JwtRules

    return JwtRules(
        **known,
        leeway=wanted.jwt_leeway,
        namespace_claim=wanted.jwt_namespace_claim,
        role_claim=wanted.jwt_role_claim,
    )


def clients_file(wanted: ServerSettings) -> Path | None:
    """Give the file that says who callers are by their certificates; None: none.

    Raises:
        CliError: the settings that it takes are not there.
    """
    if wanted.tls_clients is None:
        return None
    if wanted.tls_client_ca is None:
        raise usage_error("without --tls-client-ca clients show no certificates to be known by; add that")
    if wanted.auth != "token":
        raise usage_error("without --auth token nobody is asked who they are, by a certificate or otherwise; add that")
    return wanted.tls_clients


def warn_of_open_addresses(wanted: ServerSettings, addresses: Iterable[tuple[str, str | None]]) -> None:
    """Log which addresses let anybody on other machines do anything.

    Args:
        addresses: as for ``require_protection``.
    """
    if wanted.auth != "none" or wanted.tls_client_ca is not None:
        return
    for flag, address in addresses:
        if address is not None and not is_local(address):
            logger.warning(
                "%s %s is reached from other machines, and nobody is asked who they are: anybody may start, see and "
                "delete executions; --auth token asks them, --tls-client-ca their certificates",
                flag,
                address,
            )


def is_local(address: str) -> bool:
    """Whether an address is reached from this machine alone."""
    host = address.rpartition(":")[0].strip("[]")
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False
