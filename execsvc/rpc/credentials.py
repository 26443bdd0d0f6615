"""Certificates as gRPC takes them."""

from __future__ import annotations

from typing import Any

import grpc

from execsvc.certificates import Certificates, Renewing


def server_credentials(certificates: Renewing) -> grpc.ServerCredentials:
    """Make the credentials of a server, whose handshakes use what the files hold by then."""

    def newest() -> Any:
        renewed = certificates.renewed()
        return None if renewed is None else _configuration(renewed)

    return grpc.dynamic_ssl_server_credentials(
        _configuration(certificates.current),
        newest,
        require_client_authentication=certificates.current.client_ca is not None,
    )


def _configuration(certificates: Certificates) -> Any:
    return grpc.ssl_server_certificate_configuration(
        [(certificates.key, certificates.chain)], root_certificates=certificates.client_ca
    )
