"""Values that are not shown to anybody, found by the keys they stand under."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Any, Final

#: Stands for a value that is not shown.
REDACTED: Final = "[redacted]"
#: What is not looked at in a name: apiKey, api_key and API-Key are the same.
_IGNORED: Final = re.compile(r"[^a-z0-9*]")


def _plain(name: str) -> str:
    return _IGNORED.sub("", name.lower())


class Redaction:
    """Which keys have values that are not shown. Immutable.

    Args:
        names: of keys, whatever their case and separators; ``*`` stands for any characters.
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        patterns = [fnmatch.translate(_plain(name)) for name in names]
        self._find = re.compile("|".join(patterns)) if patterns else None
        # The same few keys come again and again.
        self._hidden = lru_cache(maxsize=4096)(self._matches)

    def __bool__(self) -> bool:
        return self._find is not None

    def _matches(self, key: str) -> bool:
        return self._find is not None and self._find.match(_plain(key.replace("*", ""))) is not None

    def shown(self, value: Any) -> Any:
        """Give a value as it may be shown; the very same object where nothing is hidden anywhere."""
        return self._walk(value) if self._find is not None else value

    def _walk(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                # That there is none may be seen.
                key: REDACTED if part is not None and self._hidden(str(key)) else self._walk(part)
                for key, part in value.items()
            }
        if isinstance(value, list | tuple):
            return [self._walk(part) for part in value]
        return value


#: Shows everything.
OPEN: Final = Redaction()
