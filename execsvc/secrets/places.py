"""The places that secrets come from: variables of the environment, files of a directory, plug-ins."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, Protocol, runtime_checkable

from execsvc.config.secret_places import SecretPlace
from execsvc.entry_points import load_entry_point
from execsvc.errors import PluginUnusable

GROUP: Final = "execsvc.secrets"
#: Bytes of a value.
MAX_VALUE: Final = 64 * 1024


class SecretUnusable(Exception):
    """A place has something under the name that cannot be a secret. The text says why, without a value."""


class SecretSource(Protocol):
    """What a plug-in offers: an object, or a class or function that makes one, as an entry point of the group."""

    async def get(self, namespace: str, name: str) -> str | None:
        """Give the value of a secret; None where this namespace has none by that name.

        Called before each attempt that uses it, on the event loop: block nothing, and keep what is dear to ask for.
        Whatever is raised means that the source cannot be asked now. Its text is neither logged nor shown.
        """
        ...


@runtime_checkable
class Local(Protocol):
    """A source that can be asked at once, so that a missing secret is told before an execution is accepted."""

    def look(self, namespace: str, name: str) -> str | None:
        """Give the value, or None. Raises SecretUnusable, OSError; may block."""
        ...


class EnvironmentSource:
    """Variables with a prefix, for one namespace."""

    def __init__(self, prefix: str, namespace: str, environment: Mapping[str, str] = os.environ) -> None:
        self._prefix = prefix
        self._namespace = namespace
        self._environment = environment

    def look(self, namespace: str, name: str) -> str | None:
        """See ``Local``."""
        return self._environment.get(self._prefix + name) if namespace == self._namespace else None


class DirectorySource:
    """Files ``DIRECTORY/NAMESPACE/NAME``, read each time: what is renewed counts from the next attempt on."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def look(self, namespace: str, name: str) -> str | None:
        """See ``Local``."""
        # Neither can hold a slash, and a name cannot begin with a dot; a namespace could be nothing but dots.
        if namespace in (".", ".."):
            return None
        try:
            # A FIFO would keep whoever opens it waiting.
            file = os.open(self._directory / namespace / name, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except (FileNotFoundError, NotADirectoryError):
            return None
        try:
            if not stat.S_ISREG(os.fstat(file).st_mode):
                raise SecretUnusable("it is no file")
            with os.fdopen(file, "rb", closefd=False) as opened:
                # One more than is allowed, and a line end.
                data = opened.read(MAX_VALUE + 3)
        finally:
            os.close(file)
        try:
            text = data.decode()
        except UnicodeDecodeError:
            raise SecretUnusable("its file is not UTF-8") from None
        # Editors and `echo` end a file with a line end that belongs to no password.
        return text.removesuffix("\n").removesuffix("\r")


def make_sources(places: Iterable[SecretPlace], default_namespace: str) -> tuple[tuple[str, SecretSource | Local], ...]:
    """Make the sources of the places, in their order, each with what it is called.

    Raises:
        PluginUnusable: a plug-in is not installed, does not load, or is no source.
    """
    return tuple((str(place), _source(place, default_namespace)) for place in places)


def _source(place: SecretPlace, default_namespace: str) -> SecretSource | Local:
    if place.kind == "env":
        return EnvironmentSource(place.where, place.namespace or default_namespace)
    if place.kind == "dir":
        return DirectorySource(Path(place.where))
    found = load_entry_point(GROUP, place.where, kind="secrets plug-in")
    if not callable(getattr(found, "get", None)):
        why = f"it has no method get, and so is no SecretSource but a {type(found).__name__}"
        raise PluginUnusable(place.where, why, kind="secrets plug-in")
    source: SecretSource = found
    return source
