"""Gives attempts the values of the secrets that they name, and tells early which of them are not there."""

from __future__ import annotations

import asyncio
import logging
import traceback
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from execsvc.config.secret_places import SecretPlace
from execsvc.errors import FieldProblem
from execsvc.secrets.places import MAX_VALUE, Local, SecretSource, SecretUnusable, make_sources
from execsvc.secrets.scrubber import LEAST, REMEMBERED_VALUES, Scrubber

logger = logging.getLogger(__name__)

#: Seconds that a source may take for one secret.
PATIENCE: Final = 30.0


class SecretError(Exception):
    """An attempt cannot have a secret that it names.

    Args:
        type: SECRET_UNKNOWN, SECRET_UNUSABLE or SECRET_UNAVAILABLE.
        message: for people; names the secret and never its value.
        retryable: whether it may be there the next time.
    """

    def __init__(self, type: str, message: str, *, retryable: bool = False) -> None:
        self.type = type
        self.message = message
        self.retryable = retryable
        super().__init__(message)


class Revealed(dict[str, str]):
    """Values of secrets by name, for one attempt; shows the names alone."""

    def __init__(self, values: Mapping[str, str]) -> None:
        super().__init__(values)
        #: Takes them out of whatever the attempt writes.
        self.scrubber: Scrubber = REMEMBERED_VALUES.add(values.values())

    def __repr__(self) -> str:
        return f"Revealed({sorted(self)})"

    __str__ = __repr__


class Secrets:
    """The secrets that workflows of this server may use.

    Args:
        sources: asked in this order, each with what it is called; the first that has a secret gives it.
    """

    def __init__(self, sources: Sequence[tuple[str, SecretSource | Local]] = ()) -> None:
        self._sources = tuple(sources)

    async def reveal(self, namespace: str, names: Iterable[str]) -> Revealed:
        """Look secrets up, for an attempt that is about to begin.

        Raises:
            SecretError: one of them cannot be had.
        """
        wanted = tuple(names)
        values = await asyncio.gather(*(self._value(namespace, name) for name in wanted))
        return Revealed(dict(zip(wanted, values, strict=True)))

    async def _value(self, namespace: str, name: str) -> str:
        for called, source in self._sources:
            value = await self._ask(called, source, namespace, name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise SecretError("SECRET_UNUSABLE", f"secret {name!r} cannot be used: it is no text")
            if len(value) < LEAST:
                why = f"it has fewer than {LEAST} characters, and could not be told from other text to keep it out of"
                raise SecretError("SECRET_UNUSABLE", f"secret {name!r} cannot be used: {why} logs and results")
            if len(value.encode(errors="replace")) > MAX_VALUE:
                raise SecretError("SECRET_UNUSABLE", f"secret {name!r} cannot be used: it has over {MAX_VALUE} bytes")
            return value
        raise SecretError("SECRET_UNKNOWN", f"{_unknown(name, namespace)}; {self._advice()}")

    async def _ask(self, called: str, source: SecretSource | Local, namespace: str, name: str) -> Any:
        unavailable = SecretError(
            "SECRET_UNAVAILABLE", f"secret {name!r} cannot be read now; the server's log says why", retryable=True
        )
        try:
            async with asyncio.timeout(PATIENCE):
                if isinstance(source, Local):
                    return await asyncio.to_thread(source.look, namespace, name)
                return await source.get(namespace, name)
        except SecretUnusable as error:
            raise SecretError("SECRET_UNUSABLE", f"secret {name!r} cannot be used: {error}") from None
        except TimeoutError:
            logger.error("secret %s of namespace %s: %s did not answer in time", name, namespace, called)
            raise unavailable from None
        except OSError as error:
            logger.error("secret %s of namespace %s: %s: %s", name, namespace, called, error.strerror)
            raise unavailable from None
        except Exception as error:
            # Its text may hold what nobody is to read.
            at = traceback.extract_tb(error.__traceback__)[-1]
            where = f"{at.filename}:{at.lineno}"
            kind = type(error).__name__
            logger.error("secret %s of namespace %s: %s raised %s at %s", name, namespace, called, kind, where)
            raise unavailable from None

    async def problems(self, namespace: str, uses: Iterable[tuple[str, str]]) -> Sequence[FieldProblem]:
        """Say which secrets are sure not to be there, for uses that are given as path and name.

        What a plug-in would have to be asked for is left to the attempt.
        """
        wanted = tuple(uses)
        if not wanted or not all(isinstance(source, Local) for _, source in self._sources):
            return ()
        missing = await asyncio.to_thread(self._missing, namespace, {name for _, name in wanted})
        return [
            FieldProblem(path=path, reason="SECRET_UNKNOWN", message=f"{_unknown(name, namespace)}; {self._advice()}")
            for path, name in wanted
            if name in missing
        ]

    async def aclose(self) -> None:
        """Close the sources that have an ``aclose``."""
        for called, source in self._sources:
            close = getattr(source, "aclose", None)
            try:
                if close is not None:
                    await close()
            except Exception as error:
                logger.error("%s raised %s when it was closed", called, type(error).__name__)

    def _missing(self, namespace: str, names: Iterable[str]) -> set[str]:
        return {name for name in names if not any(_has(source, namespace, name) for _, source in self._sources)}

    def _advice(self) -> str:
        if not self._sources:
            return "this server was started without --secrets"
        return "ask whoever runs this server for it"


def _has(source: Any, namespace: str, name: str) -> bool:
    try:
        return source.look(namespace, name) is not None
    except (OSError, SecretUnusable):
        # It is there, or may be: the attempt says what is wrong.
        return True


def _unknown(name: str, namespace: str) -> str:
    return f"there is no secret {name!r} in namespace {namespace!r}"


def make_secrets(places: Iterable[SecretPlace], default_namespace: str) -> Secrets:
    """Make the secrets that a server is set to have. Raises PluginUnusable."""
    return Secrets(make_sources(places, default_namespace))
