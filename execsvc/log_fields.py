"""What the lines of this service's log say besides their message: which request, execution and node they are about."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Final

from execsvc.clock import new_uid

#: In the order in which lines show them. A call may also give one, in ``extra``, to a single line.
NAMES: Final = ("request_id", "namespace", "execution_id", "node_id", "attempt")
#: Where a request says its id, in gRPC's metadata and in HTTP's headers, and where its answer does.
REQUEST_ID_KEY: Final = "x-request-id"
_REQUEST_ID: Final = re.compile(r"[A-Za-z0-9_.:/+=@,~-]{1,128}", re.ASCII)
#: Characters of a value.
_MOST: Final = 128

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_fields: ContextVar[Mapping[str, str]] = ContextVar("execsvc_log_fields", default=_NONE)


def begin_request(given: str | bytes) -> str:
    """Say the id of a request, and nothing else, with each line from here on; answers it.

    Args:
        given: what the caller calls it; made here where that is empty, or nothing to put into logs.
    """
    found = given if given and isinstance(given, str) and _REQUEST_ID.fullmatch(given) else new_uid()
    _fields.set({"request_id": found})
    return found


def request_id() -> str:
    """Give the id of the request that is being answered; empty where there is none."""
    return _fields.get().get("request_id", "")


def current_fields() -> Mapping[str, str]:
    """Give what lines say that are logged here."""
    return _fields.get()


def set_fields(**fields: str) -> None:
    """Say this, and nothing else, with each line from here on, in this task and those it starts."""
    _fields.set(_plain(fields))


def add_fields(**fields: str) -> None:
    """Say this as well, as ``set_fields`` does."""
    _fields.set({**_fields.get(), **_plain(fields)})


@contextmanager
def fields(said: Mapping[str, str]) -> Iterator[None]:
    """Say this, and nothing else, as long as the context lasts."""
    before = _fields.set(said)
    try:
        yield
    finally:
        _fields.reset(before)


def fields_of(record: logging.LogRecord) -> dict[str, str]:
    """Give what a line says that is being written, in the thread and task that logged it."""
    known = _fields.get()
    found = ((name, getattr(record, name, None) or known.get(name)) for name in NAMES)
    return {name: str(value) for name, value in found if value}


def _plain(given: Mapping[str, str]) -> dict[str, str]:
    # Clients choose some of them, and none is to look like more than one.
    return {name: value for name, value in given.items() if value and len(value) <= _MOST and value.isprintable()}
