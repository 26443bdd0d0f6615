"""References to secrets in the text of a definition: ``secret:NAME``, alone or inside of a longer string."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

#: Characters of a name.
MAX_NAME: Final = 128
#: A name ends with what may stand in one and is no dot or hyphen, so that a sentence may end after it.
_NAME: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?"
NAME: Final = re.compile(_NAME, re.ASCII)
_REFERENCE: Final = re.compile(rf"secret:({_NAME})", re.ASCII)


@dataclass(frozen=True, slots=True)
class Reference:
    """The place of a secret's value."""

    name: str


def split_references(text: str) -> tuple[str | Reference, ...]:
    """Give the parts of a text: what stands as it is, and references; nothing for an empty text."""
    parts: list[str | Reference] = []
    end = 0
    for found in _REFERENCE.finditer(text):
        if found.start() > end:
            parts.append(text[end : found.start()])
        parts.append(Reference(found[1]))
        end = found.end()
    if end < len(text):
        parts.append(text[end:])
    return tuple(parts)


class SecretText:
    """A string of a config that may hold references. Immutable and shared; it knows no value.

    Only what the definition itself says is read: a value that is filled in is never looked at for references.
    """

    __slots__ = ("names", "parts", "source")

    def __init__(self, source: str) -> None:
        #: As the definition has it.
        self.source = source
        self.parts = split_references(source)
        #: Secrets it names, in order of appearance.
        self.names: tuple[str, ...] = tuple(dict.fromkeys(p.name for p in self.parts if isinstance(p, Reference)))

    def __repr__(self) -> str:
        return f"SecretText({self.source!r})"

    @property
    def is_reference(self) -> bool:
        """Whether it is one reference and nothing else."""
        return len(self.parts) == 1 and isinstance(self.parts[0], Reference)

    def reveal(self, secrets: Mapping[str, str], *, quote: Callable[[str], str] = str) -> str:
        """Fill in the values.

        Args:
            secrets: values by name, as ``NodeContext.secrets`` has them.
            quote: applied to each value, as for one that goes into a URL.
        """
        return "".join(part if isinstance(part, str) else quote(secrets[part.name]) for part in self.parts)
