"""Find out who calls from the credential they show."""

from __future__ import annotations

import hmac
from typing import Final

from execsvc.clock import Clock
from execsvc.errors import CredentialsInvalid, CredentialsMissing
from execsvc.model import Principal
from execsvc.model.identity import digest_of, token_id_of
from execsvc.store import Tokens

#: Longest credential that is looked at, in characters.
MAX_CREDENTIAL: Final = 8_192
_NOBODYS: Final = digest_of("")


class Identities:
    """Knows callers by their credentials.

    Nothing is told apart that is wrong with a credential: whether it never was one, is another's, has expired or was
    revoked, it is answered with the same words, after the same work.
    """

    def __init__(self, *, tokens: Tokens, clock: Clock) -> None:
        self._tokens = tokens
        self._clock = clock

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
        token_id = token_id_of(credential)
        token = None if token_id is None else await self._tokens.find(token_id)
        if token is None:
            hmac.compare_digest(_NOBODYS, digest_of(credential))
            raise CredentialsInvalid
        if not token.opened_by(credential, self._clock()):
            raise CredentialsInvalid
        return token.principal
