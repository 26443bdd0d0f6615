"""What a check of the doctor finds: how it stands, what that means, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Level(StrEnum):
    """How something stands."""

    OK = "ok"
    #: A server serves, and not as well or as safely as it could.
    WARNING = "warning"
    #: A server does not start, or loses or shows what it must not.
    PROBLEM = "problem"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """The outcome of one check."""

    #: Area and check, as in ``database.room``; stable.
    check: str
    level: Level
    #: What was found.
    found: str
    #: What that means; empty where all is well.
    means: str = ""
    #: What to do; empty where nothing is to be done.
    advice: str = ""
    #: The same as figures, for programs.
    facts: Mapping[str, object] = field(default_factory=dict)

    @property
    def area(self) -> str:
        """Of what it is."""
        return self.check.partition(".")[0]

    def document(self) -> dict[str, object]:
        """Give its JSON form."""
        document: dict[str, object] = {"check": self.check, "level": str(self.level), "found": self.found}
        if self.means:
            document["means"] = self.means
        if self.advice:
            document["advice"] = self.advice
        if self.facts:
            document["facts"] = dict(self.facts)
        return document


def ok(check: str, found: str, **facts: object) -> Finding:
    """Make a finding of what is well."""
    return Finding(check=check, level=Level.OK, found=found, facts=facts)


def warning(check: str, found: str, *, means: str, advice: str, **facts: object) -> Finding:
    """Make a finding of what could be better."""
    return Finding(check=check, level=Level.WARNING, found=found, means=means, advice=advice, facts=facts)


def problem(check: str, found: str, *, means: str, advice: str, **facts: object) -> Finding:
    """Make a finding of what must not stay."""
    return Finding(check=check, level=Level.PROBLEM, found=found, means=means, advice=advice, facts=facts)
