"""Lets calls in: who calls, whether their role allows it, and whether that still holds while a stream goes on."""

from __future__ import annotations

import logging
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import aclosing
from contextvars import ContextVar
from typing import Any, Final

from execsvc.errors import CredentialsInvalid, ExecsvcError, RoleTooLow, TooManyFailures
from execsvc.model import ANYBODY, Principal
from execsvc.rpc.failures import Failures, host_of
from execsvc.rpc.rates import Rates
from execsvc.rpc.roles import least_role
from execsvc.service import Identities

logger = logging.getLogger(__name__)

#: Seconds after which a stream's credential is looked at again, before the next response.
AGAIN: Final = 1.0

#: Who makes the call that is being answered.
_caller: ContextVar[Principal] = ContextVar("execsvc_caller")
#: The pass of the call that is being answered; None: nobody was asked for one.
_pass: ContextVar[Pass | None] = ContextVar("execsvc_pass", default=None)

Metadata = Sequence[tuple[str, str | bytes]] | None


def caller() -> Principal:
    """Give who makes the call that is being answered."""
    return _caller.get()


def client_of(context: Any) -> str:
    """Give what tells clients from each other where they have to share: who they are, or else their connection."""
    who = _caller.get()
    return f"{who.namespace}/{who.name}" if _pass.get() is not None else str(context.peer())


class Gate:
    """Lets a call in or refuses it, before anything of its request is read.

    Args:
        identities: who is known; None: nobody is asked, and everybody may do everything in the default namespace.
        rates: how many calls namespaces may make.
    """

    def __init__(self, identities: Identities | None, rates: Rates) -> None:
        self._identities = identities
        self._rates = rates
        self._failures = Failures()

    async def admit(self, path: str, metadata: Metadata) -> bool:
        """Let a call in, and note who makes it for ``caller``.

        Args:
            path: of the method, as in ``/execsvc.v1.ServerService/GetServerInfo``.

        Returns:
            False where it says nothing of who calls: ``admit_certified`` is to decide by the connection's certificate.

        Raises:
            CredentialsMissing: there is no credential.
            CredentialsInvalid: it is of no use here.
            RoleTooLow: its role does not allow this.
            RateLimited: its namespace makes more calls than it may.
            StorageUnavailable: nobody can be recognised now.
        """
        if least_role(path) is None:
            return True
        if self._identities is None:
            self._rates.take(ANYBODY.namespace)
            _caller.set(ANYBODY)
            return True
        credential = _credential(metadata)
        if credential is None and self._identities.take_certificates:
            return False
        await self._let_in(Pass(self._identities, path, credential or ""))
        return True

    async def admit_certified(self, path: str, context: Any) -> None:
        """Let a call in by the certificate of its connection. Raises as ``admit``."""
        assert self._identities is not None
        shown = context.auth_context().get("x509_pem_cert") or [b""]
        await self._let_in(Pass(self._identities, path, "", certificate=shown[0]))

    async def _let_in(self, shown: Pass) -> None:
        principal = await shown.check()
        self._rates.take(principal.namespace)
        _caller.set(principal)
        _pass.set(shown)

    def refused(self, error: ExecsvcError, path: str, peer: str) -> ExecsvcError:
        """Log a refusal; answers what the caller is told."""
        if isinstance(error, RoleTooLow):
            logger.info("%s of %s refused: %s", path, host_of(peer), error.message)
        elif isinstance(error, CredentialsInvalid):
            if not self._failures.allow(peer):
                return TooManyFailures()
            logger.warning("%s of %s refused: %s", path, host_of(peer), error.logged)
        return error


class Pass:
    """What a call was let in with.

    Args:
        credential: empty: by its certificate.
        certificate: of the connection, in PEM.
        clock: seconds that only grow.
    """

    def __init__(
        self,
        identities: Identities,
        path: str,
        credential: str,
        *,
        certificate: bytes = b"",
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._identities = identities
        self._path = path
        self._credential = credential
        self._certificate = certificate
        self._clock = clock
        self._checked = clock()

    async def check(self) -> Principal:
        """Answer who shows it. Raises as ``Gate.admit``."""
        self._checked = self._clock()
        if self._certificate:
            principal = self._identities.of_certificate(self._certificate)
        else:
            principal = await self._identities.of(self._credential)
        least = least_role(self._path)
        if least is not None and not principal.role.allows(least):
            method = self._path.rpartition("/")[2]
            raise RoleTooLow(method=method, role=str(principal.role), required_role=str(least))
        return principal

    async def check_now_and_then(self) -> None:
        """Check again if the last time is ``AGAIN`` seconds ago. Raises as ``Gate.admit``."""
        if self._clock() - self._checked >= AGAIN:
            await self.check()


def admitted(responses: AsyncGenerator[Any, None]) -> AsyncGenerator[Any, None]:
    """Give the responses of a stream for as long as the call's credential is valid; then it ends as ``admit`` raises.

    That it was revoked or has expired is noticed at the next response, so at a heartbeat if not before.
    """
    shown = _pass.get()
    return responses if shown is None else _while_valid(responses, shown)


async def _while_valid(responses: AsyncGenerator[Any, None], shown: Pass) -> AsyncGenerator[Any, None]:
    # A stream that is cut off must let go at once, not when it is collected.
    async with aclosing(responses):
        async for response in responses:
            await shown.check_now_and_then()
            yield response


def _credential(metadata: Metadata) -> str | None:
    """Give the bearer token of a call; empty: what it says is none. None: it says nothing."""
    for key, value in metadata or ():
        if key == "authorization":
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            scheme, _, token = text.partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return None
