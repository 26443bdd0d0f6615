"""The places in which tests let the service run."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where its data are, and who serves."""

    #: In a Postgres database; or else in a SQLite file.
    postgres: bool = False
    #: Servers behind the one address, each of which takes calls in turn.
    servers: int = 1


PLACES: Final = {"sqlite": Place(), "postgres": Place(postgres=True), "replicas": Place(postgres=True, servers=2)}
#: Those in which a test runs that is about all of them. Two servers have their data in Postgres as well, so that one of
#: them alone may wait for the night.
EVERY_PLACE: Final = tuple(name for name in PLACES if name != "postgres" or os.environ.get("EXECSVC_NIGHTLY"))
