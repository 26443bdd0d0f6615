"""Regular expressions of schemas: matched by RE2, which takes time by the length of the text whatever the pattern."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Final

import re2

from execsvc.definition.problems import shorten

#: Bytes that one pattern may take, its program and what it remembers while it matches.
_MEMORY: Final = 512 * 1024
#: Patterns that are kept for the next match.
_KEPT: Final = 128

_OPTIONS: Final = re2.Options()
_OPTIONS.log_errors = False
_OPTIONS.max_mem = _MEMORY


class Pattern:
    """A compiled pattern."""

    __slots__ = ("_search", "size")

    def __init__(self, source: str) -> None:
        """Compile. Raises ValueError, with what is wrong for people."""
        try:
            compiled = re2.compile(source, _OPTIONS)
        except re2.error as error:
            why = error.args[0].decode(errors="replace") if error.args and isinstance(error.args[0], bytes) else ""
            if "too large" in why or "repetition size" in why:
                raise ValueError("the pattern is too large; use smaller repeat counts") from error
            raise ValueError(
                f"the pattern {shorten(source)!r} is not supported (RE2 syntax, no look-around): {shorten(why)}"
            ) from error
        except UnicodeEncodeError as error:
            raise ValueError("the pattern is no valid Unicode") from error
        self._search: Callable[[str], object] = compiled.search
        #: Instructions of its program.
        self.size: int = compiled.programsize

    def found_in(self, text: str) -> bool:
        """Whether some part of a text matches."""
        return self._search(text) is not None


@lru_cache(maxsize=_KEPT)
def compile_pattern(source: str) -> Pattern:
    """Compile a pattern, or find it among those of before. Raises ValueError."""
    return Pattern(source)
