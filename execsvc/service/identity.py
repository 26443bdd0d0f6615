"""Find out who calls from the credential they show."""

from __future__ import annotations

import hmac
from typing import Final, Protocol

from execsvc.clock import Clock
from execsvc.errors import CredentialsInvalid, CredentialsMissing
from execsvc.model import Principal
from execsvc.model.identity import digest_of, token_id_of
from execsvc.store import Tokens

#: Longest credential that is looked at, in characters.
MAX_CREDENTIAL: Final = 8_192
_NOBODYS: Final = digest_of("")


class Provider(Protocol):
    """Knows callers by credentials that somebody else gives out."""

    async def of(self, text: str) -> Principal:
        """Answer who shows a credential. Raises CredentialsInvalid."""
        ...


class Certificates(Protocol):
    """Knows callers by the certificates of their connections."""

    def of(self, pem: bytes) -> Principal:
        """Answer who shows a certificate that TLS has let in. Raises CredentialsInvalid."""
        ...


class Identities:
    """Knows callers by their credentials: API tokens, what a provider gives out, and certificates.

    Nothing is told apart that is wrong with a credential: whether it never was one, is another's, has expired or was
    revoked, it is answered with the same words, after the same work.
    """

    def __init__(
        self,
        *,
        tokens: Tokens,
        clock: Clock,
        provider: Provider | None = None,
        certificates: Certificates | None = None,
    ) -> None:
        self._tokens = tokens
        self._clock = clock
        self._provider = provider
        self._certificates = certificates

    @property
    def take_certificates(self) -> bool:
        """Whether callers may be known by certificates."""
        return self._certificates is not None

    def of_certificate(self, pem: bytes) -> Principal:
        """Answer who shows a certificate.

        Raises:
            CredentialsMissing: there is none, or nobody is known by certificates.
            CredentialsInvalid: nobody may call with it.
        """
        if self._certificates is None or not pem:
            raise CredentialsMissing
        return self._certificates.of(pem)

    async def of(self, credential: str) -> Principal:
        """Answer who shows a credential.

        Raises:
            CredentialsMissing: it is empty.
            CredentialsInvalid: nobody may call with it.
            StorageUnavailable: that cannot be found out now.
        """
        if not credential:
            raise CredentialsMissing
        if len(credential) > MAX_CREDENTIAL:
            raise CredentialsInvalid
        if self._provider is not None and credential.count(".") == 2:
            return await self._provider.of(credential)
        token_id = token_id_of(credential)
        token = None if token_id is None else await self._tokens.find(token_id)
        if token is None:
            hmac.compare_digest(_NOBODYS, digest_of(credential))
            raise CredentialsInvalid
        if not token.opened_by(credential, self._clock()):
            raise CredentialsInvalid
        return token.principal
