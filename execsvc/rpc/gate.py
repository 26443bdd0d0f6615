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
    """

    def __init__(self, identities: Identities | None) -> None:
        self._identities = identities
        self._failures = Failures()

    async def admit(self, path: str, metadata: Metadata) -> None:
        """Let a call in, and note who makes it for ``caller``.

        Args:
            path: of the method, as in ``/execsvc.v1.ServerService/GetServerInfo``.

        Raises:
            CredentialsMissing: there is no credential.
            CredentialsInvalid: it is of no use here.
            RoleTooLow: its role does not allow this.
            StorageUnavailable: nobody can be recognised now.
        """
        if self._identities is None:
            _caller.set(ANYBODY)
            return
        if least_role(path) is None:
            return
        shown = Pass(self._identities, path, _credential(metadata))
        _caller.set(await shown.check())
        _pass.set(shown)

    def refused(self, error: ExecsvcError, path: str, peer: str) -> ExecsvcError:
        """Log a refusal; answers what the caller is told."""
        if isinstance(error, RoleTooLow):
            logger.info("%s of %s refused: %s", path, host_of(peer), error.message)
        elif isinstance(error, CredentialsInvalid):
            if not self._failures.allow(peer):
                return TooManyFailures()
            logger.warning("%s of %s refused: its credential is not valid", path, host_of(peer))
        return error


class Pass:
    """What a call was let in with.

    Args:
        clock: seconds that only grow.
    """

    def __init__(
        self, identities: Identities, path: str, credential: str, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._identities = identities
        self._path = path
        self._credential = credential
        self._clock = clock
        self._checked = clock()

    async def check(self) -> Principal:
        """Answer who shows it. Raises as ``Gate.admit``."""
        self._checked = self._clock()
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


def _credential(metadata: Metadata) -> str:
    """Give the bearer token of a call; empty: it has none."""
    for key, value in metadata or ():
        if key == "authorization":
            text = value.decode("latin-1") if isinstance(value, bytes) else value
            scheme, _, token = text.partition(" ")
            return token.strip() if scheme.lower() == "bearer" else ""
    return ""
