"""The places in which tests let the service run."""

from __future__ import annotations

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
